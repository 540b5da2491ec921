"""BM25 against its formula and against Anserini's own searcher."""

import math
from collections import Counter

import pytest

from sparseembed.engines.bm25 import Bm25Engine, Bm25Index
from sparseembed.engines.ties import run_scores
from sparseembed.errors import ConfigError, DataError, IndexFolderError
from sparseembed.java.jvm import java

pytestmark = pytest.mark.jvm

TEXTS = {
    "d3": "the fox jumps over the lazy dog",
    "d1": "a dog barks at dogs and foxes",
    "d2": "cats sleep all day long and sleep more",
    "d5": "a dog barks at dogs and foxes",
    "d4": "",
    "d6": " \t\n",
}


@pytest.fixture
def engine(tmp_path):
    assert Bm25Index.build(tmp_path / "bm25", TEXTS.items()) == 6
    with Bm25Engine(tmp_path / "bm25") as opened:
        yield opened


def by_formula(analyzer, query, k1=0.9, b=0.4):
    """Lucene's BM25: ln(1 + (N - n + .5) / (n + .5)) tf / (tf + k1 (1 - b + b dl / avgdl)); blank ones not in N."""
    docs = {doc_id: Counter(analyzer.terms(text)) for doc_id, text in TEXTS.items() if text.strip()}
    average = sum(sum(terms.values()) for terms in docs.values()) / len(docs)
    scores = Counter()
    for term, weight in Counter(analyzer.terms(query)).items():
        having = [doc_id for doc_id in docs if term in docs[doc_id]]
        idf = math.log(1 + (len(docs) - len(having) + 0.5) / (len(having) + 0.5))
        for doc_id in having:
            tf, length = docs[doc_id][term], sum(docs[doc_id].values())
            scores[doc_id] += weight * idf * tf / (tf + k1 * (1 - b + b * length / average))
    return scores


@pytest.mark.parametrize("query", ["dog", "Dogs and foxes sleeping", "fox fox dog", "lazy cats"])
def test_scores_follow_the_formula(engine, analyzer, query):
    wanted = by_formula(analyzer, query)
    hits = engine.search(query, 10)
    assert {hit.id for hit in hits} == set(wanted)
    for hit in hits:
        assert hit.score == pytest.approx(wanted[hit.id], rel=1e-6)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_other_parameters(tmp_path, analyzer):
    Bm25Index.build(tmp_path / "bm25", TEXTS.items())
    (best, *_) = Bm25Engine(tmp_path / "bm25", k1=1.5, b=0.75).search("sleep", 1)
    assert best.score == pytest.approx(by_formula(analyzer, "sleep", 1.5, 0.75)["d2"], rel=1e-6)


def test_ties_go_by_id(engine):
    assert [hit.id for hit in engine.search("barks", 10)] == ["d1", "d5"]


def test_blank_documents_are_counted_and_never_found(engine):
    assert engine.documents == 6
    assert {"d4", "d6"}.isdisjoint(hit.id for hit in engine.search("dog fox cats the", 10))


@pytest.mark.parametrize("query", ["", "  ", "the of", "zebra", "!?", "\ud800"])
def test_queries_without_known_words_find_nothing(engine, query):
    assert engine.search(query, 5) == []


def test_batch_and_threads_give_the_same(engine):
    queries = ["dog", "", "lazy cats", "foxes", "sleep dog"] * 40
    serial = [engine.search(query, 3) for query in queries]
    assert engine.search_batch(queries, 3) == serial
    assert engine.search_batch(queries, 3, threads=4) == serial


def test_a_query_of_more_than_1024_words(engine):
    query = " ".join(f"word{i}" for i in range(2_000)) + " dog"
    assert [hit.id for hit in engine.search(query, 5)] == [hit.id for hit in engine.search("dog", 5)]


@pytest.mark.pyserini
def test_equals_anserini(engine, tmp_path):
    stock = java("io.anserini.search.SimpleSearcher")(str(tmp_path / "bm25"))
    stock.set_bm25(0.9, 0.4)
    for query in ("dog", "dogs and foxes sleeping", "lazy cats", "barks"):
        theirs = [(hit.docid, hit.score) for hit in stock.search(query, 10)]
        ours = engine.search(query, 10)
        assert theirs == list(zip([hit.id for hit in ours], run_scores([hit.score for hit in ours]), strict=True))


@pytest.mark.parametrize(("k1", "b"), [(-1, 0.4), (0.9, 1.1), (0.9, -0.1), (math.nan, 0.4), (math.inf, 0.4)])
def test_parameters_out_of_range(tmp_path, k1, b):
    with pytest.raises(ConfigError, match="k1 must be 0 or more"):
        Bm25Engine(tmp_path, k1, b)


def test_bad_calls(engine, tmp_path):
    with pytest.raises(ConfigError, match="k is 0"):
        engine.search("dog", 0)
    with pytest.raises(ConfigError, match="threads is 0"):
        engine.search_batch(["dog"], 1, threads=0)
    with pytest.raises(IndexFolderError, match="no Lucene index"):
        Bm25Engine(tmp_path / "none")
    with pytest.raises(DataError, match="'a' occurs twice"):
        Bm25Index.build(tmp_path / "twice", [("a", "x"), ("a", "y")])
