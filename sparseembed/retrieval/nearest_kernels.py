"""Kernels that go through all embeddings of a segment, in 8 bits."""

import numpy as np

from sparseembed.jit import Array, kernel


def _lengths(rows: Array, out: Array) -> None:
    """Write the Euclidean length of each row (n, d), int8, to `out` (n,), float32."""
    for row in range(len(rows)):
        total = np.int32(0)
        for at in range(rows.shape[1]):
            value = np.int32(rows[row, at])
            total = np.int32(total + value * value)
        out[row] = np.sqrt(np.float64(total))


def _closeness(rows: Array, lengths: Array, query: Array, out: Array) -> None:
    """Write each row's inner product with `query` (d,), int16, by the row's length, to `out` (n,); -inf for zeros.

    The products of a row must sum to less than 2^31. Sums of whole numbers are exact, in whatever order.
    """
    for row in range(len(rows)):
        one = rows[row]
        total = np.int32(0)
        for at in range(len(query)):
            total = np.int32(total + np.int32(np.int32(np.int16(one[at])) * np.int32(query[at])))
        out[row] = np.float32(total) / lengths[row] if lengths[row] > 0 else -np.inf


lengths_of = kernel(_lengths)
closeness = kernel(_closeness, error_model="numpy")
