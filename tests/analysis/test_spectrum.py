"""The spectral analysis against numpy's SVD and against sums written out."""

import numpy as np
import pytest

from sparseembed.analysis.spectrum import components, contribution, fed_terms, frequent_terms, variation
from sparseembed.analysis.tokens import make_sets


@pytest.fixture
def vectors():
    rng = np.random.default_rng(11)
    return (rng.normal(size=(50, 6)) * [5, 4, 3, 2, 1, 0.5] + [-8, 0, 0, 3, 0, 0]).astype(np.float32)


def test_components_are_those_of_the_uncentred_svd(vectors):
    found = components(vectors)
    _, values, right = np.linalg.svd(vectors.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(found.values, values, rtol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(found.directions * right, axis=1)), np.ones(6), atol=1e-6)
    np.testing.assert_allclose(found.means, vectors.mean(axis=0) @ found.directions.T, atol=1e-5)
    assert (found.means >= 0).all()


def test_components_of_fewer_vectors_than_dimensions(vectors):
    found = components(vectors[:3])
    assert found.directions.shape == (6, 6)
    np.testing.assert_allclose(found.values[3:], 0, atol=1e-3)


def test_variation_is_the_mean_change_along_each_component(vectors):
    of = components(vectors)
    moved = vectors + (2.5 * of.directions[0] - 0.5 * of.directions[3]).astype(np.float32)
    np.testing.assert_allclose(variation(moved, vectors, of.directions), [2.5, 0, 0, -0.5, 0, 0], atol=1e-4)


def test_frequent_terms_are_ordered_and_present():
    assert frequent_terms(make_sets([[1, 2], [2], [2, 1], [4]], 9)).tolist() == [2, 1, 4]


def test_contributions_equal_loops_and_add_up_to_the_lift_of_the_scores(vectors):
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(40, 6)).astype(np.float32)
    lists = [[0, 1, *rng.choice(np.arange(2, 40), 3, replace=False).tolist()] for _ in range(50)]
    lists[7] = [0, 1]  # a text of frequent tokens alone has no key token
    sets = make_sets(lists, 40)
    counts = [sum(term in each for each in lists) for term in range(40)]
    found = contribution(vectors, components(vectors).directions, matrix, sets)
    scores = vectors @ matrix.T
    lifted = scores - scores.mean(axis=1, keepdims=True)
    key = [[term for term in each if counts[term] <= 5] for each in lists]
    expected = np.mean([lifted[row, terms].mean() for row, terms in enumerate(key) if terms])
    assert key[7] == []
    assert any(key)
    assert found.key.sum() == pytest.approx(expected, abs=1e-4)
    frequent = sorted(range(40), key=lambda term: (-counts[term], term))[:20]
    assert found.frequent.sum() == pytest.approx(lifted[:, frequent].mean(), abs=1e-4)


def test_fed_terms_are_those_that_the_direction_scores_highest():
    matrix = np.array([[1, 0], [3, 9], [2, -1]], dtype=np.float32)
    assert fed_terms(np.array([1.0, 0.0]), matrix, 2) == [(1, 3.0), (2, 2.0)]
