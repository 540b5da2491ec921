"""Packed postings: how the documents and impacts of a slice lie in bits, and how numpy reads them.

A slice holds the postings of one term in one chunk of documents. A posting is one field of `width + bits` bits, the
lower `width` of which are the distance to the document before (to -1 for the first), and the upper ones the impact.
What does not fit goes ahead in fields whose lower part is 0. If the upper part v of such a field is even, it moves on
by (v / 2 + 1) x (2^width - 1) documents; if odd, it adds ((v - 1) / 2 + 1) x 2^bits to the impact. `width` and `bits`
are chosen slice by slice so that the slice is shortest: most impacts are far below the largest one. Fields follow each
other from the lowest bit of a slice's first byte; what is left of its last byte is 0. This is a patched frame of
reference (Zukowski et al., 2006) of one frame a slice, its exceptions in line.
"""

from typing import NamedTuple

import numpy as np

MOST_WIDTH = 16
"""Bits of a distance: any within a chunk."""

MOST_BITS = 16
"""Bits of the impact in a field."""

LARGEST_IMPACT = 65_535
"""The largest impact; bytes that are none of ours may add up to more."""

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


def count_fields(sizes: np.ndarray, widths: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Return how many fields slices have, empty ones in the last byte possibly included.

    :param sizes: int64 (slices,), bytes.
    :param widths: uint8 (slices,).
    :param bits: uint8 (slices,).
    :return: int64 (slices,).
    """
    fields: np.ndarray = (sizes << 3) // (widths + bits)
    return fields


def unpack(words: np.ndarray, begins: np.ndarray, sizes: np.ndarray, widths: np.ndarray, bits: np.ndarray) -> Unpacked:
    """Read slices.

    :param words: uint32, the file.
    :param begins: int64 (s,), first bytes of the slices.
    :param sizes: int64 (s,), their bytes.
    :param widths: uint8 (s,).
    :param bits: uint8 (s,).
    :return: their postings.
    """
    fields = count_fields(sizes, widths, bits)
    widths, bits = widths.astype(np.uint64), bits.astype(np.uint64)
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
    found, more, steps = low > 0, (high & one).astype(bool), (high >> one) + one
    far = np.where(more, np.uint64(0), steps * ((one << widths) - one)[rows])
    docs = np.cumsum(np.where(found, low, far).astype(np.int64))
    before = np.concatenate([[0], docs])[firsts]
    docs -= before[rows] + 1
    raised = np.cumsum(np.where(~found & more, steps << bits[rows], np.uint64(0)).astype(np.int64))
    above = np.diff(raised[found], prepend=0)  # no field behind a slice's last posting raises
    return Unpacked(rows[found], docs[found], (high[found].astype(np.int64) + above) & LARGEST_IMPACT)
