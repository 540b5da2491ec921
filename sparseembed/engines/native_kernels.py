"""Kernels of the native engine: scores of one segment, exact, with the k best documents.

Scores are sums of weight x impact in integers. A chunk of documents is scored term by term into an array of totals,
while its postings are read from their bits. A chunk is passed over whose upper bound (of each term weight x the slice's
largest impact) is below the threshold. Within a chunk no term is passed over: what would be saved by adding fewer
postings (MaxScore; Turtle and Flood, 1995) costs more than the sum, since packed postings have to be read anyway.
Documents are only dropped when they are strictly below the threshold, because equal scores are decided by the ids.
"""

from typing import Any

import numpy as np

from sparseembed.index.segment.packing_kernels import add_slice, unpack_slices
from sparseembed.jit import Array, kernel

PEAK_BITS = 4
"""The largest score of each 2^4 documents is kept: a bound for the threshold, and a way past low scores."""

BUCKETS = 1024
"""Buckets of the histogram that finds the threshold: scores above the last threshold are told apart so finely."""

SPARSE = 16
"""A chunk with fewer postings than documents / 16 is not scanned but followed by its postings."""


@kernel
def after(scores: Array, ranks: Array, i: int, j: int) -> bool:
    """Say whether hit i stands after hit j: a lower score, or the same and a greater id."""
    return bool(scores[i] < scores[j] or (scores[i] == scores[j] and ranks[i] > ranks[j]))


@kernel
def swap(scores: Array, ranks: Array, docs: Array, i: int, j: int) -> None:
    """Exchange two hits."""
    scores[i], scores[j] = scores[j], scores[i]
    ranks[i], ranks[j] = ranks[j], ranks[i]
    docs[i], docs[j] = docs[j], docs[i]


@kernel
def partition(scores: Array, ranks: Array, docs: Array, low: int, high: int) -> int:
    """Part hits `low` to `high`, both included, around a middle one; return where that stands."""
    middle = (low + high) >> 1
    if after(scores, ranks, low, middle):
        swap(scores, ranks, docs, low, middle)
    if after(scores, ranks, low, high):
        swap(scores, ranks, docs, low, high)
    if after(scores, ranks, middle, high):
        swap(scores, ranks, docs, middle, high)
    swap(scores, ranks, docs, middle, high)  # the median of three stands last
    place = low
    for at in range(low, high):
        if after(scores, ranks, high, at):
            swap(scores, ranks, docs, at, place)
            place += 1
    swap(scores, ranks, docs, place, high)
    return place


@kernel
def keep_best(scores: Array, ranks: Array, docs: Array, count: int, k: int) -> int:
    """Move the k best of `count` hits to the front, in any order, the worst of them last; return how many there are."""
    if count < k:
        return count
    low, high, wanted = 0, count - 1, k - 1
    while low < high:
        place = partition(scores, ranks, docs, low, high)
        if place == wanted:
            break
        if place < wanted:
            low = place + 1
        else:
            high = place - 1
    return k


@kernel
def sort_hits(scores: Array, ranks: Array, docs: Array, count: int) -> None:
    """Sort hits, best first: quicksort, then insertion sort for what is nearly in order."""
    stack = np.empty((64, 2), np.int64)
    stack[0, 0], stack[0, 1] = 0, count - 1
    depth = 1
    while depth:
        depth -= 1
        low, high = stack[depth, 0], stack[depth, 1]
        while high - low > 12:
            place = partition(scores, ranks, docs, low, high)
            if place - low < high - place:  # the larger part waits: the stack stays below 64
                stack[depth, 0], stack[depth, 1] = place + 1, high
                high = place - 1
            else:
                stack[depth, 0], stack[depth, 1] = low, place - 1
                low = place + 1
            depth += 1
    for at in range(1, count):
        place = at
        while place and after(scores, ranks, place - 1, place):
            swap(scores, ranks, docs, place - 1, place)
            place -= 1


@kernel
def find_peaks(totals: Array, blocks: int, peaks: Array) -> None:
    """Find the largest score of each block of documents."""
    for block in range(blocks):
        part = totals[block << PEAK_BITS : (block + 1) << PEAK_BITS]
        top = part[0]
        for at in range(1, 1 << PEAK_BITS):
            top = max(top, part[at])
        peaks[block] = top


@kernel
def raise_threshold(peaks: Array, blocks: int, k: int, threshold: Any, values: Array) -> Any:
    """Return a bound that k peaks reach, so that k documents score as much: the k-th largest by a histogram."""
    count = 0
    top = threshold
    for block in range(blocks):
        values[count] = peaks[block]
        top = max(top, np.int64(peaks[block]))
        count += peaks[block] > threshold
    if count < k:
        return threshold
    shift = 0
    while (top - threshold) >> shift >= BUCKETS:
        shift += 1
    buckets = np.zeros(BUCKETS, np.int64)
    for at in range(count):
        buckets[(values[at] - threshold) >> shift] += 1
    bucket = BUCKETS - 1
    above = buckets[bucket]
    while above < k:
        bucket -= 1
        above += buckets[bucket]
    return threshold + (np.int64(bucket) << shift)


@kernel
def zero_deleted(totals: Array, deleted: Array) -> None:
    """Set the scores of the deleted documents of a chunk to 0."""
    for at in range(len(deleted)):
        totals[at] = 0 if deleted[at] else totals[at]


@kernel
def at_least(totals: Array, peaks: Array, blocks: int, least: int, out: Array) -> int:
    """List the documents of a chunk that score `least` or more; return how many there are."""
    count = 0
    for block in range(blocks):
        if peaks[block] >= least:
            for doc in range(block << PEAK_BITS, (block + 1) << PEAK_BITS):
                out[count] = doc
                count += totals[doc] >= least
    return count


@kernel
def search_segment(
    words: Array,
    starts: Array,
    chunks: Array,
    begins: Array,
    widths: Array,
    bits: Array,
    maxima: Array,
    terms: Array,
    weights: Array,
    k: int,
    threshold: Any,
    chunk_bits: int,
    documents: int,
    ranks: Array,
    deleted: Array,
    totals: Array,
    peaks: Array,
    values: Array,
    candidates: Array,
    out_scores: Array,
    out_ranks: Array,
    out_docs: Array,
) -> int:
    """Find the k best documents of a segment that score `threshold` or more.

    `threshold` is 1 or more, and at most the k-th best score of the whole index. `weights` and `totals` are int32 if no
    sum can exceed that, else int64. `totals` (65,536,) holds zeros, and does so again in the end. `out_*` have room for
    k + a chunk of hits.

    Returns the number of hits; they are in order.
    """
    query = len(terms)
    next_rows = np.empty(query, np.int64)
    ends = np.empty(query, np.int64)
    for at in range(query):
        next_rows[at], ends[at] = starts[terms[at]], starts[terms[at] + 1]
    rows, factors, bounds = np.empty(query, np.int64), np.empty(query, weights.dtype), np.empty(query + 1, np.int64)
    count = 0
    for chunk in range((documents + (1 << chunk_bits) - 1) >> chunk_bits):
        base = np.int64(chunk) << chunk_bits
        size = min(documents - base, np.int64(1) << chunk_bits)
        some, bound = 0, np.int64(0)
        fields: Any = 0
        for at in range(query):
            row = next_rows[at]
            if row < ends[at] and chunks[row] == chunk:
                next_rows[at] += 1
                rows[some], factors[some] = row, weights[at]
                bound += np.int64(weights[at]) * maxima[row]
                fields += ((begins[row + 1] - begins[row]) << 3) // (widths[row] + bits[row])
                some += 1
        if bound < threshold:
            continue
        gone = deleted[base : base + size] if len(deleted) else deleted
        if fields < size // SPARSE:
            docs, impacts = np.empty(fields, np.uint16), np.empty(fields, np.uint16)
            unpack_slices(words, begins, widths, bits, rows[:some], size, docs, impacts, bounds)
            count = follow(
                docs, impacts, bounds, factors, some, threshold, base, ranks, gone, totals, out_scores, out_ranks,
                out_docs, count,
            )  # fmt: skip
        else:
            for at in range(some):
                row = rows[at]
                add_slice(words, begins[row], begins[row + 1], widths[row], bits[row], size, factors[at], totals)
            count = collect_best(
                k, threshold, base, size, ranks, gone, totals, peaks, values, candidates, out_scores, out_ranks,
                out_docs, count,
            )  # fmt: skip
        count = keep_best(out_scores, out_ranks, out_docs, count, k)
        if count == k:
            threshold = max(threshold, out_scores[k - 1])
    sort_hits(out_scores, out_ranks, out_docs, count)
    return count


@kernel
def follow(
    docs: Array,
    impacts: Array,
    bounds: Array,
    weights: Array,
    some: int,
    threshold: Any,
    base: Any,
    ranks: Array,
    gone: Array,
    totals: Array,
    out_scores: Array,
    out_ranks: Array,
    out_docs: Array,
    count: int,
) -> int:
    """Score a chunk with few postings: each is followed once to add, and once to collect and to clear."""
    for term in range(some):
        for place in range(bounds[term], bounds[term + 1]):
            totals[docs[place]] += weights[term] * impacts[place]
    for place in range(bounds[some]):
        doc = docs[place]
        if totals[doc] >= threshold and not (len(gone) and gone[doc]):
            out_scores[count], out_ranks[count], out_docs[count] = totals[doc], ranks[base + doc], base + doc
            count += 1
        totals[doc] = 0
    return count


@kernel
def collect_best(
    k: int,
    threshold: Any,
    base: Any,
    size: Any,
    ranks: Array,
    gone: Array,
    totals: Array,
    peaks: Array,
    values: Array,
    candidates: Array,
    out_scores: Array,
    out_ranks: Array,
    out_docs: Array,
    count: int,
) -> int:
    """Collect the best documents of a chunk whose totals are complete, and clear the totals."""
    blocks = (size + (1 << PEAK_BITS) - 1) >> PEAK_BITS
    if len(gone):
        zero_deleted(totals, gone)
    find_peaks(totals, blocks, peaks)
    threshold = raise_threshold(peaks, blocks, k, threshold, values)
    for place in range(at_least(totals, peaks, blocks, threshold, candidates)):
        doc = candidates[place]
        out_scores[count], out_ranks[count], out_docs[count] = totals[doc], ranks[base + doc], base + doc
        count += 1
    totals[: blocks << PEAK_BITS] = 0
    return count
