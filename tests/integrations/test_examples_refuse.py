"""Examples that are given words: without them they say how they are called, and a mistake is one line."""

import runpy
import sys

import pytest
from integrations.conftest import EXAMPLES

WORDS = {
    "push_pull.py": ["{index}", "{elsewhere}", "a query"],
    "search_exports.py": ["{index}", "{elsewhere}", "a query"],
    "search_milvus.py": ["{index}", "{elsewhere}", "a query"],
    "search_pgvector.py": ["{index}", "postgresql://127.0.0.1:9/none", "none", "a query"],
    "search_qdrant.py": ["{index}", "{elsewhere}", "a query"],
    "serving.py": ["{index}", "a query"],
}


@pytest.fixture
def said(monkeypatch):
    """What an example ends with when it is run as a program."""

    def run(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return ended.value.code

    return run


@pytest.mark.parametrize("name", [*WORDS, "agent.py"])
def test_without_words_an_example_says_how_it_is_called(name, said):
    assert f"python examples/{name} " in said(name)


@pytest.mark.parametrize("name", WORDS)
def test_a_mistake_is_one_line(name, said, tmp_path):
    missing = tmp_path / "no-such-index"
    words = [word.format(index=missing, elsewhere=tmp_path / "elsewhere") for word in WORDS[name]]
    told = said(name, *words)
    assert told.startswith("error: ")
    assert "\n" not in told
    assert str(tmp_path) in told
