"""Kernels over postings and packed strings; imported only where they are used, since numba takes long to import."""

import numpy as np

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
def fill_slices(
    docs: Array,
    impacts: Array,
    begins: Array,
    chunk_bits: int,
    out_docs: Array,
    out_impacts: Array,
    per_term: Array,
    chunks: Array,
    places: Array,
    maxima: Array,
) -> None:
    """Write postings in their final form, and chunk, begin and largest impact of each slice."""
    mask = np.uint32((1 << chunk_bits) - 1)
    row = -1
    for term in range(len(begins) - 1):
        begin, end = begins[term], begins[term + 1]
        before = row
        for at in range(begin, end):
            chunk = docs[at] >> chunk_bits
            if at == begin or chunk != chunks[row]:
                row += 1
                chunks[row] = chunk
                places[row] = at
                maxima[row] = 0
            out_docs[at] = docs[at] & mask
            out_impacts[at] = impacts[at]
            maxima[row] = max(maxima[row], impacts[at])
        per_term[term] = row - before


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
    starts: Array,
    chunks: Array,
    begins: Array,
    first: int,
    last: int,
    chunk_bits: int,
    base: int,
    renumbered: Array,
    out_docs: Array,
    out_impacts: Array,
    counts: Array,
) -> int:
    """Give the postings of the terms from `first` to before `last` with whole document numbers.

    `renumbered` (documents,) holds the new numbers, -1 for deleted documents; if empty, a number is moved by `base`.
    Returns the number of postings.
    """
    at = 0
    for term in range(first, last):
        before = at
        for row in range(starts[term], starts[term + 1]):
            chunk = np.int64(chunks[row]) << chunk_bits
            for place in range(begins[row], begins[row + 1]):
                doc = chunk + docs[place]
                new = renumbered[doc] if len(renumbered) else base + doc
                if new >= 0:
                    out_docs[at] = new
                    out_impacts[at] = impacts[place]
                    at += 1
        counts[term - first] = at - before
    return at


@kernel
def lower_bound(values: Array, begin: int, end: int, wanted: int) -> int:
    """Return the first place from `begin` to `end` whose value is `wanted` or more."""
    while begin < end:
        middle = (begin + end) >> 1
        if values[middle] < wanted:
            begin = middle + 1
        else:
            end = middle
    return begin


@kernel
def slice_of(starts: Array, chunks: Array, term: int, chunk: int) -> int:
    """Return the slice of a term in a chunk, or -1."""
    row = lower_bound(chunks, starts[term], starts[term + 1], chunk)
    return row if row < starts[term + 1] and chunks[row] == chunk else -1


@kernel
def count_documents(docs: Array, starts: Array, chunks: Array, begins: Array, chunk: int, out: Array) -> None:
    """Count the postings of each document of a chunk."""
    for term in range(len(starts) - 1):
        row = slice_of(starts, chunks, term, chunk)
        if row >= 0:
            for place in range(begins[row], begins[row + 1]):
                out[docs[place]] += 1


@kernel
def transpose(
    docs: Array,
    impacts: Array,
    starts: Array,
    chunks: Array,
    begins: Array,
    chunk: int,
    low: int,
    high: int,
    cursors: Array,
    out_terms: Array,
    out_impacts: Array,
) -> None:
    """Give the terms and impacts of the documents from `low` to before `high` of a chunk, document by document.

    `cursors` (high - low,) holds the next free place of each document and moves on.
    """
    for term in range(len(starts) - 1):
        row = slice_of(starts, chunks, term, chunk)
        if row < 0:
            continue
        end = begins[row + 1]
        place = lower_bound(docs, begins[row], end, low)
        while place < end and docs[place] < high:
            at = cursors[docs[place] - low]
            cursors[docs[place] - low] = at + 1
            out_terms[at] = term
            out_impacts[at] = impacts[place]
            place += 1


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
def check_slices(docs: Array, impacts: Array, starts: Array, chunks: Array, begins: Array, maxima: Array) -> int:
    """Return the first slice that is out of order or whose largest impact is another, or -1."""
    for term in range(len(starts) - 1):
        for row in range(starts[term], starts[term + 1]):
            if row > starts[term] and chunks[row] <= chunks[row - 1]:
                return row
            top = 0
            for place in range(begins[row], begins[row + 1]):
                if (place > begins[row] and docs[place] <= docs[place - 1]) or impacts[place] == 0:
                    return row
                top = max(top, impacts[place])
            if top != maxima[row]:
                return row
    return -1
