"""Feedback's neighbours: by numpy and by the kernel, against plain loops, and bit for bit against each other."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparseembed.retrieval import feedback
from sparseembed.retrieval.feedback import compiled_neighbours, inner_products, neighbour_weights, neighbours


@pytest.fixture(params=["numpy", "kernel"])
def way(request, monkeypatch):
    """Find neighbours with numpy, as before the kernel is loaded, and with it."""
    if request.param == "kernel" and not feedback.load():
        pytest.skip("needs numba")
    monkeypatch.setattr(feedback, "has", lambda _: request.param == "kernel")
    return request.param


def some_rows(count, dimension, seed):
    """Make rows among which some are blank and some are the same."""
    chance = np.random.default_rng(seed)
    rows = chance.integers(-127, 128, (count, dimension)).astype(np.int8)
    rows[chance.random(count) < 0.1] = 0  # blank texts
    rows[chance.random(count) < 0.2] = rows[:1]  # duplicates
    return rows


def plain_means(rows, scores, among):
    """Return the mean score of each row's five nearest others of the first ones, by a softmax of their cosines."""
    means = []
    for place, row in enumerate(rows):
        near = {
            other: row @ rows[other] / max(np.linalg.norm(row) * np.linalg.norm(rows[other]), 1e-30)
            for other in range(among)
            if other != place
        }
        least = sorted(near.values(), reverse=True)[: min(5, among - 1)][-1]
        weights = {other: np.exp(10 * value) for other, value in near.items() if value >= least - 1e-12}
        means.append(sum(weight * scores[other] for other, weight in weights.items()) / sum(weights.values()))
    return np.array(means)


@pytest.mark.usefixtures("way")
@given(st.integers(0, 12), st.integers(0, 12), st.integers(2, 40), st.integers(0, 10**6))
@example(7, 2, 3, 0)  # one neighbour for each hit, two for the others
def test_neighbour_weights_are_those_of_plain_loops_in_any_order(count, hits, dimension, seed):
    rows, hits = some_rows(count, dimension, seed), min(hits, count)
    among = hits if hits > 1 else count  # one hit has no neighbour: then all may be
    chance = np.random.default_rng(seed + 1)
    weights = neighbour_weights(rows, hits)
    scores = chance.random(count)
    if count > 1:
        assert not np.diagonal(weights).any()
        assert not weights[:, among:].any()
        np.testing.assert_allclose(weights.sum(axis=1), 1)
        means = plain_means(rows.astype(np.float64), scores, among)
        np.testing.assert_allclose(weights @ scores, means, atol=1e-6)
    order = np.concatenate([chance.permutation(among), among + chance.permutation(count - among)]).astype(int)
    np.testing.assert_allclose(neighbour_weights(rows[order], hits), weights[np.ix_(order, order)], rtol=1e-12)
    np.testing.assert_array_equal(neighbour_weights(rows), neighbour_weights(rows, count))
    assert neighbour_weights(rows[:1]).tolist() == [[1.0]] * min(count, 1)


@given(st.integers(2, 130), st.integers(0, 130), st.integers(1, 700), st.integers(1, 127), st.integers(0, 10**6))
@example(2, 0, 1, 1, 0)
@example(200, 100, 576, 127, 0)
@example(12, 0, 2, 1, 3)  # few directions: ties everywhere
@example(12, 9, 2, 1, 3)
def test_the_kernel_finds_what_numpy_finds_to_the_last_bit(count, others, dimension, largest, seed):
    among = max(2, count - others)
    rows = np.clip(some_rows(count, dimension, seed), -largest, largest)
    for given_rows in (rows, rows[::-1], np.asfortranarray(rows), rows[:, ::2]):
        for wanted, found in zip(neighbours(given_rows, among), compiled_neighbours(given_rows, among), strict=True):
            assert wanted.dtype == found.dtype
            np.testing.assert_array_equal(found, wanted)


def test_all_that_are_just_as_near_count():
    for rows in (np.zeros((9, 4), np.int8), np.full((9, 4), -127, np.int8)):
        for find in (neighbours, compiled_neighbours):
            places, gaps = find(rows, 9)
            assert places.tolist() == [place for place in range(81) if place % 10]
            assert not gaps.any()
            assert find(rows, 2)[0].tolist() == [1, 9] + [place for row in range(18, 81, 9) for place in (row, row + 1)]


@pytest.mark.parametrize(("count", "length"), [(0, 8), (1, 576), (100, 576), (181, 100), (400, 64), (7, 5000)])
def test_inner_products_are_exact(count, length):
    rows = np.random.default_rng(1).integers(-127, 128, (count, length)).astype(np.int8)
    rows[:2] = 127
    np.testing.assert_array_equal(inner_products(rows), rows.astype(np.int64) @ rows.astype(np.int64).T)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("length", [4096, 2**17 - 2, 2**18])  # beyond 2^17 numpy alone
def test_weights_of_long_rows_do_not_overflow(length):
    rows = np.full((3, length), 127, dtype=np.int8)
    rows[2, ::2] = -127
    weights = neighbour_weights(rows)
    np.testing.assert_allclose(weights[0], [0, 1 / (1 + np.exp(-10)), 1 / (1 + np.exp(10))])


def test_the_kernel_is_loaded_in_the_background_and_only_where_it_may():
    script = """
import sys, time
import numpy as np
from sparseembed.engines.native_loading import has
from sparseembed.retrieval.feedback import KERNEL, neighbour_weights

rows = np.random.default_rng(1).integers(-127, 128, (40, 64)).astype(np.int8)
first = neighbour_weights(rows)
time.sleep(0.3)
assert "numba" not in sys.modules
while not has(KERNEL):
    assert (neighbour_weights(rows, warm=True) == first).all()
    time.sleep(0.01)
assert "numba" in sys.modules
assert (neighbour_weights(rows) == first).all()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_without_numba_numpy_goes_on():
    script = """
import sys
sys.modules["numba"] = None
import numpy as np
from sparseembed.retrieval.feedback import load, neighbour_weights

assert not load()
assert neighbour_weights(np.eye(2, dtype=np.int8), warm=True).tolist() == [[0, 1], [1, 0]]
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
