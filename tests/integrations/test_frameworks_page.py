"""The Python of docs/frameworks.md runs as it is, but for the index and the embedder."""

import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
BLOCKS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
PYTHON = {title: re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for title, text in BLOCKS}
NEEDS = {
    "LangChain": "langchain_core",
    "Haystack": "haystack",
    "LlamaIndex": "llama_index.core",
    "PyTerrier": "pyterrier",
    "sentence-transformers": "sentence_transformers",
    "Pyserini": "pyserini",
}


@pytest.mark.parametrize("title", NEEDS)
def test_a_section(title, small_index, tiny_model, tmp_path, monkeypatch, capsys):
    pytest.importorskip(NEEDS[title])
    (code,) = PYTHON[title]
    assert '"indexes/pydocs"' in code
    monkeypatch.chdir(tmp_path)
    (tmp_path / "indexes").mkdir()
    (tmp_path / "indexes" / "pydocs").symlink_to(small_index)
    # Of an index of a preset none need be named
    embedder = str(tiny_model("tied"))
    exec(code.replace('sparse_encoder("indexes/pydocs")', f'sparse_encoder("indexes/pydocs", {embedder!r})'), {})
    if title == "Pyserini":
        assert (tmp_path / "topics.tsv").read_text().startswith("q1\t")


def test_all_sections_with_code_are_run():
    # MTEB's needs the hub, and that of run files a run: examples/mteb_task.py and test_readers.py do the same
    assert {title for title, code in PYTHON.items() if code} == {*NEEDS, "MTEB", "Run files and judgements"}
