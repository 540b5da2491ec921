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

_DOCUMENT = 8
"""Bytes that the number of a document's postings takes until then."""

_EXTRA = 300
"""Bytes that a term outside the vocabulary takes until then, besides its letters: objects and places in tables."""


class SegmentWriter:
    """Collects postings, sorts them by term, spills them as runs, and merges the runs in the end.

    A context manager; leaving it without `finish` removes what it wrote.
    """

    def __init__(self, folder: Path, bits: int = 8, memory: int = 256 << 20, dimension: int = 0) -> None:
        """Create the segment's folder and files.

        :param folder: the folder; none of the segment's files may be there.
        :param bits: bits of the largest impact that may occur, 1 to 16; up to 8, an impact takes one byte.
        :param memory: bytes that postings and the terms outside the vocabulary may take; ids and the offsets of texts
            come on top.
        :param dimension: bytes of a document's embedding; 0 where blocks come without.
        :raises ConfigError: if bits is out of range.
        """
        self._output = SegmentOutput(Path(folder), bits, dimension)
        self._limit = 2**bits - 1
        self._memory = memory
        self._vocabulary: Sequence[str] | None = None
        self._known = np.empty(0, dtype=np.int64)  # the vocabulary's numbers, sorted by term
        self._names: list[bytes] = []  # its terms, sorted
        self._extra: dict[bytes, int] = {}  # other terms of this run -> number
        self._waiting: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
        self._used = 0  # bytes
        self._runs: list[DiskRun] = []

    def add(self, block: Block) -> None:
        """Add documents.

        :param block: the documents.
        :raises DataError: if its arrays do not agree, or a term's number or an impact is out of range.
        """
        self._check(block)
        base = len(self._output.documents)
        for doc_id, text in zip(block.ids, block.texts, strict=True):
            self._output.documents.add(encode(doc_id), encode(text))
        for row in block.metadata if block.metadata is not None else [b""] * len(block.ids):
            self._output.metadata.add(row)
        if self._output.embeddings is not None and block.embeddings is not None:
            self._output.embeddings.add(block.embeddings)
        for place, passages in sorted((block.passages or {}).items()):
            self._output.passages.add(base + place, passages.packed())
        indptr = np.asarray(block.indptr, dtype=np.int64)
        terms, impacts = np.asarray(block.terms), np.asarray(block.impacts)
        costs = indptr * _POSTING + np.arange(len(indptr)) * _DOCUMENT
        first, count = 0, len(block.ids)
        while first < count:
            room = max(self._memory - self._used, 0)
            last = int(np.searchsorted(costs, costs[first] + room, side="right")) - 1
            if last <= first and self._used:
                self._spill()
                continue
            last = min(max(last, first + 1), count)
            begin, end = indptr[first], indptr[last]
            if end > begin:
                numbers = self._numbers(terms[begin:end], block)
                part = (indptr[first : last + 1] - begin, numbers, impacts[begin:end].astype(np.uint16))
                self._waiting.append((base + first, *part))
                self._used += int(costs[last] - costs[first])
            first = last

    def finish(self) -> SegmentInfo:
        """Merge the runs and write the segment.

        :return: what it holds.
        :raises DataError: if a document's id or a term of a document occurs twice.
        """
        sources: list[Source] = []
        if self._runs and self._waiting:
            self._spill()
        sources.extend(self._runs)
        if self._waiting:
            sources.append(self._sorted())
        merge(sources, self._output.postings, self._memory // 2)
        self._remove_runs()
        return self._output.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove_runs()
        self._output.__exit__(kind, error, trace)

    def _check(self, block: Block) -> None:
        """Raise unless a block is sound; take the vocabulary of the first one."""
        if self._vocabulary is None:
            self._vocabulary = block.vocabulary
            names = list(map(encode, block.vocabulary))
            order = sorted(range(len(names)), key=names.__getitem__)
            self._known, self._names = np.array(order, dtype=np.int64), [names[number] for number in order]
        elif block.vocabulary is not self._vocabulary and list(block.vocabulary) != list(self._vocabulary):
            raise DataError("two blocks of one segment have different vocabularies: give all blocks the same one")
        terms, indptr = np.asarray(block.terms), np.asarray(block.indptr)
        sizes = {len(block.ids), len(block.texts), len(indptr) - 1}
        if block.embeddings is not None:
            sizes.add(len(block.embeddings))
        if block.metadata is not None:
            sizes.add(len(block.metadata))
        if len(sizes) > 1 or {len(terms), len(block.impacts)} != {int(indptr[-1])} or indptr[0] != 0:
            raise DataError("a block's ids, texts, indptr, terms and impacts do not agree in length")
        if np.any(np.diff(indptr) < 0):
            raise DataError("a block's indptr is not ascending")
        known = len(block.vocabulary)
        if len(terms) and (terms.min() < 0 or terms.max() >= known + len(block.extra)):
            raise DataError(f"a block's terms are not all from 0 to {known + len(block.extra) - 1:,}")
        if len(terms) and (np.min(block.impacts) < 1 or np.max(block.impacts) > self._limit):
            raise DataError(f"a block's impacts are not all from 1 to {self._limit:,}: build with more bits")

    def _numbers(self, terms: np.ndarray, block: Block) -> np.ndarray:
        """Number terms of a block as all blocks of the run do.

        :param terms: int32 (n,), numbers in the block.
        :param block: the block.
        :return: int32 (n,).
        """
        known = len(self._known)
        others = np.flatnonzero(terms >= known)
        if not len(others):
            return terms.astype(np.int32)
        found, places = np.unique(terms[others], return_inverse=True)
        numbers = np.empty(len(found), dtype=np.int32)
        for at, number in enumerate((found - known).tolist()):
            name = encode(block.extra[number])
            before = len(self._extra)
            numbers[at] = known + self._extra.setdefault(name, before)
            if len(self._extra) > before:
                self._used += _EXTRA + len(name)
        out = terms.astype(np.int32)
        out[others] = numbers[places]
        return out

    def _sorted(self) -> MemoryRun:
        """Sort what waits by term, in the order of the terms' UTF-8, and forget the terms outside the vocabulary."""
        from sparseembed.index.segment.kernels import scatter

        counts = np.zeros(len(self._known) + len(self._extra), dtype=np.int64)
        for _, _, terms, _ in self._waiting:
            np.add.at(counts, terms, 1)
        names, numbers = self._order(counts > 0)
        offsets = offsets_of(counts[numbers])
        cursors = np.zeros(len(counts), dtype=np.int64)
        cursors[numbers] = offsets[:-1]
        docs, impacts = np.empty(offsets[-1], dtype=np.uint32), np.empty(offsets[-1], dtype=np.uint16)
        for base, indptr, terms, values in self._waiting:
            scatter(terms, values, indptr, base, cursors, docs, impacts)
        self._waiting, self._used, self._extra = [], 0, {}
        return MemoryRun(names, counts[numbers], docs, impacts)

    def _spill(self) -> None:
        path = self._output.folder / f"run-{len(self._runs):05d}.tmp"
        self._runs.append(self._sorted().spill(path))

    def _order(self, present: np.ndarray) -> tuple[list[bytes], np.ndarray]:
        """Return the terms that occur, ascending, as UTF-8, and their numbers, int64."""
        there = np.flatnonzero(present[self._known])
        names, numbers = [self._names[place] for place in there.tolist()], self._known[there]
        if self._extra:
            extra = list(self._extra)  # in the order of their numbers; all occur
            by_name = sorted(range(len(extra)), key=extra.__getitem__)
            names += [extra[number] for number in by_name]
            order = sorted(range(len(names)), key=names.__getitem__)
            names = [names[place] for place in order]
            numbers = np.concatenate([numbers, np.array(by_name, dtype=np.int64) + len(self._known)])[order]
        for before, after in pairwise(names):
            if before == after:
                raise DataError(f"the term {after.decode('utf-8', 'replace')!r} has two numbers: give it one")
        return names, numbers

    def _remove_runs(self) -> None:
        for path in self._output.folder.glob("run-*.tmp"):
            path.unlink(missing_ok=True)
        self._runs = []
