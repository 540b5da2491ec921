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
def count_raising(impacts: Array, begin: Any, end: Any, bits: Any) -> Any:
    """Return how many fields go ahead of the postings from `begin` to before `end` because of their impacts."""
    fields, half = 0, 1 << (bits - 1)
    for at in range(begin, end):
        fields += ((np.int64(impacts[at]) >> bits) + half - 1) >> (bits - 1)
    return fields


@kernel
def count_moving(docs: Array, begin: Any, end: Any, first: Any, width: Any, bits: Any) -> Any:
    """Return how many fields go ahead of the postings from `begin` to before `end` because of their distances.

    `first` is the number of the chunk's first document.
    """
    most, half = (1 << width) - 1, 1 << (bits - 1)
    fields, before = 0, first - 1
    for at in range(begin, end):
        beyond = (np.int64(docs[at]) - before - 1) // most
        fields += (beyond + half - 1) >> (bits - 1)
        before = np.int64(docs[at])
    return fields


@kernel
def best_fields(docs: Array, impacts: Array, begin: Any, end: Any, first: Any, top: Any) -> Any:
    """Return the width and the bits with which a slice is shortest, and its number of fields; `top` is its largest
    impact.
    """
    mean = (np.int64(docs[end - 1]) - first + 1) // (end - begin)
    low = max(bit_length(mean) - 1, 1)
    most = bit_length(top)
    best, own, number, least = MOST_WIDTH, most, 0, np.int64(1) << 62
    for less in range(most):
        bits = most - less
        fields = end - begin + count_raising(impacts, begin, end, bits)
        for width in range(low, min(low + TRIED, MOST_WIDTH + 1)):
            if fields * (width + bits) < least:
                every = fields + count_moving(docs, begin, end, first, width, bits)
                if every * (width + bits) < least:
                    best, own, number, least = width, bits, every, every * (width + bits)
    return best, own, number


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
def put_ahead(out: Array, place: Any, left: Any, odd: Any, width: Any, bits: Any) -> Any:
    """Write the fields that go ahead of a posting for `left` steps; return the next bit. `odd` is 1 for impacts."""
    while left > 0:
        step = min(left, 1 << (bits - 1))
        place = put(out, place, (2 * (step - 1) + odd) << width, width + bits)
        left -= step
    return place


@kernel
def pack_slice(docs: Array, impacts: Array, begin: Any, end: Any, first: Any, width: Any, bits: Any, out: Array,
               byte: Any) -> Any:  # fmt: skip
    """Write a slice from a byte on; return the next byte."""
    most, mask = (1 << width) - 1, (1 << bits) - 1
    place = np.int64(byte) << 3
    before = first - 1
    for at in range(begin, end):
        distance, impact = np.int64(docs[at]) - before, np.int64(impacts[at])
        before = np.int64(docs[at])
        beyond = (distance - 1) // most
        place = put_ahead(out, place, beyond, 0, width, bits)
        place = put_ahead(out, place, impact >> bits, 1, width, bits)
        place = put(out, place, (distance - beyond * most) | (impact & mask) << width, width + bits)
    return (place + 7) >> 3


@kernel
def pack(
    docs: Array,
    impacts: Array,
    begins: Array,
    chunk_bits: Any,
    per_term: Array,
    chunks: Array,
    counts: Array,
    extra: Array,
    widths: Array,
    bits: Array,
    maxima: Array,
    out: Array,
) -> Any:
    """Pack the postings of terms, which begin at `begins` (terms + 1,); return the number of bytes.

    Gives the slices of each term, and chunk, number of postings, number of further fields, width, bits and largest
    impact of each slice. `out` holds zeros, 5 bytes for each posting and 5 for each slice.
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
            width, own, fields = best_fields(docs, impacts, begin, stop, first, top)
            chunks[row], counts[row], extra[row] = chunk, stop - begin, fields - (stop - begin)
            widths[row], bits[row], maxima[row] = width, own, top
            byte = pack_slice(docs, impacts, begin, stop, first, width, own, out, byte)
            row += 1
            begin = stop
        per_term[term] = row - before
    return byte


@kernel
def field_at(words: Array, place: Any) -> Any:
    """Return the 32 bits, or more, from a bit on. `place` is unsigned, so that indices are not looked at for a sign."""
    word = place >> np.uint64(5)
    both = np.uint64(words[word]) | np.uint64(words[word + np.uint64(1)]) << np.uint64(32)
    return both >> (place & np.uint64(31))


@kernel
def unpack_slice(
    words: Array, begin: Any, end: Any, width: Any, bits: Any, room: Any, out_docs: Array, out_impacts: Array, at: int
) -> Any:
    """Read a slice from byte `begin` to before `end` to the places from `at` on; return the place behind it.

    A document beyond `room`, which no sound slice has, ends it.
    """
    one, stride, shift, raised = np.uint64(1), np.uint64(width) + np.uint64(bits), np.uint64(width), np.uint64(bits)
    low, high = (one << shift) - one, (one << raised) - one
    place = np.uint64(begin) << np.uint64(3)
    passed, more, out, most = np.uint64(0), np.uint64(0), np.uint64(at), np.uint64(room)
    for _ in range(((np.int64(end) - np.int64(begin)) << 3) // np.int64(stride)):
        field = field_at(words, place)
        distance, impact = field & low, (field >> shift) & high
        place += stride
        if distance:
            passed += distance
            if passed > most:
                break
            out_docs[out] = passed - one
            out_impacts[out] = impact + more
            more = np.uint64(0)
            out += one
        elif impact & one:
            more += ((impact >> one) + one) << raised
        else:
            passed += ((impact >> one) + one) * low
    return np.int64(out)


@kernel
def add_slice(words: Array, begin: Any, end: Any, width: Any, bits: Any, room: Any, weight: Any, totals: Array) -> None:
    """Add weight x impact of each posting of a slice to its document's total: `unpack_slice` that keeps nothing."""
    one, stride, shift, raised = np.uint64(1), np.uint64(width) + np.uint64(bits), np.uint64(width), np.uint64(bits)
    low, high = (one << shift) - one, (one << raised) - one
    place = np.uint64(begin) << np.uint64(3)
    passed, more, most = np.uint64(0), np.uint64(0), np.uint64(room)
    for _ in range(((np.int64(end) - np.int64(begin)) << 3) // np.int64(stride)):
        field = field_at(words, place)
        distance, impact = field & low, (field >> shift) & high
        place += stride
        if distance:
            passed += distance
            if passed > most:
                break
            totals[passed - one] += weight * np.uint16(impact + more)
            more = np.uint64(0)
        elif impact & one:
            more += ((impact >> one) + one) << raised
        else:
            passed += ((impact >> one) + one) * low


@kernel
def unpack_slices(
    words: Array,
    begins: Array,
    widths: Array,
    bits: Array,
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
        at = unpack_slice(words, begins[row], begins[row + 1], widths[row], bits[row], room, out_docs, out_impacts, at)
    bounds[len(rows)] = at
    return at
