"""Writes a segment from blocks of documents, in bounded memory."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.block import Block
from sparseembed.index.segment.format import SegmentInfo
from sparseembed.index.segment.output import SegmentOutput
from sparseembed.index.segment.runs import DiskRun, MemoryRun, Source, merge
from sparseembed.index.segment.strings import encode, offsets_of

_POSTING = 12
"""Bytes that a posting takes while a run is sorted: term, impact, and both again with the document."""


class SegmentWriter:
    """Collects postings, sorts them by term, spills them as runs, and merges the runs in the end.

    A context manager; leaving it without `finish` removes what it wrote.
    """

    def __init__(self, folder: Path, bits: int = 8, memory: int = 256 << 20) -> None:
        """Create the segment's folder and files.

        :param folder: the folder; none of the segment's files may be there.
        :param bits: bits of the largest impact that may occur, 1 to 16; up to 8, an impact takes one byte.
        :param memory: bytes that postings may take; ids, terms and the offsets of texts come on top.
        :raises ConfigError: if bits is out of range.
        """
        self._output = SegmentOutput(Path(folder), bits)
        self._limit = 2**bits - 1
        self._memory = memory
        self._room = max(memory // _POSTING, 1)
        self._vocabulary: Sequence[str] | None = None
        self._known = np.empty(0, dtype=np.int64)  # the vocabulary's numbers, sorted by term
        self._extra: dict[str, int] = {}
        self._extras: list[str] = []
        self._waiting: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
        self._postings = 0
        self._runs: list[DiskRun] = []

    def add(self, block: Block) -> None:
        """Add documents.

        :param block: the documents.
        :raises DataError: if its arrays do not agree, or a term's number or an impact is out of range.
        """
        numbers = self._numbers(block)
        base = len(self._output.documents)
        for doc_id, text in zip(block.ids, block.texts, strict=True):
            self._output.documents.add(encode(doc_id), encode(text))
        indptr = np.asarray(block.indptr, dtype=np.int64)
        impacts = np.asarray(block.impacts)
        first, count = 0, len(block.ids)
        while first < count:
            room = max(self._room - self._postings, 0)
            last = int(np.searchsorted(indptr, indptr[first] + room, side="right")) - 1
            if last <= first and self._postings:
                self._spill()
                continue
            last = min(max(last, first + 1), count)
            begin, end = indptr[first], indptr[last]
            if end > begin:
                part = (numbers[begin:end].astype(np.int32), impacts[begin:end].astype(np.uint16))
                self._waiting.append((base + first, indptr[first : last + 1] - begin, *part))
                self._postings += int(end - begin)
            first = last

    def finish(self) -> SegmentInfo:
        """Merge the runs and write the segment.

        :return: what it holds.
        :raises DataError: if a document's id or a term of a document occurs twice.
        """
        sources: list[Source] = []
        if self._runs and self._postings:
            self._spill()
        sources.extend(self._runs)
        if self._postings:
            sources.append(self._sorted())
        names = self._order(sources)
        merge(sources, len(names), lambda low, high: names[low:high], self._output.postings, self._memory // 2)
        self._remove_runs()
        return self._output.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove_runs()
        self._output.__exit__(kind, error, trace)

    def _numbers(self, block: Block) -> np.ndarray:
        """Check a block and return its terms, numbered alike in all blocks."""
        if self._vocabulary is None:
            self._vocabulary = block.vocabulary
            order = sorted(range(len(block.vocabulary)), key=block.vocabulary.__getitem__)
            self._known = np.array(order, dtype=np.int64)
        elif block.vocabulary is not self._vocabulary and list(block.vocabulary) != list(self._vocabulary):
            raise DataError("two blocks of one segment have different vocabularies: give all blocks the same one")
        terms, indptr = np.asarray(block.terms), np.asarray(block.indptr)
        sizes = {len(block.ids), len(block.texts), len(indptr) - 1}
        if len(sizes) > 1 or {len(terms), len(block.impacts)} != {int(indptr[-1])} or indptr[0] != 0:
            raise DataError("a block's ids, texts, indptr, terms and impacts do not agree in length")
        if np.any(np.diff(indptr) < 0):
            raise DataError("a block's indptr is not ascending")
        known = len(block.vocabulary)
        if len(terms) and (terms.min() < 0 or terms.max() >= known + len(block.extra)):
            raise DataError(f"a block's terms are not all from 0 to {known + len(block.extra) - 1:,}")
        if len(terms) and (np.min(block.impacts) < 1 or np.max(block.impacts) > self._limit):
            raise DataError(f"a block's impacts are not all from 1 to {self._limit:,}: build with more bits")
        if not block.extra:
            return terms
        places = np.empty(len(block.extra), dtype=np.int64)
        for at, term in enumerate(block.extra):
            number = self._extra.setdefault(term, len(self._extras))
            if number == len(self._extras):
                self._extras.append(term)
            places[at] = known + number
        return np.where(terms >= known, places[np.maximum(terms - known, 0)], terms)

    def _sorted(self) -> MemoryRun:
        """Sort what waits by term, in the order of the terms' strings."""
        from sparseembed.index.segment.kernels import scatter

        counts = np.zeros(len(self._known) + len(self._extras), dtype=np.int64)
        for _, _, terms, _ in self._waiting:
            counts += np.bincount(terms, minlength=len(counts))
        numbers = self._by_string(counts > 0)
        offsets = offsets_of(counts[numbers])
        cursors = np.zeros(len(counts), dtype=np.int64)
        cursors[numbers] = offsets[:-1]
        docs, impacts = np.empty(self._postings, dtype=np.uint32), np.empty(self._postings, dtype=np.uint16)
        for base, indptr, terms, values in self._waiting:
            scatter(terms, values, indptr, base, cursors, docs, impacts)
        self._waiting, self._postings = [], 0
        return MemoryRun(numbers, counts[numbers], docs, impacts)

    def _spill(self) -> None:
        path = self._output.folder / f"run-{len(self._runs):05d}.tmp"
        self._runs.append(self._sorted().spill(path))

    def _by_string(self, present: np.ndarray) -> np.ndarray:
        """Return the numbers of some terms, int64, in the order of their strings."""
        known = self._known[present[self._known]]
        extra = np.flatnonzero(present[len(self._known) :]).tolist()
        if not extra:
            return known
        extra = [number + len(self._known) for number in sorted(extra, key=self._extras.__getitem__)]
        return np.array(sorted(known.tolist() + extra, key=self._name), dtype=np.int64)

    def _order(self, sources: Sequence[Source]) -> list[bytes]:
        """Number the terms of all sources by their strings, and return these as UTF-8."""
        present = np.zeros(len(self._known) + len(self._extras), dtype=bool)
        for source in sources:
            present[source.numbers] = True
        numbers = self._by_string(present)
        names = [encode(self._name(number)) for number in numbers.tolist()]
        for before, after in pairwise(names):
            if before == after:
                raise DataError(f"the term {after.decode('utf-8', 'replace')!r} has two numbers: give it one")
        places = np.empty(len(present), dtype=np.int64)
        places[numbers] = np.arange(len(numbers))
        for source in sources:
            source.numbers = places[source.numbers]
        return names

    def _name(self, number: int) -> str:
        known = self._vocabulary or ()
        return known[number] if number < len(known) else self._extras[number - len(known)]

    def _remove_runs(self) -> None:
        for path in self._output.folder.glob("run-*.tmp"):
            path.unlink(missing_ok=True)
        self._runs = []
