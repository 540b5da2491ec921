"""Slices of a segment: which there are of a chunk, and what they hold."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparseembed.index.segment.packing import Unpacked, count_fields, unpack

if TYPE_CHECKING:
    from sparseembed.index.segment.posting_arrays import PostingArrays


class Slices(NamedTuple):
    """Postings of slices, one after the other.

    :param docs: uint16 (postings,), numbers within the chunks.
    :param impacts: uint16 (postings,).
    :param bounds: int64 (slices + 1,), where the postings of each begin.
    """

    docs: np.ndarray
    impacts: np.ndarray
    bounds: np.ndarray


def chunk_slices(arrays: "PostingArrays", terms: np.ndarray, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """Find terms' slices of a chunk by binary searches, side by side.

    :param arrays: the postings.
    :param terms: int64 (n,), term numbers.
    :param chunk: the chunk.
    :return: int64 (n,), numbers of slices, and bool (n,), whether there is one.
    """
    chunks, ends = arrays.chunks, arrays.starts[terms + 1]
    low, high = arrays.starts[terms], ends.copy()
    left = np.flatnonzero(low < high)
    while len(left):
        middle = (low[left] + high[left]) >> 1
        less = chunks[middle] < chunk
        low[left[less]] = middle[less] + 1
        high[left[~less]] = middle[~less]
        left = left[low[left] < high[left]]
    has = low < ends
    has[has] = chunks[low[has]] == chunk
    return low, has


def field_counts(arrays: "PostingArrays", rows: np.ndarray) -> np.ndarray:
    """Return how many fields slices have, which is no less than their postings.

    :param arrays: the postings.
    :param rows: int64 (n,), numbers of slices.
    :return: int64 (n,).
    """
    return count_fields(arrays.begins[rows + 1] - arrays.begins[rows], arrays.widths[rows], arrays.bits[rows])


def read(arrays: "PostingArrays", rows: np.ndarray) -> Unpacked:
    """Read slices without kernels, which take long to load.

    :param arrays: the postings, checked.
    :param rows: int64 (n,), numbers of slices.
    :return: their postings.
    """
    begins, sizes = arrays.begins[rows], arrays.begins[rows + 1] - arrays.begins[rows]
    return unpack(arrays.words, begins, sizes, arrays.widths[rows], arrays.bits[rows])


def unpacked(arrays: "PostingArrays", rows: np.ndarray) -> Slices:
    """Read slices by kernels.

    :param arrays: the postings, checked.
    :param rows: int64 (n,), numbers of slices.
    :return: their postings.
    """
    from sparseembed.index.segment.packing_kernels import unpack_slices

    most = int(field_counts(arrays, rows).sum())
    docs, impacts = np.empty(most, dtype=np.uint16), np.empty(most, dtype=np.uint16)
    bounds = np.empty(len(rows) + 1, dtype=np.int64)
    room = 1 << arrays.chunk_bits
    size = unpack_slices(arrays.words, arrays.begins, arrays.widths, arrays.bits, rows, room, docs, impacts, bounds)
    return Slices(docs[:size], impacts[:size], bounds)
