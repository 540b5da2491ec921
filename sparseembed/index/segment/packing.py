"""Packed postings: how the documents and impacts of a slice lie in bits, and how numpy reads them.

A slice holds the postings of one term in one chunk of documents. A posting is one field of `width + bits` bits, the
lower `width` of which are the distance to the document before (to -1 for the first), and the upper ones the impact. A
distance that does not fit goes ahead in a field whose lower part is 0: its upper part v moves on by
(v + 1) x (2^width - 1) documents. `bits` is what the slice's largest impact takes; `width` is chosen slice by slice so
that the slice is shortest. Fields follow each other from the lowest bit of a slice's first byte; what is left of its
last byte is 0. This is a patched frame of reference (Zukowski et al., 2006) of one frame a slice, its exceptions
in line.
"""

from typing import NamedTuple

import numpy as np

MOST_WIDTH = 16
"""Bits of a distance: any within a chunk."""

PADDING = 8
"""Bytes of 0 behind the last slice: fields are read eight bytes at a time."""


class Unpacked(NamedTuple):
    """Postings of slices, one after the other.

    :param rows: int64 (n,), which of the asked slices each is of.
    :param docs: int64 (n,), numbers within the chunk.
    :param impacts: int64 (n,).
    """

    rows: np.ndarray
    docs: np.ndarray
    impacts: np.ndarray


def impact_bits(maxima: np.ndarray) -> np.ndarray:
    """Return the bits that the largest impacts of slices take.

    :param maxima: uint16 (slices,), 1 or more.
    :return: int64 (slices,).
    """
    return np.frexp(maxima.astype(np.float64))[1].astype(np.int64)


def count_fields(sizes: np.ndarray, widths: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    """Return how many fields slices have, an empty one in the last byte possibly included.

    :param sizes: int64 (slices,), bytes.
    :param widths: uint8 (slices,).
    :param maxima: uint16 (slices,).
    :return: int64 (slices,).
    """
    fields: np.ndarray = (sizes << 3) // (widths.astype(np.int64) + impact_bits(maxima))
    return fields


def unpack(
    words: np.ndarray, begins: np.ndarray, sizes: np.ndarray, widths: np.ndarray, maxima: np.ndarray
) -> Unpacked:
    """Read slices.

    :param words: uint32, the file.
    :param begins: int64 (s,), first bytes of the slices.
    :param sizes: int64 (s,), their bytes.
    :param widths: uint8 (s,).
    :param maxima: uint16 (s,).
    :return: their postings.
    """
    widths, bits = widths.astype(np.uint64), impact_bits(maxima).astype(np.uint64)
    fields = count_fields(sizes, widths, maxima)
    rows = np.repeat(np.arange(len(begins), dtype=np.int64), fields)
    firsts = np.cumsum(fields) - fields
    place = np.arange(len(rows), dtype=np.int64) - np.repeat(firsts, fields)
    at = (begins[rows] << 3) + place * (widths + bits).astype(np.int64)[rows]
    word = at >> 5
    values = words[word].astype(np.uint64) | words[word + 1].astype(np.uint64) << np.uint64(32)
    values >>= (at & 31).astype(np.uint64)
    one = np.uint64(1)
    low = values & ((one << widths) - one)[rows]
    high = values >> widths[rows] & ((one << bits) - one)[rows]
    far = (high + one) * ((one << widths) - one)[rows]
    moves = np.where(low > 0, low, far).astype(np.int64)
    docs = np.cumsum(moves)
    before = np.concatenate([[0], docs])[firsts]
    docs -= before[rows] + 1
    found = low > 0
    return Unpacked(rows[found], docs[found], high[found].astype(np.int64))
