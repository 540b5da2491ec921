"""Anserini's BM25 with feedback: without it, the hits are those of our own BM25; with it, other documents are found."""

import pytest

from sparseembed.engines.bm25 import Bm25Engine, Bm25Index
from sparseembed.evaluation.anserini import FEEDBACK, FeedbackSearcher, index_with_terms

pytestmark = pytest.mark.jvm
TEXTS = {
    "a": "Whales are mammals that breathe air and feed their young with milk.",
    "b": "Mammals feed their young with milk.",
    "c": "Rivers carry water from mountains to the sea.",
    "d": "The sea is salty water.",
    "e": "Milk and young mammals: a book.",
    "blank": " ",
    **{f"f{n}": f"stone{n} wall{n % 3} garden{n % 5}" for n in range(60)},  # RM3 leaves out what many documents hold
}


def test_without_feedback_the_hits_are_those_of_our_bm25(tmp_path):
    index_with_terms(tmp_path / "theirs", TEXTS.items())
    Bm25Index.build(tmp_path / "ours", TEXTS.items())
    queries = {"1": "whale", "2": "water of the sea", "3": "", "4": "zorblax", "5": "young mammals"}
    theirs = FeedbackSearcher(tmp_path / "theirs", None)
    with Bm25Engine(tmp_path / "ours") as ours:
        found = theirs.search_batch(queries, 10, threads=2)
        for text, hits in zip(queries.values(), found, strict=True):
            wanted = ours.search(text, 10)
            assert [hit.id for hit in hits] == [hit.id for hit in wanted]
            assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in wanted], abs=1e-4)
    theirs.close()


@pytest.mark.parametrize("kind", FEEDBACK)
def test_feedback_finds_what_the_query_does_not_name(tmp_path, kind):
    index_with_terms(tmp_path / "index", TEXTS.items())
    searcher = FeedbackSearcher(tmp_path / "index", kind)
    found = [hit.id for hit in searcher.search("whale", 10)]
    assert found[0] == "a"
    assert {"b", "e"} <= set(found)
    searcher.close()
