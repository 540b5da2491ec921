"""Slices of a segment, unpacked by kernels."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparseembed.index.segment.packing import count_fields

if TYPE_CHECKING:
    from sparseembed.index.segment.reader import PostingArrays


class Slices(NamedTuple):
    """Postings of slices, one after the other.

    :param docs: uint16 (postings,), numbers within the chunks.
    :param impacts: uint16 (postings,).
    :param bounds: int64 (slices + 1,), where the postings of each begin.
    """

    docs: np.ndarray
    impacts: np.ndarray
    bounds: np.ndarray


def unpacked(arrays: "PostingArrays", rows: np.ndarray) -> Slices:
    """Unpack slices.

    :param arrays: the postings, checked.
    :param rows: int64 (n,), numbers of slices.
    :return: their postings.
    """
    from sparseembed.index.segment.packing_kernels import unpack_slices

    sizes = arrays.begins[rows + 1] - arrays.begins[rows]
    most = int(count_fields(sizes, arrays.widths[rows], arrays.maxima[rows]).sum())
    docs, impacts = np.empty(most, dtype=np.uint16), np.empty(most, dtype=np.uint16)
    bounds = np.empty(len(rows) + 1, dtype=np.int64)
    room = 1 << arrays.chunk_bits
    size = unpack_slices(arrays.words, arrays.begins, arrays.widths, arrays.maxima, rows, room, docs, impacts, bounds)
    return Slices(docs[:size], impacts[:size], bounds)
