"""Sorted runs of postings and the merge of them: one pass, some terms at a time."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from sparseembed.index.segment.format import as_bytes
from sparseembed.index.segment.postings import PostingsWriter
from sparseembed.index.segment.strings import Strings, offsets_of, pack

_WINDOW = 1 << 16
"""Terms of all sources together that are looked at at once."""

_LEAST = 1 << 10
"""Terms of one source that are looked at at once, however many sources there are."""


class Postings(NamedTuple):
    """Postings of consecutive terms of a source: uint32 docs, uint16 impacts, and int64 counts, one a term."""

    docs: np.ndarray
    impacts: np.ndarray
    counts: np.ndarray


class Source(Protocol):
    """Terms with postings, in the order (term, document). Sources that are merged hold ascending ranges of documents.

    Terms go by numbers of this source alone: their places in the ascending order of their UTF-8.
    """

    terms: int

    def names(self, first: int, last: int) -> list[bytes]:
        """Return the UTF-8 of the terms from `first` to before `last`."""

    def sizes(self, first: int, last: int) -> np.ndarray:
        """Return for each of these terms, int64, a number of postings that it does not exceed."""

    def read(self, first: int, last: int) -> Postings:
        """Return the postings of these terms."""


class MemoryRun:
    """A run that is held in memory."""

    def __init__(self, names: list[bytes], sizes: np.ndarray, docs: np.ndarray, impacts: np.ndarray) -> None:
        """Take in sorted postings.

        :param names: UTF-8 of the terms, ascending.
        :param sizes: int64 (terms,), postings of each term.
        :param docs: uint32 (postings,).
        :param impacts: uint16 (postings,).
        """
        self.terms, self._names, self._docs, self._impacts = len(names), names, docs, impacts
        self._offsets = offsets_of(sizes)

    def names(self, first: int, last: int) -> list[bytes]:
        """Return the UTF-8 of the terms from `first` to before `last`."""
        return self._names[first:last]

    def sizes(self, first: int, last: int) -> np.ndarray:
        """Return the numbers of their postings."""
        return np.diff(self._offsets[first : last + 1])

    def read(self, first: int, last: int) -> Postings:
        """Return their postings."""
        span = slice(self._offsets[first], self._offsets[last])
        return Postings(self._docs[span], self._impacts[span], self.sizes(first, last))

    def spill(self, path: Path) -> "DiskRun":
        """Write the run to a file.

        :param path: the file, which must not exist.
        :return: the same run on disk.
        """
        data, bounds = pack(self._names)
        with path.open("xb") as handle:
            for array in (self._offsets, bounds, self._docs, self._impacts, data):
                handle.write(as_bytes(array))
        return DiskRun(path, self.terms, len(self._docs))


class DiskRun:
    """A run in a file: where the postings of each term begin, where its name does, documents, impacts, names."""

    def __init__(self, path: Path, terms: int, postings: int) -> None:
        """Take a file that `MemoryRun.spill` wrote."""
        self.terms, self._path = terms, path
        self._bounds = 8 * (terms + 1)
        self._docs = 2 * self._bounds
        self._impacts = self._docs + 4 * postings
        self._names = self._impacts + 2 * postings

    def names(self, first: int, last: int) -> list[bytes]:
        """Return the UTF-8 of the terms from `first` to before `last`."""
        bounds = self._read(np.int64, self._bounds, first, last + 1)
        data = self._read(np.uint8, self._names, int(bounds[0]), int(bounds[-1]))
        return Strings(data, bounds - bounds[0]).range(0, last - first)

    def sizes(self, first: int, last: int) -> np.ndarray:
        """Return the numbers of their postings."""
        return np.diff(self._read(np.int64, 0, first, last + 1))

    def read(self, first: int, last: int) -> Postings:
        """Return their postings."""
        offsets = self._read(np.int64, 0, first, last + 1)
        begin, end = int(offsets[0]), int(offsets[-1])
        docs = self._read(np.uint32, self._docs, begin, end)
        return Postings(docs, self._read(np.uint16, self._impacts, begin, end), np.diff(offsets))

    def _read(self, dtype: type, place: int, first: int, last: int) -> np.ndarray:
        width = np.dtype(dtype).itemsize
        return np.fromfile(self._path, dtype=dtype, count=last - first, offset=place + width * first)


class _Taken(NamedTuple):
    """Consecutive terms of a source: the first one's number, and the places of all among the merged terms."""

    source: Source
    first: int
    places: np.ndarray


class _Cursor:
    """The next terms of a source."""

    def __init__(self, source: Source, window: int) -> None:
        self._source, self._window, self._first = source, window, 0
        self._names: list[bytes] = []

    def last(self) -> bytes | None:
        """Return the last term that is looked at; None if no other follows."""
        end = self._first + len(self._names)
        if len(self._names) < max(self._window // 2, 1) and end < self._source.terms:
            more = min(end + self._window - len(self._names), self._source.terms)
            self._names += self._source.names(end, more)
            end = more
        return self._names[-1] if end < self._source.terms else None

    def take(self, bound: bytes | None) -> tuple[Source, int, list[bytes]]:
        """Return the terms up to `bound`, or all, and go on behind them."""
        count = len(self._names) if bound is None else bisect_right(self._names, bound)
        first, names = self._first, self._names[:count]
        self._first += count
        del self._names[:count]
        return self._source, first, names


def merge(sources: Sequence[Source], writer: PostingsWriter, memory: int) -> None:
    """Merge sources, streaming.

    :param sources: the sources, in the order of their documents.
    :param writer: takes the terms that have postings.
    :param memory: bytes that the postings of a batch may take; a batch is one term at least.
    """
    cursors = [_Cursor(source, max(_WINDOW // len(sources), _LEAST)) for source in sources]
    while True:
        lasts = [last for cursor in cursors if (last := cursor.last()) is not None]
        taken = [cursor.take(min(lasts) if lasts else None) for cursor in cursors]
        names = sorted(set[bytes]().union(*(part for _, _, part in taken)))
        if not names:
            return
        numbers = {name: place for place, name in enumerate(names)}
        parts = [
            _Taken(source, first, np.fromiter(map(numbers.__getitem__, part), dtype=np.int64, count=len(part)))
            for source, first, part in taken
        ]
        for low, high in _batches(parts, len(names), max(memory // 20, 1)):
            batch = _batch(parts, low, high)
            has = batch.counts > 0
            some = names[low:high]
            if not has.all():
                some = [name for name, any_ in zip(some, has.tolist(), strict=True) if any_]
            if some:
                writer.append(some, offsets_of(batch.counts[has]), batch.docs, batch.impacts)


def _batches(parts: Sequence[_Taken], count: int, postings: int) -> Iterator[tuple[int, int]]:
    """Cut merged terms in ranges that have so many postings at most, or one term."""
    totals = np.zeros(count, dtype=np.int64)
    for source, first, places in parts:
        if len(places):
            totals[places] += source.sizes(first, first + len(places))
    ends = np.cumsum(totals)
    low = 0
    while low < count:
        before = ends[low - 1] if low else 0
        high = max(int(np.searchsorted(ends, before + postings, side="right")), low + 1)
        yield low, high
        low = high


def _batch(parts: Sequence[_Taken], low: int, high: int) -> Postings:
    """Read the merged terms from `low` to before `high` from all sources and put them together, term by term."""
    from sparseembed.index.segment.kernels import append_terms

    read: list[tuple[np.ndarray, Postings]] = []
    counts = np.zeros(high - low, dtype=np.int64)
    for source, first, places in parts:
        begin, end = (int(place) for place in np.searchsorted(places, [low, high]))
        if begin < end:
            part = source.read(first + begin, first + end)
            numbers = places[begin:end] - low
            counts[numbers] += part.counts
            read.append((numbers, part))
    if len(read) == 1:
        return Postings(read[0][1].docs, read[0][1].impacts, counts)
    offsets = offsets_of(counts)
    docs, impacts = np.empty(offsets[-1], dtype=np.uint32), np.empty(offsets[-1], dtype=np.uint16)
    cursors = offsets[:-1].copy()
    for numbers, part in read:
        append_terms(part.docs, part.impacts, part.counts, numbers, cursors, docs, impacts)
    return Postings(docs, impacts, counts)
