"""The JSONL export: what it writes is what the index holds, deletions left out, in the same bytes each time."""

import json

import pytest

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError
from sparseembed.exports import jsonl
from sparseembed.exports.registry import export_index
from sparseembed.indexing.update import Index

TEXTS = {"b": "A cat sat on the mat.", "a": "Whales breathe air, whales swim.", "c": "Ærø 😀 rivers", "d": ""}


@pytest.fixture
def index(tiny_embedder, tmp_path):
    corpus = Corpus([Document(doc_id, "", text) for doc_id, text in TEXTS.items()], "four")
    return build_index(corpus, tmp_path / "index", tiny_embedder(), k=20).path


def lines_of(folder):
    return [json.loads(line) for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]


@pytest.mark.jvm
def test_lines_are_the_documents_of_the_index(index, tmp_path, monkeypatch):
    monkeypatch.setattr(jsonl, "SHARD", 3)
    assert export_index(index, "jsonl", tmp_path / "out") == 4
    assert [file.name for file in sorted((tmp_path / "out").iterdir())] == ["00000.jsonl", "00001.jsonl"]
    lines = lines_of(tmp_path / "out")
    assert [line["id"] for line in lines] == list(TEXTS)
    with Searcher.open(index) as searcher:
        for line in lines:
            assert line["contents"] == TEXTS[line["id"]]
            assert line["vector"] == searcher.document(line["id"]).vector
            assert list(line["vector"].values()) == sorted(line["vector"].values(), reverse=True)
    assert lines[0]["vector"]["cat"] > 0
    assert lines[3]["vector"] == {}
    export_index(index, "jsonl", tmp_path / "again")
    assert (tmp_path / "again" / "00000.jsonl").read_bytes() == (tmp_path / "out" / "00000.jsonl").read_bytes()


@pytest.mark.jvm
def test_deleted_documents_are_left_out(index, tmp_path):
    Index(index).delete(["a"])
    assert export_index(index, "jsonl", tmp_path / "out") == 3
    assert [line["id"] for line in lines_of(tmp_path / "out")] == ["b", "c", "d"]


@pytest.mark.jvm
def test_a_place_that_holds_something_is_refused(index, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(ConfigError, match="not empty"):
        export_index(index, "jsonl", tmp_path / "out")
    with pytest.raises(ConfigError, match="jsonl"):
        export_index(index, "parchment", tmp_path / "other")


@pytest.mark.jvm
def test_documents_of_several_passages_are_exported_whole_and_keep_their_passages(tiny_embedder, tmp_path):
    long = "Whales breathe air and feed their young. " * 6 + "A zorblax hides behind the mountain."
    corpus = Corpus([Document(doc_id, "", text) for doc_id, text in {**TEXTS, "long": long}.items()], "five")
    path = build_index(corpus, tmp_path / "index", tiny_embedder(), k=20, passages="9/6", mix=0.5).path

    def passage():
        with Searcher.open(path) as searcher:
            return next(hit.passage for hit in searcher.search("zorblax", 5) if hit.id == "long")

    before = passage()
    assert before.of > 3
    assert "A zorblax" in before.text
    assert export_index(path, "jsonl", tmp_path / "out") == 5
    lines = {line["id"]: line for line in lines_of(tmp_path / "out")}
    assert lines["long"]["contents"] == long  # one document, whatever the passages
    with Searcher.open(path) as searcher:
        for doc_id, line in lines.items():
            assert line["vector"] == searcher.document(doc_id).vector
        # The exported weights give the hits and the scores that the index gives.
        query = searcher.encode_query("zorblax whale")
        scores = {
            doc_id: sum(weight * line["vector"].get(term, 0) for term, weight in query.items())
            for doc_id, line in lines.items()
        }
        hits = searcher.search("zorblax whale", 5)
    assert {hit.id: hit.score for hit in hits} == {doc_id: score for doc_id, score in scores.items() if score}
    assert passage() == before
