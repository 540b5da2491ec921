"""Sorted runs of postings and the merge of them: one pass, a batch of terms at a time."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from sparseembed.index.segment.format import as_bytes
from sparseembed.index.segment.postings import PostingsWriter
from sparseembed.index.segment.strings import offsets_of


class Postings(NamedTuple):
    """Postings of consecutive terms of a source: uint32 docs, uint16 impacts, and int64 counts, one a term."""

    docs: np.ndarray
    impacts: np.ndarray
    counts: np.ndarray


class Source(Protocol):
    """Postings in the order (term, document). Sources that are merged hold ascending ranges of documents."""

    numbers: np.ndarray
    """int64 (terms,): which of the merged terms each is, ascending."""
    sizes: np.ndarray
    """int64 (terms,): at most so many postings."""

    def read(self, first: int, last: int) -> Postings:
        """Return the postings of the terms from `first` to before `last` of this source."""


class MemoryRun:
    """A run that is held in memory."""

    def __init__(self, numbers: np.ndarray, sizes: np.ndarray, docs: np.ndarray, impacts: np.ndarray) -> None:
        """Take in sorted postings.

        :param numbers: int64 (terms,).
        :param sizes: int64 (terms,), postings of each term.
        :param docs: uint32 (postings,).
        :param impacts: uint16 (postings,).
        """
        self.numbers, self.sizes, self._docs, self._impacts = numbers, sizes, docs, impacts
        self._offsets = offsets_of(sizes)

    def read(self, first: int, last: int) -> Postings:
        """Return the postings of the terms from `first` to before `last`."""
        span = slice(self._offsets[first], self._offsets[last])
        return Postings(self._docs[span], self._impacts[span], self.sizes[first:last])

    def spill(self, path: Path) -> "DiskRun":
        """Write the postings to a file.

        :param path: the file, which must not exist.
        :return: the same run on disk.
        """
        with path.open("xb") as handle:
            handle.write(as_bytes(self._docs))
            handle.write(as_bytes(self._impacts))
        return DiskRun(self.numbers, self.sizes, path)


class DiskRun:
    """A run whose postings are in a file: all documents, then all impacts."""

    def __init__(self, numbers: np.ndarray, sizes: np.ndarray, path: Path) -> None:
        """Take a file that `MemoryRun.spill` wrote."""
        self.numbers, self.sizes, self._path = numbers, sizes, path
        self._offsets = offsets_of(sizes)

    def read(self, first: int, last: int) -> Postings:
        """Return the postings of the terms from `first` to before `last`."""
        begin, count = int(self._offsets[first]), int(self._offsets[last] - self._offsets[first])
        docs = np.fromfile(self._path, dtype=np.uint32, count=count, offset=4 * begin)
        place = 4 * int(self._offsets[-1]) + 2 * begin
        impacts = np.fromfile(self._path, dtype=np.uint16, count=count, offset=place)
        return Postings(docs, impacts, self.sizes[first:last])


def merge(
    sources: Sequence[Source],
    count: int,
    names: Callable[[int, int], Sequence[bytes]],
    writer: PostingsWriter,
    memory: int,
) -> None:
    """Merge sources, streaming.

    :param sources: the sources, in the order of their documents.
    :param count: number of merged terms.
    :param names: gives the UTF-8 of the merged terms from a number to before another.
    :param writer: takes the terms that have postings.
    :param memory: bytes that a batch may take; a batch is one term at least.
    """
    for low, high in _batches(sources, count, max(memory // 20, 1)):
        batch = _batch(sources, low, high)
        has = batch.counts > 0
        if has.any():
            terms = names(low, high)
            if not has.all():
                terms = [term for term, some in zip(terms, has.tolist(), strict=True) if some]
            writer.append(terms, offsets_of(batch.counts[has]), batch.docs, batch.impacts)


def _batches(sources: Sequence[Source], count: int, postings: int) -> Iterator[tuple[int, int]]:
    """Cut the merged terms in ranges that have so many postings at most, or one term."""
    totals = np.zeros(count, dtype=np.int64)
    for source in sources:
        totals[source.numbers] += source.sizes
    ends = np.cumsum(totals)
    low = 0
    while low < count:
        before = ends[low - 1] if low else 0
        high = max(int(np.searchsorted(ends, before + postings, side="right")), low + 1)
        yield low, high
        low = high


def _batch(sources: Sequence[Source], low: int, high: int) -> Postings:
    """Read the terms from `low` to before `high` from all sources and put them together, term by term."""
    from sparseembed.index.segment.kernels import append_terms

    parts: list[tuple[np.ndarray, Postings]] = []
    counts = np.zeros(high - low, dtype=np.int64)
    for source in sources:
        first, last = (int(place) for place in np.searchsorted(source.numbers, [low, high]))
        if first < last:
            part = source.read(first, last)
            numbers = source.numbers[first:last] - low
            counts[numbers] += part.counts
            parts.append((numbers, part))
    if len(parts) == 1:
        return Postings(parts[0][1].docs, parts[0][1].impacts, counts)
    offsets = offsets_of(counts)
    docs, impacts = np.empty(offsets[-1], dtype=np.uint32), np.empty(offsets[-1], dtype=np.uint16)
    cursors = offsets[:-1].copy()
    for numbers, part in parts:
        append_terms(part.docs, part.impacts, part.counts, numbers, cursors, docs, impacts)
    return Postings(docs, impacts, counts)
