"""Feedback from the first hits, without a model: a hit gains where the hits most like it have high scores.

A document's own score says how well its words fit the query; the scores of its nearest neighbours among the hits say
how well its subject does. This is score regularisation (F. Diaz, "Regularizing query-based retrieval scores",
Information Retrieval 10, 2007), on the embeddings that the index carries. Against the older kind of pseudo-relevance
feedback, whose query grows by terms of the first hits, it cannot drift: a hit without neighbours of high scores loses
to them at most the share that was chosen for the collection, and no document is found that the query's own words miss.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Floats
from sparseembed.engines import native_loading
from sparseembed.engines.native_loading import has, load_soon

NEIGHBOURS = 5
"""Nearest hits whose scores count, all but one of fewer; and as many more as are just as near."""

TEMPERATURE = 0.1
"""Of the softmax of their cosines, which weighs them."""

KERNEL = "feedback"
"""What is loaded by `engines.native_loading`."""

_LONGEST = 2**17 - 1  # numbers of a row whose inner products fit int32 for sure
_EXACT = 2**24  # whole numbers below it are exact in float32
_LEAST_HITS = 2  # one has no neighbour
_ALONE = 2**18  # multiplications that OpenBLAS does in one thread: others would go on spinning after it
_LEAST_STEP = 8  # columns at once, which are worth that


def neighbour_weights(rows: npt.NDArray[np.int8], among: int | None = None, warm: bool = False) -> Floats:
    """Return how much each hit's score counts for each candidate.

    A kernel finds the neighbours where `load` has loaded it, else numpy does: the same to the last bit.

    :param rows: The candidates' embeddings, as `eight_bits` made them, shape (n, d).
    :param among: How many of them, the first ones, were found by terms: they alone are neighbours. Documents that an
        embedding has found are alike for that, and say nothing of each other. All are where these are fewer than two,
        or None.
    :param warm: Whether to begin to load the kernel in the background, for later calls.
    :return: Shape (n, n): the rows sum to 1, and the diagonal is 0; of a single hit, which has no neighbour, [[1]].
    """
    count = len(rows)
    among = count if among is None or among < _LEAST_HITS else among
    if count < 2:
        return np.ones((count, count))
    compiled = has(KERNEL) and rows.shape[1] <= _LONGEST
    if warm and not compiled:
        load_soon(KERNEL, _call)
    places, gaps = (compiled_neighbours if compiled else neighbours)(rows, among)
    weights: Floats = np.zeros(count * count)
    weights[places] = np.exp(gaps / TEMPERATURE)
    weights = weights.reshape(count, count)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def neighbours(rows: npt.NDArray[np.int8], among: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Find the hits nearest to each candidate, with numpy.

    :param rows: Shape (n, d).
    :param among: The first so many are the hits, two or more.
    :return: Both of shape (m,): places in a flat (n, n) table, ascending; and each one's cosine less the nearest's.
    """
    count = len(rows)
    dots = inner_products(rows)
    norms = np.sqrt(np.diagonal(dots))
    norms = np.where(norms > 0, norms, 1.0)
    cosines = dots / (norms[:, None] * norms)
    np.fill_diagonal(cosines, -np.inf)
    cosines[:, among:] = -np.inf
    nearest = min(NEIGHBOURS, among - 1)
    least = np.partition(cosines, count - nearest, axis=1)[:, count - nearest, None]
    places = np.flatnonzero(cosines >= least)
    return places, (cosines - cosines.max(axis=1, keepdims=True)).ravel()[places]


def compiled_neighbours(rows: npt.NDArray[np.int8], among: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Find what `neighbours` finds, with the kernel; d must be at most 2^17 - 1."""
    from sparseembed.retrieval.feedback_kernels import nearest_others

    count = len(rows)
    places, gaps = np.empty(count * count, dtype=np.int64), np.empty(count * count)
    # A copy is of one type however the rows came, so that nothing is compiled anew.
    found = nearest_others(rows.astype(np.int16, order="C"), among, min(NEIGHBOURS, among - 1), places, gaps)
    return places[:found], gaps[:found]


def load() -> bool:
    """Load the kernel now, unless it is: importing numba takes most of a second.

    :return: Whether it is loaded; False without numba, where numpy goes on to find the neighbours.
    """
    return native_loading.load(KERNEL, _call)


def _call() -> None:
    compiled_neighbours(np.zeros((2, 1), dtype=np.int8), 2)


def inner_products(rows: npt.NDArray[np.int8]) -> Floats:
    """Return the inner products of rows with each other: exact, so that no order of the rows changes a bit.

    :param rows: Shape (n, d).
    :return: Shape (n, n).
    """
    count, length = rows.shape
    kind: type[Any] = np.float32 if length * 127 * 127 < _EXACT else np.float64
    wide: npt.NDArray[Any] = rows.astype(kind)
    step = _ALONE // max(count * count, 1)
    if step < _LEAST_STEP:
        whole: Floats = (wide @ wide.T).astype(np.float64)
        return whole
    dots = np.zeros((count, count), dtype=kind)
    for start in range(0, length, step):
        part = wide[:, start : start + step]
        dots += part @ np.ascontiguousarray(part).T
    return dots.astype(np.float64)
