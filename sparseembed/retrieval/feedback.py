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

NEIGHBOURS = 5
"""Nearest hits whose scores count; as many more as are just as near."""

TEMPERATURE = 0.1
"""Of the softmax of their cosines, which weighs them."""

_EXACT = 2**24  # whole numbers below it are exact in float32
_ALONE = 2**18  # multiplications that OpenBLAS does in one thread: others would go on spinning after it
_LEAST_STEP = 8  # columns at once, which are worth that


def neighbour_weights(rows: npt.NDArray[np.int8]) -> Floats:
    """Return how much each hit's score counts for each hit.

    :param rows: The hits' embeddings, as `eight_bits` made them, shape (n, d).
    :return: Shape (n, n): the rows sum to 1, and the diagonal is 0; of a single hit, which has no neighbour, [[1]].
    """
    count = len(rows)
    if count < 2:
        return np.ones((count, count))
    dots = inner_products(rows)
    norms = np.sqrt(np.diagonal(dots))
    norms = np.where(norms > 0, norms, 1.0)
    cosines = dots / (norms[:, None] * norms)
    np.fill_diagonal(cosines, -np.inf)
    nearest = min(NEIGHBOURS, count - 1)
    least = np.partition(cosines, count - nearest, axis=1)[:, count - nearest, None]
    weights: Floats = np.where(
        cosines >= least, np.exp((cosines - cosines.max(axis=1, keepdims=True)) / TEMPERATURE), 0
    )
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


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
        return (wide @ wide.T).astype(np.float64)
    dots = np.zeros((count, count), dtype=kind)
    for start in range(0, length, step):
        part = wide[:, start : start + step]
        dots += part @ np.ascontiguousarray(part).T
    return dots.astype(np.float64)
