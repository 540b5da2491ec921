"""Blocks of code of the documentation do what they say: Python is run, and so are commands that need no other machine.

All of it searches one small collection, indexed once with the default embedder under the names that the pages use.
"""

import ast
import json
import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from sparseembed.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
RECORDS = [
    {"id": "1", "title": "Tides", "text": "The sea rises and falls twice a day.", "year": 2020, "lang": "de"},
    {"id": "2", "title": "Bread", "text": "Bread needs flour, water, salt and time.", "year": 2021, "lang": "en"},
    {"id": "random.choice", "title": "random.choice", "text": "Choose a random element from a non-empty sequence."},
    {"id": "list.reverse", "title": "list.reverse", "text": "Reverse the elements of a list, upside down."},
]
RECORDS += [
    {"id": "7", "title": "Yeast", "text": "Yeast turns sugar into gas, and makes dough rise.", "year": 2019},
    {"id": "doc17", "title": "Rain", "text": "Water that falls from clouds."},
    {"id": "doc23", "title": "Snow", "text": "Ice that falls from clouds."},
]
MORE = [{"id": "9", "title": "Whales", "text": "A whale is no fish: it breathes air."}]
# What a block holds -> why it is not run.
NOT_RUN = {
    "mteb.evaluate": "fetches NFCorpus",
    "from ranx": "compiles for half a minute; tests/evaluation/test_readers.py does without",
    "integrations.sentence_transformers": "takes ten seconds to import; its example is run by tests/integrations",
    "import LuceneImpactSearcher": "needs all of Pyserini; tests/engines/test_stock_pyserini.py does without",
}
# Commands that are quick; those that train, serve or analyse have tests of their own.
QUICK = {"add", "compact", "delete", "embedders", "explain", "export", "index", "inspect", "search", "verify"}
# Inputs that a user has and this test has not: clusters, models, collections, and indexes of dozens of documents.
ELSEWHERE = re.compile(r"https?://|\./|scifact|artikel|my\.jsonl|pydocs\.folded|index pydocs|encoder (?:small|static)")
EXTRAS = {
    "integrations.haystack": "haystack",
    "integrations.langchain": "langchain_core",
    "integrations.llamaindex": "llama_index.core",
    "integrations.pyterrier": "pyterrier",
    "open_export": "qdrant_client",
}

pytestmark = [pytest.mark.jvm, pytest.mark.model, pytest.mark.usefixtures("silence")]


def blocks(page, language):
    """Return the blocks of a page in a language, as they stand at its margin."""
    return [
        "\n".join(line.removeprefix(margin) for line in code.splitlines())
        for margin, kind, code in BLOCK.findall(page.read_text(encoding="utf-8"))
        if kind == language
    ]


def written(path, records):
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with all that the blocks read."""
    from sparseembed import Searcher, build_index

    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        written(folder / "my-documents.jsonl", RECORDS)
        for part in ("1", "2"):
            build_index("my-documents.jsonl", f"disk{part}/part-{part}-of-2", shard=f"{part}/2")
        build_index("my-documents.jsonl", "indexes/mine")
        shutil.copytree("indexes/mine", "indexes/pydocs")
        if find_spec("qdrant_client"):
            main(["export", "indexes/mine", "--to", "qdrant", "--out", "exported"])
        for name in ("more.jsonl", "new.jsonl", "changed.jsonl"):
            written(folder / name, MORE)
        (folder / "qrels.txt").write_text("q1 0 1 2\n")
        (folder / "run.txt").write_text("q1 Q0 1 1 7.5 run\n")
        with Searcher.open("indexes/mine") as searcher:
            assert searcher.search("how do tides come about")
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """Go to a copy of that folder."""
    shutil.copytree(made, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def reason_not_to(code):
    """Return why a block is not run, if it is not."""
    for mark, package in EXTRAS.items():
        if mark in code:
            pytest.importorskip(package)
    return next((why for mark, why in NOT_RUN.items() if mark in code), None)


WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_python_runs(page, place):
    names = {}
    for number, code in enumerate(blocks(page, "python"), 1):
        if reason_not_to(code):
            continue
        if page.name == "corpora.md":  # the one block that begins with an open searcher
            from sparseembed import Searcher

            names["searcher"] = Searcher.open("indexes/mine")
        # Java keeps the folder that it was started in, for other tests perhaps.
        code = code.replace('"/disk', '"disk').replace("indexes/pydocs/lucene", str(place / "indexes/pydocs/lucene"))
        tree = ast.parse(code)
        exec(compile(tree, f"{page.name}, block {number}", "exec"), names)
    for each in names.values():
        if type(each).__name__ == "Searcher":
            each.close()


def lines(page):
    """Return the program's commands in the blocks of a page."""
    code = re.sub(r" *\\\n *", " ", "\n".join(blocks(page, "sh")))
    return [line for line in code.splitlines() if line.startswith("sparseembed ") and line.split()[1] in QUICK]


WITH_COMMANDS = [page for page in PAGES if any(not ELSEWHERE.search(line) for line in lines(page))]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_commands_run(page, place, capfd):
    for line in lines(page):
        if not ELSEWHERE.search(line):
            assert main(shlex.split(line, comments=True)[1:]) == 0, line + capfd.readouterr().err


def test_most_are_run():
    python = [code for page in PAGES for code in blocks(page, "python")]
    assert sum(any(mark in code for mark in NOT_RUN) for code in python) == len(NOT_RUN) <= len(python) / 6
    commands = [line for page in PAGES for line in lines(page)]
    assert sum(not ELSEWHERE.search(line) for line in commands) > len(commands) / 2
