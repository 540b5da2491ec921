"""Fusions against naive references."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError, DataError
from sparseembed.evaluation.fusion import WEIGHTS, choose_weight, rrf, weighted
from sparseembed.evaluation.measures import evaluate


def ranked(pairs):
    best = sorted(pairs, key=lambda pair: (-pair[1], pair[0].encode()))
    return [Hit(doc, score, rank) for rank, (doc, score) in enumerate(best, 1)]


def as_run(scores):
    return {query: ranked(docs.items()) for query, docs in scores.items()}


DOCS = st.sampled_from(["a", "B", "é", "é2", "zz", "😀", "\uffee", "d10", "d9"])
SCORES = st.dictionaries(
    DOCS, st.integers(-20, 20).map(float) | st.floats(-5, 5).map(lambda x: round(x, 3)), max_size=9
)
RUNS = st.dictionaries(st.sampled_from("pqr"), SCORES, max_size=3).map(as_run)
DEPTHS = st.integers(1, 10)


@settings(deadline=None)
@given(st.lists(RUNS, max_size=4), DEPTHS, st.sampled_from([0, 1, 60]))
def test_rrf_against_a_naive_reference(runs, depth, k):
    fused = rrf(runs, k=k, depth=depth)
    assert set(fused) == {query for run in runs for query in run}
    for query, hits in fused.items():
        scores = defaultdict(float)
        for run in runs:
            for hit in run.get(query, [])[:depth]:
                scores[hit.id] += 1 / (k + hit.rank)
        assert [hit.score for hit in hits] == pytest.approx(sorted(scores.values(), reverse=True)[:depth])
        assert all(hit.score == pytest.approx(scores[hit.id]) for hit in hits)
        assert hits == ranked([(hit.id, hit.score) for hit in hits])


def test_rrf_by_hand():
    one = {"q": ranked([("a", 9.0), ("b", 8.0)])}
    two = {"q": ranked([("b", 0.9), ("c", 0.1)]), "only": ranked([("x", 1.0)])}
    assert rrf([one, two]) == {
        "q": [Hit("b", 1 / 61 + 1 / 62, 1), Hit("a", 1 / 61, 2), Hit("c", 1 / 62, 3)],
        "only": [Hit("x", 1 / 61, 1)],
    }


def test_rrf_ties_whatever_the_order_of_the_runs():
    # a, b and c have the ranks 1, 2 and 7, each in another order: 1/61 + 1/62 + 1/67 depends on the order in floats.
    orders = [["a", "b", *"uvwx", "c"], ["b", "c", *"uvwx", "a"], ["c", "a", *"uvwx", "b"]]
    runs = [{"q": [Hit(doc, 9.0 - rank, rank) for rank, doc in enumerate(order, 1)]} for order in orders]
    hits = [hit for hit in rrf(runs)["q"] if hit.id in "abc"]
    assert [hit.id for hit in hits] == ["a", "b", "c"]
    assert len({hit.score for hit in hits}) == 1
    assert rrf(runs[::-1]) == rrf(runs)


def naive_weighted(first, second, weight, depth):
    fused = {}
    for query in {**first, **second}:
        total = defaultdict(float)
        for run, share in ((first, 1 - weight), (second, weight)):
            if share == 0:
                continue
            hits = run.get(query, [])[:depth]
            scores = [hit.score for hit in hits]
            for hit in hits:
                spread = max(scores) - min(scores)
                total[hit.id] += share * ((hit.score - min(scores)) / spread if spread else 1.0)
        fused[query] = ranked(total.items())[:depth]
    return fused


@settings(deadline=None)
@given(RUNS, RUNS, st.sampled_from(WEIGHTS), DEPTHS)
def test_weighted_against_a_naive_reference(first, second, weight, depth):
    assert weighted(first, second, weight, depth) == naive_weighted(first, second, weight, depth)


@settings(deadline=None)
@given(RUNS, RUNS)
def test_the_ends_of_the_grid_are_the_runs_themselves(first, second):
    for weight, alone in ((0, first), (1, second)):
        fused = weighted(first, second, weight)
        for query, hits in fused.items():
            assert [hit.id for hit in hits] == [hit.id for hit in alone.get(query, [])]


def test_weighted_by_hand():
    first = {"q": ranked([("a", 10.0), ("b", 6.0), ("c", 2.0)])}
    second = {"q": ranked([("d", 0.5), ("b", 0.25), ("e", 0.0)])}
    assert weighted(first, second, 0.5)["q"] == ranked([("a", 0.5), ("b", 0.5), ("d", 0.5), ("c", 0.0), ("e", 0.0)])
    assert weighted(first, second, 0.25)["q"][0] == Hit("a", 0.75, 1)
    assert [hit.id for hit in weighted(first, second, 0.5, depth=2)["q"]] == ["a", "d"]


def test_a_single_hit_counts_in_full():
    first = {"q": ranked([("only", 0.001)])}
    second = {"q": ranked([("x", 5.0), ("y", 5.0)])}
    assert weighted(first, second, 0.25)["q"] == ranked([("only", 0.75), ("x", 0.25), ("y", 0.25)])


def test_mistakes():
    run = {"q": ranked([("a", 1.0)])}
    twice = {"q": [Hit("a", 2.0, 1), Hit("a", 1.0, 2)]}
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            weighted(run, run, bad)
        with pytest.raises(ConfigError, match="between 0 and 1"):
            choose_weight(run, run, {"q": {"a": 1}}, grid=[0.5, bad])
    with pytest.raises(ConfigError, match="depth is 0"):
        weighted(run, run, 0.5, depth=0)
    with pytest.raises(ConfigError, match="depth is 0"):
        rrf([run], depth=0)
    with pytest.raises(ConfigError, match="k is -1"):
        rrf([run], k=-1)
    with pytest.raises(ConfigError, match="grid"):
        choose_weight(run, run, {"q": {"a": 1}}, grid=[])
    for fuse in (lambda: rrf([run, twice]), lambda: weighted(run, twice, 0.5)):
        with pytest.raises(DataError, match="'a' twice"):
            fuse()
    with pytest.raises(DataError, match="'a' has the score nan for query 'q'"):
        weighted(run, {"q": [Hit("a", float("nan"), 1)]}, 0.5)


@settings(deadline=None)
@given(RUNS, RUNS, st.sampled_from(["nDCG@3", "RR@2", "AP"]))
def test_choose_weight_measures_what_weighted_gives(first, second, measure):
    qrels = {"p": {"a": 2, "é": 1}, "q": {"B": 1, "a": 0}, "s": {"a": 1}}
    grid = (0.0, 0.5, 0.7, 1.0)
    best, means = choose_weight(first, second, qrels, grid, measure)
    expected = {w: evaluate(weighted(first, second, w), qrels, [measure]).means[measure] for w in grid}
    assert means == expected
    assert best == min(w for w in grid if means[w] == max(means.values()))


def test_choose_weight_finds_the_better_side():
    good, bad = {"q": ranked([("a", 2.0), ("b", 1.0)])}, {"q": ranked([("b", 2.0), ("a", 1.0)])}
    assert choose_weight(bad, good, {"q": {"a": 1}}, grid=(1.0, 0.6, 0.0))[0] == 0.6
    assert choose_weight(good, bad, {"q": {"a": 1}})[0] == 0.0
    assert list(choose_weight(good, bad, {"q": {"a": 1}})[1]) == list(WEIGHTS)
    assert WEIGHTS[:4] == (0.0, 0.05, 0.1, 0.15)
    assert (len(WEIGHTS), WEIGHTS[-1]) == (21, 1.0)
