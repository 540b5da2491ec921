"""The command of docs/frameworks.md for stock Pyserini: its run is ours."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sparseembed import Searcher
from sparseembed.errors import DataError
from sparseembed.evaluation.runs import read_trec_run
from sparseembed.integrations.pyserini import write_topics

pytestmark = [pytest.mark.jvm, pytest.mark.pyserini, pytest.mark.usefixtures("silence")]
PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"

# The command itself, but for the encoders that queries which are encoded already do not need, and whose many packages
# a lean install has not.
COMMAND = """
import importlib.util, pathlib, runpy, sys, types
from sparseembed.java.jvm import java
java("java.lang.Object")
import pyserini

class Empty(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})

encode = sys.modules["pyserini.encode"] = Empty("pyserini.encode")
file = pathlib.Path(pyserini.__path__[0]) / "encode" / "_tok_freq.py"
spec = importlib.util.spec_from_file_location("pyserini.encode._tok_freq", file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
encode.TokFreqQueryEncoder = module.TokFreqQueryEncoder
sys.argv = ["pyserini.search.lucene", *sys.argv[1:]]
runpy.run_module("pyserini.search.lucene", run_name="__main__")
"""


def test_the_command_of_the_page_gives_our_hits_and_scores(small, small_index, made_embedder, tmp_path):
    pytest.importorskip("sklearn")  # which pyserini.search.lucene imports
    page = PAGE.read_text(encoding="utf-8")
    (line,) = re.findall(r"^python -m pyserini\.search\.lucene(?:.*\\\n)*.*", page, re.MULTILINE)
    words = shlex.split(line.replace("\\\n", " "))
    assert words[words.index("--index") + 1] == "indexes/pydocs/lucene"
    topics, output = tmp_path / words[words.index("--topics") + 1], tmp_path / words[words.index("--output") + 1]
    ours, encoded = {}, ""
    for expand in (0, 5):
        queries = {f"{query}-{expand}": text for query, text in {**small["QUERIES"], "none": "zorblax"}.items()}
        with Searcher.open(small_index, expand=expand, embedder=made_embedder) as searcher:
            assert write_topics(searcher, queries, topics) == len(queries)
            ours |= {query: searcher.search(text, 1000) for query, text in queries.items()}
        encoded += topics.read_text(encoding="utf-8")
    topics.write_text(encoded, encoding="utf-8")
    arguments = [word.replace("indexes/pydocs", str(small_index)) for word in words[3:]]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENAI_API_KEY": "unused"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    theirs = read_trec_run(output)
    assert theirs.keys() == {query for query, hits in ours.items() if hits}
    for query, hits in theirs.items():
        assert [(hit.id, round(hit.score)) for hit in hits] == [(hit.id, hit.score) for hit in ours[query]]


def test_topics_as_written(small_index, tmp_path):
    with Searcher.open(small_index) as searcher:
        assert write_topics(searcher, {"a": "milk and milk", "b": ""}, tmp_path / "deep" / "t.tsv") == 1
        with pytest.raises(DataError, match=r"end in \.tsv"):
            write_topics(searcher, {"a": "milk"}, tmp_path / "t.txt")
        with pytest.raises(DataError, match="white space"):
            write_topics(searcher, {"a b": "milk"}, tmp_path / "t.tsv")
    assert (tmp_path / "deep" / "t.tsv").read_text() == "a\tmilk milk\n"
