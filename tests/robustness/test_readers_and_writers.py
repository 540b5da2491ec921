"""Readers beside a writer see whole commits; the second of two writers is told of the first."""

import json
import os
import subprocess
import sys

import pytest
from animals import WORDS, documents

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.index.manifest import read_manifest
from sparseembed.index.verify import verify_index

ROUNDS = int(os.environ.get("SPARSEEMBED_TEST_ROUNDS", "12"))  # changes that readers run beside
JVM = pytest.mark.jvm
ENGINES = ["native", pytest.param("lucene", marks=JVM)]

pytestmark = JVM  # the indexes are built with Lucene


@pytest.fixture
def changing(embedder, tmp_path, monkeypatch):
    """An index that is changed, and its embedder."""
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "cache"))
    return build_index(Corpus(documents(), "animals"), tmp_path / "index", embedder, k=12).path


READER = """
import json, sys, threading
from sparseembed import Searcher
from sparseembed.errors import DataError
from sparseembed.index.manifest import read_manifest

path, engine, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
QUERIES = ["fox river", "whale mountain", "zorblax otter"]

def look(searcher):
    seen = {}
    for query in QUERIES:
        hits = searcher.search(query, 50)
        for hit in hits[:8]:
            why, text = searcher.explain(query, hit.id), searcher.text(hit.id)
            assert why.score == hit.score > 0, (query, hit, why)
            for term in why.terms:
                if term.origin == "literal":
                    assert term.term.lower() in text.lower(), (term, text)
        seen[query] = [tuple(hit) for hit in hits]
        count = searcher.manifest.counts["documents"]
        assert len(hits) <= count
    return seen

held = Searcher.open(path, engine=engine)
first = look(held)
following = Searcher.open(path, engine=engine)
rounds = 0
answers = {}
print("ready", flush=True)
while True:
    with Searcher.open(path, engine=engine) as searcher:
        seen, generation = look(searcher), searcher.manifest.generation
    assert answers.setdefault(generation, seen) == seen, generation
    assert look(held) == first
    following.reload()
    seen, generation = look(following), following.manifest.generation
    assert answers.setdefault(generation, seen) == seen, generation
    rounds += 1
    if generation >= last:
        break
print(rounds, len(answers))
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["changes", "rebuilds"])
def test_readers_beside_a_writer_see_whole_commits(changing, embedder, engine, how, silence):
    from sparseembed.indexing.update import Index

    index = Index(changing, embedder)
    last = read_manifest(changing).generation + ROUNDS
    reader = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", READER, str(changing), engine, str(last)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout.readline() == "ready\n", reader.stderr.read()
    for number in range(ROUNDS):
        if how == "rebuilds":
            shifted = [
                Document(each.id, each.title, documents()[(number - place) % 40].text)
                for place, each in enumerate(documents())
            ]
            build_index(
                Corpus(shifted, f"animals{number % 2}"), changing, embedder, k=12, overwrite=True, reencode=True
            )
        elif number % 4 == 0:
            index.replace(
                [Document(f"d{number}", "", f"a zorblax and an otter, {number}"), Document("new", "", f"fox {number}")]
            )
        elif number % 4 == 1:
            index.delete(["new"])
        elif number % 4 == 2:
            index.add([Document(f"more{number}", "", f"the river, the whale and {number} mountains")])
        else:
            index.compact()
    out, err = reader.communicate(timeout=300)
    assert (reader.returncode, err) == (0, "")
    assert int(out.split()[0]) > 0
    assert verify_index(changing) == []


def test_an_open_searcher_keeps_what_it_opened_when_the_folder_is_replaced_or_removed(changing, embedder, silence):
    import shutil

    with Searcher.open(changing) as native, Searcher.open(changing, engine="lucene") as lucene:
        before = {query: native.search(query, 50) for query in WORDS}
        texts = {each.id: native.text(each.id) for each in documents()}
        build_index(Corpus(documents(7)[::-1], "others"), changing, embedder, k=12, overwrite=True)
        for _ in range(2):
            for searcher in (native, lucene):
                assert {query: searcher.search(query, 50) for query in WORDS} == before
                assert {each.id: searcher.text(each.id) for each in documents()} == texts
                for query, hits in before.items():
                    assert [searcher.explain(query, hit.id).score for hit in hits] == [hit.score for hit in hits]
                assert len(searcher.term_space.terms) > 10  # read from the disk only now
            shutil.rmtree(changing, ignore_errors=True)


TWO = """
import json, sys
from sparseembed.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("second", ["index", "add", "delete", "compact"])
def test_the_second_of_two_writers_is_told_of_the_first(changing, embedder, tmp_path, second, silence):
    from sparseembed.index.transaction import Transaction

    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"id": "z", "text": "a whale"}) + "\n")
    words = {
        "index": [
            "index",
            other,
            "--out",
            changing,
            "--overwrite",
            "--embedder",
            embedder.spec.weights,
            "--dtype",
            "float32",
        ],
        "add": ["add", changing, other, "--embedder", embedder.spec.weights],
        "delete": ["delete", changing, "d1"],
        "compact": ["compact", changing],
    }[second]
    before = read_manifest(changing)
    with Transaction(changing, "a test of locks"):
        done = subprocess.run(
            [sys.executable, "-c", TWO, *map(str, words), "-q"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"process {os.getpid()}" in done.stderr
    assert "a test of locks" in done.stderr
    assert "since" in done.stderr
    assert done.stderr.count("\n") == 1
    assert read_manifest(changing) == before
    assert verify_index(changing) == []


def test_two_writers_at_once_make_one_index(embedder, tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "cache"))
    running = []
    for name in ("a", "b"):
        corpus = tmp_path / f"{name}.jsonl"
        corpus.write_text(
            "".join(json.dumps({"id": f"{name}{n}", "text": each.text}) + "\n" for n, each in enumerate(documents(9)))
        )
        words = [
            "index",
            corpus,
            "--out",
            tmp_path / "index",
            "--embedder",
            embedder.spec.weights,
            "--dtype",
            "float32",
            "-q",
        ]
        running.append(
            subprocess.Popen([sys.executable, "-c", TWO, *map(str, words)], stderr=subprocess.PIPE, text=True)
        )
    ends = [(each.communicate(timeout=300)[1], each.returncode) for each in running]
    assert sorted(status for _, status in ends) == [0, 2], ends
    told = next(error for error, status in ends if status)
    assert told.count("\n") == 1
    assert "writes there" in told or "another corpus" in told  # the first may have ended already
    winner = "ab"[[status for _, status in ends].index(0)]
    assert read_manifest(tmp_path / "index").corpus["name"] == winner
    assert verify_index(tmp_path / "index") == []
