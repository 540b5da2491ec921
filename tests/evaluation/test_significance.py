"""The randomisation test against enumeration and scipy's own; Holm's correction against figures worked by hand."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sparseembed.errors import ConfigError
from sparseembed.evaluation import significance
from sparseembed.evaluation.measures import Evaluation
from sparseembed.evaluation.significance import holm, sign_flip_test


def evaluation(values):
    per_query = {f"q{i}": float(value) for i, value in enumerate(values)}
    return Evaluation({"nDCG@10": float(np.mean(values))}, {"nDCG@10": per_query})


def by_scipy(differences, n_resamples):
    return stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", vectorized=True, n_resamples=n_resamples, rng=1
    ).pvalue


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.5], 1.0),  # +-.5: both are as extreme
        ([0.5, 0.25], 0.5),  # .75 and -.75 of four
        ([1, 1, 1], 0.25),
        ([0.1] * 12, 2 / 4096),
        ([1, 1, -1], 1.0),  # every sum of three is at least 1 away from 0
        ([0.0, 0.0], 1.0),
        ([], 1.0),
    ],
)
def test_exact_by_hand(differences, expected):
    assert sign_flip_test(np.array(differences)) == expected


@settings(deadline=None)
@given(st.lists(st.integers(-10, 10), max_size=9))
def test_exact_equals_enumeration_in_integers(units):
    # Tenths do not add up exactly in binary: sums that are equal on paper must count as equal.
    observed = abs(sum(units))
    sums = [
        sum(s * u for s, u in zip(signs, units, strict=True)) for signs in itertools.product((1, -1), repeat=len(units))
    ]
    assert sign_flip_test(np.array(units) / 10) == sum(abs(total) >= observed for total in sums) / len(sums)


def test_sums_that_cancel_on_paper_are_equal():
    differences = np.array([6, 8, -9, 3, -8]) / 10
    assert sign_flip_test(differences) == 1.0
    assert by_scipy(differences, np.inf) < 1.0  # why its own statistic of the mean is not taken


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.1, 0.15])
def test_sampled_agrees_with_scipy(shift):
    differences = np.random.default_rng(3).normal(shift, 0.3, 60)
    # Three standard errors of each side's own sampling: sqrt(p (1 - p) / m) is at most .0016 and .005 here.
    assert sign_flip_test(differences) == pytest.approx(by_scipy(differences, 9_999), abs=0.02)


def test_sampled_agrees_with_exact_enumeration():
    differences = np.random.default_rng(5).normal(0.12, 0.3, 16)
    signs = np.array(list(itertools.product((1, -1), repeat=16)))
    exact = float((np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12).mean())
    assert 0.01 < exact < 0.5
    assert sign_flip_test(differences) == pytest.approx(exact, abs=5 * np.sqrt(exact / 100_000))


def test_sampled_is_repeatable_two_sided_and_never_zero():
    differences = np.random.default_rng(8).normal(0.05, 0.3, 50)
    p = sign_flip_test(differences)
    assert p == sign_flip_test(differences) == sign_flip_test(-differences)
    assert p != sign_flip_test(differences, seed=1)
    assert sign_flip_test(np.full(50, 0.2)) == 1 / 100_001
    assert sign_flip_test(np.full(50, 0.2), permutations=99) == 1 / 100


def test_tied_queries_change_nothing():
    differences = np.random.default_rng(8).normal(0.05, 0.3, 30)
    assert sign_flip_test(np.concatenate([np.zeros(40), differences])) == sign_flip_test(differences)


def test_memory_is_bounded():
    tracemalloc.start()
    sign_flip_test(np.random.default_rng(0).normal(size=20_000), permutations=2_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20  # all signs at once would take 305 MiB


def test_holm_by_hand():
    # sorted .005 .01 .03 .04, times 4 3 2 1 -> .02 .03 .06 .04, made monotone
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_against_a_naive_reference(p_values):
    expected = []
    for p in p_values:
        below = sorted(p_values)[: sum(other <= p for other in p_values)]
        expected.append(max(min(1.0, (len(p_values) - j) * q) for j, q in enumerate(below)))
    assert holm(p_values) == expected


def test_compare():
    generator = np.random.default_rng(2)
    base = generator.uniform(0, 0.5, 80)
    table = {
        "bm25": evaluation(base),
        "dense": evaluation(base - 0.2),
        "same": evaluation(base),
        "better": evaluation(np.where(np.arange(80) < 20, base, base + 0.1)),
    }
    found = {(c.row, c.baseline): c for c in significance.against_baselines(table, ["bm25", "dense"])}
    assert list(found) == [
        ("bm25", "dense"),
        ("dense", "bm25"),
        ("same", "bm25"),
        ("same", "dense"),
        ("better", "bm25"),
        ("better", "dense"),
    ]
    better = found["better", "bm25"]
    assert (better.better, better.worse, better.tied) == (60, 0, 20)
    assert better.difference == pytest.approx(0.075)
    assert better.measure == "nDCG@10"
    assert better.significant
    # Five tests, not six: bm25 against dense and dense against bm25 are one.
    assert better.p_value == 1 / 100_001
    assert better.p_corrected == pytest.approx(5 / 100_001)
    one, other = found["bm25", "dense"], found["dense", "bm25"]
    assert (one.p_value, one.p_corrected) == (other.p_value, other.p_corrected)
    assert (one.better, one.worse) == (other.worse, other.better) == (80, 0)
    assert one.difference == -other.difference > 0
    assert (found["same", "bm25"].p_value, found["same", "bm25"].tied) == (1.0, 80)
    assert not found["same", "bm25"].significant


def test_correction_can_take_significance_away():
    values = np.array([0.3] * 6 + [0.0] * 4)
    base = evaluation(np.zeros(10))
    assert significance.against_baselines({"base": base, "a": evaluation(values)}, ["base"])[0].significant  # 2 / 2^6
    both = significance.against_baselines({"base": base, "a": evaluation(values), "b": evaluation(values)}, ["base"])
    assert [(c.p_value, c.p_corrected, c.significant) for c in both] == [(0.03125, 0.0625, False)] * 2


def test_queries_are_paired_by_id_not_by_place():
    forward = evaluation(np.linspace(0, 1, 9))
    backward = Evaluation(forward.means, {"nDCG@10": dict(reversed(forward.per_query["nDCG@10"].items()))})
    assert significance.against_baselines({"a": forward, "b": backward}, ["a"])[0].tied == 9


def test_bad_comparisons():
    one = evaluation([0.1, 0.2])
    with pytest.raises(ConfigError, match="baseline 'bm26' is no row of the table: choose from bm25"):
        significance.against_baselines({"bm25": one}, ["bm26"])
    with pytest.raises(ConfigError, match="row 'bm25' was not evaluated with R@100"):
        significance.against_baselines({"bm25": one}, ["bm25"], "R@100")
    with pytest.raises(ConfigError, match="row 'dense' was evaluated on other queries"):
        significance.against_baselines({"bm25": one, "dense": evaluation([0.1, 0.2, 0.3])}, ["bm25"])
    assert significance.against_baselines({"bm25": one}, ["bm25"]) == []
