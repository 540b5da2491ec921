"""Measures against figures worked by hand and against a naive reference."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError, DataError, SparseEmbedError
from sparseembed.evaluation.measures import MEASURES, cutoff_of, evaluate


def hits(*ids, scores=None):
    scores = scores or [float(len(ids) - i) for i in range(len(ids))]
    return [Hit(doc, score, rank) for rank, (doc, score) in enumerate(zip(ids, scores, strict=True), 1)]


def test_graded_ndcg_has_the_linear_gain():
    # DCG: grades 0, 1, 2 at ranks 1, 2, 3; ideal: 2, 1.
    found = evaluate({"q": hits("c", "b", "a")}, {"q": {"a": 2, "b": 1, "c": 0}})
    expected = (1 / math.log2(3) + 2 / math.log2(4)) / (2 + 1 / math.log2(3))
    exponential = (1 / math.log2(3) + 3 / math.log2(4)) / (3 + 1 / math.log2(3))
    assert found.means["nDCG@10"] == pytest.approx(expected, abs=1e-9)
    assert found.means["nDCG@10"] != pytest.approx(exponential, abs=1e-3)
    assert found.per_query["nDCG@10"] == {"q": found.means["nDCG@10"]}


def test_reciprocal_rank_and_recall():
    qrels = {"q": {"a": 1, "b": 1, "z": 1, "c": 0}}
    found = evaluate({"q": hits("c", "x", "a", "b")}, qrels)
    assert found.means["RR@10"] == pytest.approx(1 / 3)
    assert found.means["R@100"] == pytest.approx(2 / 3)


def test_cutoffs():
    many = [f"n{i}" for i in range(100)]
    found = evaluate({"q": hits(*many[:10], "a", *many[10:99], "b")}, {"q": {"a": 1, "b": 1}})
    assert found.means == {"nDCG@10": 0.0, "RR@10": 0.0, "R@100": 0.5}


def test_every_judged_query_counts_and_no_other():
    qrels = {"found": {"a": 1}, "missing": {"a": 1}, "none": {"a": 1}, "zero": {"a": 0, "b": 0}, "unjudged": {}}
    run = {"found": hits("a"), "none": [], "zero": hits("a", "b"), "unjudged": hits("a"), "extra": hits("a")}
    found = evaluate(run, qrels)
    for measure in MEASURES:
        # All-zero judgements count 0, as trec_eval has it; a query with no judgement at all is not there.
        assert found.per_query[measure] == {"found": 1.0, "missing": 0.0, "none": 0.0, "zero": 0.0}
        assert list(found.per_query[measure]) == ["found", "missing", "none", "zero"]
        assert found.means[measure] == pytest.approx(0.25)


@pytest.mark.parametrize("run", [{}, {"q": []}, {"other": hits("a")}])
def test_a_run_without_hits_counts_nothing(run):
    assert evaluate(run, {"q": {"a": 1}}).means == dict.fromkeys(MEASURES, 0.0)


def test_only_zero_judgements():
    assert evaluate({"q": hits("a")}, {"q": {"a": 0}}).means == dict.fromkeys(MEASURES, 0.0)


def test_negative_grades_gain_nothing():
    found = evaluate({"q": hits("spam", "a")}, {"q": {"spam": -2, "a": 1}})
    assert found.means["nDCG@10"] == pytest.approx(1 / math.log2(3))
    assert found.means["RR@10"] == 0.5


@pytest.mark.parametrize("scores", [[1.0, 1.0], [1e8 + 1, 1e8], [0.0, 5.0], [math.inf, math.inf], [math.nan, 1.0]])
@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_the_ranking_is_the_list_whatever_the_scores(ids, scores):
    # trec_eval itself sorts by float32 score, then by descending id.
    run = {"q": hits(*ids, scores=scores)}
    assert evaluate(run, {"q": {ids[0]: 1}}).means["RR@10"] == 1.0
    assert evaluate(run, {"q": {ids[1]: 1}}).means["nDCG@10"] == pytest.approx(1 / math.log2(3))


@pytest.mark.parametrize("doc", ["a\0b", "lone \ud800 surrogate", "", "white space", "日本語", "😀", "d0"])
def test_any_string_is_an_id(doc):
    # A NUL cuts an id short in trec_eval, and a lone surrogate crashes the process.
    run = {doc: hits("a\0c", doc)}
    assert evaluate(run, {doc: {doc: 1}}).means["RR@10"] == 0.5
    assert evaluate(run, {doc: {doc: 1}}).means["nDCG@10"] == pytest.approx(1 / math.log2(3))


def test_a_document_given_twice_is_an_error():
    with pytest.raises(DataError, match=r"'a' twice for query 'q1'"):
        evaluate({"q1": hits("a", "b", "a")}, {"q1": {"a": 1}})


@pytest.mark.parametrize("qrels", [{}, {"q": {}}])
def test_no_judgements_is_an_error(qrels):
    with pytest.raises(DataError, match="no query has a judgement"):
        evaluate({"q": hits("a")}, qrels)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndcg@10", "did you mean 'nDCG@10'?"),
        ("nDGC@20", "did you mean 'nDCG@20'?"),
        ("Recal@5", "did you mean 'Recall@5'?"),
        ("qqqq@10", "use one like nDCG@10, R@100, RR@10"),
        ("", "ill-formed"),
        ("nDCG@", "ill-formed"),
        ("nDCG@-1", "ill-formed"),
        ("nDCG@ten", "ill-formed"),
        ("nDCG@2.5", "ill-formed"),
        ("nDCG(foo=1)@10", "ill-formed"),
        ("R", "ill-formed"),
        ("nDCG@0", "must be 1 or more"),
    ],
)
def test_bad_measures(name, message):
    with pytest.raises(ConfigError) as error:
        evaluate({"q": hits("a")}, {"q": {"a": 1}}, [name])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_other_measures_under_the_names_given():
    found = evaluate({"q": hits("a", "b")}, {"q": {"a": 1, "b": 2}}, ["MAP", "AP", "R(rel=2)@1", "P@2"])
    assert found.means == {"MAP": 1.0, "AP": 1.0, "R(rel=2)@1": 0.0, "P@2": 1.0}


def test_cutoff_of():
    assert cutoff_of("nDCG@10") == 10
    assert cutoff_of("R(rel=2)@100") == 100
    assert cutoff_of("AP") is None
    # Unjudged documents are skipped before the cut, so more than 10 hits may be needed.
    assert cutoff_of("nDCG(judged_only=True)@10") is None
    with pytest.raises(SparseEmbedError):
        cutoff_of("nope@10")


DOCS = st.sampled_from([f"doc{i}" for i in range(15)] + ["é", "Z", "a b"])
RUNS = st.dictionaries(st.sampled_from("pqrs"), st.lists(DOCS, unique=True, max_size=16), max_size=4)
QRELS = st.dictionaries(
    st.sampled_from("pqrst"), st.dictionaries(DOCS, st.integers(-1, 3), min_size=1, max_size=8), min_size=1
)


@settings(deadline=None)
@given(RUNS, QRELS)
def test_against_a_naive_reference(ranked, qrels):
    found = evaluate({query: hits(*docs) for query, docs in ranked.items()}, qrels, ["nDCG@10", "R@5", "RR@10"])
    for query, grades in qrels.items():
        docs = ranked.get(query, [])
        relevant = {doc for doc, grade in grades.items() if grade > 0}
        gains = [max(grades.get(doc, 0), 0) for doc in docs]
        ideal = sorted((max(grade, 0) for grade in grades.values()), reverse=True)
        dcg, best = (sum(g / math.log2(i + 2) for i, g in enumerate(gain[:10])) for gain in (gains, ideal))
        first = next((i for i, doc in enumerate(docs[:10], 1) if doc in relevant), None)
        assert found.per_query["nDCG@10"][query] == pytest.approx(dcg / best if best else 0.0)
        assert found.per_query["RR@10"][query] == (1 / first if first else 0.0)
        recall = len(relevant & set(docs[:5])) / len(relevant) if relevant else 0.0
        assert found.per_query["R@5"][query] == pytest.approx(recall)
    for measure, values in found.per_query.items():
        assert found.means[measure] == pytest.approx(sum(values.values()) / len(qrels))
