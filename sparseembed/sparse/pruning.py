"""Which terms of a document become postings: all of its own, and of those that are given to it the weightiest."""

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Ints, Vectors

Mask = npt.NDArray[np.bool_]


def worth_keeping(indptr: Ints, weights: Vectors, literal: Mask, given: Mask, most: Ints) -> Mask:
    """Say which of the weighted terms of n documents become postings.

    :param indptr: Where each document's terms begin, shape (n + 1,).
    :param weights: Their weights, shape (nnz,).
    :param literal: Which of them stand in the text itself, shape (nnz,): these are all kept.
    :param given: Which of the others may be kept, shape (nnz,).
    :param most: How many of the others are kept at most, shape (n,); of equal weights the earlier ones.
    :return: Shape (nnz,).
    """
    kept = literal.copy()
    others = np.flatnonzero(given & ~literal)
    documents = np.repeat(np.arange(len(most), dtype=np.int64), np.diff(indptr))[others]
    order = np.lexsort((-weights[others], documents))  # stable: equal weights stay in order
    counts = np.bincount(documents, minlength=len(most))
    rank = np.arange(len(others), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    kept[others[order][rank < np.repeat(most, counts)]] = True
    return kept
