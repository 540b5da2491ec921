"""Kernels that pack postings and read them: see `packing` for how they lie."""

from typing import Any

import numpy as np

from sparseembed.index.segment.packing import MOST_WIDTH
from sparseembed.jit import Array, kernel

TRIED = 6
"""Widths that are tried, from below the mean distance on: distances are about geometrically distributed."""


@kernel
def bit_length(value: Any) -> Any:
    """Return the bits that a number takes."""
    bits = 0
    while value >> bits:
        bits += 1
    return bits


@kernel
def count_bits(docs: Array, begin: Any, end: Any, first: Any, width: Any, bits: Any) -> Any:
    """Return the bits of the slice of the postings from `begin` to before `end` with a width.

    `first` is the number of the chunk's first document.
    """
    most = (1 << width) - 1
    fields = end - begin
    before = first - 1
    for at in range(begin, end):
        beyond = (np.int64(docs[at]) - before - 1) // most
        fields += (beyond + (1 << bits) - 1) >> bits
        before = np.int64(docs[at])
    return fields * (width + bits)


@kernel
def best_width(docs: Array, begin: Any, end: Any, first: Any, bits: Any) -> Any:
    """Return the width with which a slice is shortest."""
    mean = (np.int64(docs[end - 1]) - first + 1) // (end - begin)
    low = max(bit_length(mean) - 1, 1)
    best, least = MOST_WIDTH, (end - begin) * (MOST_WIDTH + bits)
    for width in range(low, min(low + TRIED, MOST_WIDTH)):
        size = count_bits(docs, begin, end, first, width, bits)
        if size < least:
            best, least = width, size
    return best


@kernel
def put(out: Array, place: Any, value: Any, width: Any) -> Any:
    """Write a field at a bit; return the next one. `out` holds zeros from there on."""
    while width > 0:
        free = 8 - (place & 7)
        out[place >> 3] |= np.uint8((value << (place & 7)) & 255)
        value >>= free
        step = min(free, width)
        place += step
        width -= step
    return place


@kernel
def pack_slice(docs: Array, impacts: Array, begin: Any, end: Any, first: Any, width: Any, bits: Any, out: Array,
               byte: Any) -> Any:  # fmt: skip
    """Write a slice from a byte on; return the next byte."""
    most = (1 << width) - 1
    place = np.int64(byte) << 3
    before = first - 1
    for at in range(begin, end):
        distance = np.int64(docs[at]) - before
        before = np.int64(docs[at])
        beyond = (distance - 1) // most
        distance -= beyond * most
        while beyond > 0:
            step = min(beyond, 1 << bits)
            place = put(out, place, (step - 1) << width, width + bits)
            beyond -= step
        place = put(out, place, distance | np.int64(impacts[at]) << width, width + bits)
    return (place + 7) >> 3


@kernel
def pack(
    docs: Array,
    impacts: Array,
    begins: Array,
    chunk_bits: Any,
    per_term: Array,
    chunks: Array,
    places: Array,
    widths: Array,
    maxima: Array,
    out: Array,
) -> Any:
    """Pack the postings of terms, which begin at `begins` (terms + 1,); return the number of bytes.

    Gives the slices of each term, and chunk, first byte, width and largest impact of each slice. `out` holds zeros, 4
    bytes and 1 for each posting.
    """
    row: Any = 0
    byte: Any = 0
    for term in range(len(begins) - 1):
        begin, end = begins[term], begins[term + 1]
        before = row
        while begin < end:
            chunk = docs[begin] >> chunk_bits
            stop: Any = begin
            top: Any = 0
            while stop < end and docs[stop] >> chunk_bits == chunk:
                top = max(top, np.int64(impacts[stop]))
                stop += 1
            first = np.int64(chunk) << chunk_bits
            bits = bit_length(top)
            width = best_width(docs, begin, stop, first, bits)
            chunks[row], places[row], widths[row], maxima[row] = chunk, byte, width, top
            byte = pack_slice(docs, impacts, begin, stop, first, width, bits, out, byte)
            row += 1
            begin = stop
        per_term[term] = row - before
    return byte


@kernel
def unpack_slice(
    words: Array, begin: Any, end: Any, width: Any, top: Any, room: Any, out_docs: Array, out_impacts: Array, at: int
) -> Any:
    """Read a slice from byte `begin` to before `end` to the places from `at` on; return the place behind it.

    A document beyond `room`, which no sound slice has, ends it.
    """
    bits = bit_length(top)
    stride = width + bits
    low, high = np.uint64((1 << width) - 1), np.uint64((1 << bits) - 1)
    shift = np.uint64(width)
    place, stop = np.int64(begin) << 3, (np.int64(end) << 3) - stride
    doc: Any = -1
    while place <= stop:
        word = place >> 5
        value = (np.uint64(words[word]) | np.uint64(words[word + 1]) << np.uint64(32)) >> np.uint64(place & 31)
        distance = np.int64(value & low)
        impact = np.int64((value >> shift) & high)
        place += stride
        if distance:
            doc += distance
            if doc >= room:
                break
            out_docs[at] = doc
            out_impacts[at] = impact
            at += 1
        else:
            doc += (impact + 1) * np.int64(low)
            if doc >= room:
                break
    return at


@kernel
def unpack_slices(
    words: Array,
    begins: Array,
    widths: Array,
    maxima: Array,
    rows: Array,
    room: Any,
    out_docs: Array,
    out_impacts: Array,
    bounds: Array,
) -> Any:
    """Read slices one after the other; `bounds` (rows + 1,) takes where each begins; return the number of postings."""
    at: Any = 0
    for place in range(len(rows)):
        row = rows[place]
        bounds[place] = at
        at = unpack_slice(
            words, begins[row], begins[row + 1], widths[row], maxima[row], room, out_docs, out_impacts, at
        )
    bounds[len(rows)] = at
    return at
