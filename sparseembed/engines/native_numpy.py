"""Scores of one segment by numpy: what the kernels find, without numba, which takes long to load."""

import numpy as np

from sparseembed.index.segment.posting_arrays import PostingArrays
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.segment.slices import read


def search_segment(
    reader: SegmentReader, dead: np.ndarray, terms: np.ndarray, weights: np.ndarray, k: int, threshold: int, wide: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k best documents of a segment that score `threshold` or more, chunk by chunk.

    :param reader: the segment; the terms are checked.
    :param dead: which documents are deleted, bool (documents,), or empty for none.
    :param terms: int64 (n,), term numbers.
    :param weights: int64 (n,), their weights.
    :param k: number of documents wanted, 1 or more.
    :param threshold: 1 or more, and at most the k-th best score of the whole index.
    :param wide: whether a score may exceed int32.
    :return: int64 scores and numbers, by falling score and, where equal, by rising id.
    """
    arrays = reader.arrays
    size = 1 << arrays.chunk_bits
    first, ends = arrays.starts[terms], arrays.starts[terms + 1]
    rows = np.concatenate([np.arange(begin, end) for begin, end in zip(first, ends, strict=True)])
    places = np.repeat(np.arange(len(terms)), ends - first)  # which of the query's terms each slice is of
    chunks, uppers = arrays.chunks[rows], weights[places] * arrays.maxima[rows]
    totals: np.ndarray = np.empty(min(size, reader.documents), dtype=np.int64 if wide else np.int32)
    scores, numbers = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for chunk in np.unique(chunks).tolist():
        here = chunks == chunk
        if int(uppers[here].sum()) < threshold:
            continue
        base = chunk * size
        totals = totals[: reader.documents - base]  # the last chunk may be shorter
        totals[:] = 0
        for row, weight in zip(rows[here].tolist(), weights[places[here]].tolist(), strict=True):
            docs, impacts = _slice(arrays, row, len(totals))
            totals[docs] += np.multiply(impacts, weight, dtype=totals.dtype)
        if len(dead):
            gone = dead[base : base + size]
            totals[: len(gone)][gone] = 0
        found = np.flatnonzero(totals >= threshold)
        scores = np.concatenate([scores, totals[found]])
        numbers = np.concatenate([numbers, found + base])
        if len(scores) > k:
            scores, numbers = _best(scores, numbers, reader.ranks, k)
        if len(scores) == k:
            threshold = max(threshold, int(scores.min()))
    order = np.lexsort((reader.ranks[numbers], -scores))
    return scores[order], numbers[order]


def _slice(arrays: PostingArrays, row: int, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the documents, below `room`, and the impacts of a slice."""
    found = read(arrays, np.array([row]))
    size = int(np.searchsorted(found.docs, room))
    return found.docs[:size], found.impacts[:size]


def _best(scores: np.ndarray, numbers: np.ndarray, ranks: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Keep the k best of more than k, in any order: of those that score as the k-th, the first by id."""
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    left = k - len(above)
    if left < len(equal):
        equal = equal[np.argpartition(ranks[numbers[equal]], left - 1)[:left]]
    kept = np.concatenate([above, equal])
    return scores[kept], numbers[kept]
