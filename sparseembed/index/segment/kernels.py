"""Kernels over postings and packed strings; imported only where they are used, since numba takes long to import."""

from typing import Any

import numpy as np

from sparseembed.index.segment.packing_kernels import unpack_slice
from sparseembed.jit import Array, kernel

ready = False
"""Whether those over packed strings have been loaded in this process, so that no call of them waits for that."""


@kernel
def scatter(
    terms: Array, impacts: Array, indptr: Array, base: int, cursors: Array, out_docs: Array, out_impacts: Array
) -> None:
    """Move the postings of a block to the places of their terms, in the order of the documents.

    `cursors` (terms,) holds the next free place of each term and moves on.
    """
    for row in range(len(indptr) - 1):
        doc = np.uint32(base + row)
        for at in range(indptr[row], indptr[row + 1]):
            place = cursors[terms[at]]
            cursors[terms[at]] = place + 1
            out_docs[place] = doc
            out_impacts[place] = impacts[at]


@kernel
def append_terms(
    docs: Array, impacts: Array, counts: Array, numbers: Array, cursors: Array, out_docs: Array, out_impacts: Array
) -> None:
    """Append the postings of a source, `counts[i]` of the term `numbers[i]`, to the places of their terms."""
    at = 0
    for row in range(len(numbers)):
        place = cursors[numbers[row]]
        for _ in range(counts[row]):
            out_docs[place] = docs[at]
            out_impacts[place] = impacts[at]
            place += 1
            at += 1
        cursors[numbers[row]] = place


@kernel
def count_slices(docs: Array, begins: Array, chunk_bits: int) -> int:
    """Count the slices of terms whose postings begin at `begins` (terms + 1,); -1 if documents do not ascend."""
    total = 0
    for term in range(len(begins) - 1):
        begin, end = begins[term], begins[term + 1]
        for at in range(begin, end):
            if at == begin:
                total += 1
            elif docs[at] <= docs[at - 1]:
                return -1
            elif docs[at] >> chunk_bits != docs[at - 1] >> chunk_bits:
                total += 1
    return total


@kernel
def largest(impacts: Array, begins: Array, ks: Array, out: Array) -> None:
    """Find the largest impact of each term and its k-th largest ones, 0 where it has fewer: a radix selection.

    `out` is (terms, 1 + len(ks)).
    """
    high = np.empty(256, np.int64)
    low = np.empty(256, np.int64)
    for term in range(len(begins) - 1):
        begin, end = begins[term], begins[term + 1]
        top = 0
        for at in range(begin, end):
            top = max(top, impacts[at])
        out[term, 0] = top
        out[term, 1:] = 0
        if end - begin < ks[0]:
            continue
        shift = 8 if top > 255 else 0
        high[:] = 0
        for at in range(begin, end):
            high[impacts[at] >> shift] += 1
        for column in range(len(ks)):
            left = ks[column]
            if end - begin < left:
                break
            value = 255
            while high[value] < left:
                left -= high[value]
                value -= 1
            if shift:
                low[:] = 0
                for at in range(begin, end):
                    if impacts[at] >> 8 == value:
                        low[impacts[at] & 255] += 1
                rest = 255
                while low[rest] < left:
                    left -= low[rest]
                    rest -= 1
                value = value << 8 | rest
            out[term, column + 1] = value


@kernel
def expand(
    docs: Array,
    impacts: Array,
    bounds: Array,
    starts: Array,
    chunks: Array,
    first: int,
    last: int,
    chunk_bits: int,
    base: int,
    renumbered: Array,
    out_docs: Array,
    out_impacts: Array,
    counts: Array,
) -> int:
    """Give the unpacked postings of the terms from `first` to before `last` with whole document numbers.

    `bounds` holds where each of their slices begins. `renumbered` (documents,) holds the new numbers, -1 for deleted
    documents; if empty, a number is moved by `base`. Returns the number of postings.
    """
    at = 0
    for term in range(first, last):
        before = at
        for row in range(starts[term], starts[term + 1]):
            chunk = np.int64(chunks[row]) << chunk_bits
            own = row - starts[first]
            for place in range(bounds[own], bounds[own + 1]):
                doc = chunk + docs[place]
                new = renumbered[doc] if len(renumbered) else base + doc
                if new >= 0:
                    out_docs[at] = new
                    out_impacts[at] = impacts[place]
                    at += 1
        counts[term - first] = at - before
    return at


@kernel
def count_documents(
    words: Array, begins: Array, widths: Array, bits: Array, rows: Array, room: int, out: Array
) -> None:
    """Count the postings of each document of a chunk, whose slices are `rows`."""
    docs, impacts = np.empty(1 << 16, np.uint16), np.empty(1 << 16, np.uint16)
    for row in rows:
        size = unpack_slice(words, begins[row], begins[row + 1], widths[row], bits[row], room, docs, impacts, 0)
        for at in range(size):
            out[docs[at]] += 1


@kernel
def transpose(
    words: Array,
    begins: Array,
    widths: Array,
    bits: Array,
    rows: Array,
    terms: Array,
    low: int,
    high: int,
    cursors: Array,
    out_terms: Array,
    out_impacts: Array,
) -> None:
    """Give the terms and impacts of the documents from `low` to before `high` of a chunk, document by document.

    `rows` are the chunk's slices and `terms` their terms, ascending. `cursors` (high - low,) holds the next free place
    of each document and moves on.
    """
    docs, impacts = np.empty(1 << 16, np.uint16), np.empty(1 << 16, np.uint16)
    for place in range(len(rows)):
        row = rows[place]
        size = unpack_slice(words, begins[row], begins[row + 1], widths[row], bits[row], high, docs, impacts, 0)
        for at in range(size):
            if docs[at] >= low:
                own = docs[at] - low
                cursor = cursors[own]
                cursors[own] = cursor + 1
                out_terms[cursor] = terms[place]
                out_impacts[cursor] = impacts[at]


@kernel
def gather(data: Array, offsets: Array, numbers: Array) -> tuple[Array, bool]:
    """Put some of packed strings together, with a byte 255 between two; and say whether all of them are ASCII."""
    size = len(numbers) - 1
    for at in range(len(numbers)):
        size += offsets[numbers[at] + 1] - offsets[numbers[at]]
    out = np.empty(size, np.uint8)
    place = 0
    seen = np.uint8(0)
    for at in range(len(numbers)):
        if at:
            out[place] = 255
            place += 1
        for byte in range(offsets[numbers[at]], offsets[numbers[at] + 1]):
            out[place] = data[byte]
            seen |= data[byte]
            place += 1
    return out, bool(seen < 128)


@kernel
def find_strings(data: Array, offsets: Array, order: Array, keys: Array, bounds: Array) -> Array:
    """Find strings, packed in `keys`, among packed strings by binary search; `order` is that of their bytes.

    Returns int64 (n,): their numbers, -1 for one that is not there.
    """
    found = np.full(len(bounds) - 1, -1, np.int64)
    for wanted in range(len(found)):
        begin, size = bounds[wanted], bounds[wanted + 1] - bounds[wanted]
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) >> 1
            number = order[middle]
            start = offsets[number]
            length = offsets[number + 1] - start
            at = 0
            while at < size and at < length and data[start + at] == keys[begin + at]:
                at += 1
            if at == size and at == length:
                found[wanted] = number
                break
            if at == length or (at < size and data[start + at] < keys[begin + at]):
                low = middle + 1
            else:
                high = middle
    return found


@kernel
def check_slices(
    docs: Array, impacts: Array, bounds: Array, starts: Array, chunks: Array, maxima: Array, frequencies: Array,
    first: int, last: int,
) -> int:  # fmt: skip
    """Return the first slice of the terms from `first` to before `last` that is not what the tables say, or -1.

    `docs`, `impacts` and `bounds` are of their slices, unpacked; documents ascend where a slice can be read at all.
    """
    for term in range(first, last):
        count = 0
        for row in range(starts[term], starts[term + 1]):
            if row > starts[term] and chunks[row] <= chunks[row - 1]:
                return row
            own = row - starts[first]
            top: Any = 0
            for place in range(bounds[own], bounds[own + 1]):
                if impacts[place] == 0:
                    return row
                top = max(top, np.int64(impacts[place]))
            if top != maxima[row]:
                return row
            count += bounds[own + 1] - bounds[own]
        if count != frequencies[term]:
            return int(starts[term])
    return -1
