"""Merges segments into a new one, without their deleted documents."""

from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment.embeddings import EmbeddingsWriter
from sparseembed.index.segment.format import SegmentInfo
from sparseembed.index.segment.output import SegmentOutput
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.segment.runs import Postings, merge
from sparseembed.index.segment.slices import unpacked

MEMORY = 64 << 20
"""Bytes that the postings of a batch of terms may take."""


class _Part:
    """The live postings of a segment, with the documents' new numbers."""

    def __init__(self, reader: SegmentReader, deleted: np.ndarray | None, base: int) -> None:
        self.terms, self._reader, self._base = reader.terms, reader, base
        self._renumbered = np.empty(0, dtype=np.int64)
        if deleted is not None:
            self._renumbered = np.where(deleted, -1, base + np.cumsum(~deleted) - 1).astype(np.int64)

    def names(self, first: int, last: int) -> list[bytes]:
        """Return the UTF-8 of the terms from `first` to before `last` of the segment."""
        return self._reader.raw_terms(first, last)

    def sizes(self, first: int, last: int) -> np.ndarray:
        """Return the numbers of their postings, the deleted documents' included."""
        return self._reader.arrays.frequencies[first:last].astype(np.int64)

    def read(self, first: int, last: int) -> Postings:
        """Return their live postings."""
        from sparseembed.index.segment.kernels import expand

        self._reader.check(np.arange(first, last))
        arrays = self._reader.arrays
        packed = unpacked(arrays, np.arange(arrays.starts[first], arrays.starts[last]))
        most = len(packed.docs)
        docs, impacts = np.empty(most, dtype=np.uint32), np.empty(most, dtype=np.uint16)
        counts = np.empty(last - first, dtype=np.int64)
        slices = (packed.docs, packed.impacts, packed.bounds, arrays.starts, arrays.chunks)
        into = (self._base, self._renumbered, docs, impacts, counts)
        size = expand(*slices, first, last, arrays.chunk_bits, *into)
        return Postings(docs[:size], impacts[:size], counts)


def merge_segments(
    readers: Sequence[SegmentReader], deleted: Sequence[np.ndarray | None], folder: Path, bits: int
) -> SegmentInfo:
    """Write the live documents of segments into a new segment, in order; streaming, in bounded memory.

    :param readers: the segments.
    :param deleted: for each, which documents are deleted, bool (documents,), or None.
    :param folder: the new segment's folder.
    :param bits: bits of the largest impact that may occur.
    :return: what the new segment holds; the same bytes as if one writer had been given the live documents. It has
        embeddings where all segments have.
    :raises DataError: if an id occurs in two segments, or an impact has too many bits.
    :raises IndexFolderError: if a segment is damaged.
    """
    for reader in readers:
        if reader.terms and int(reader.arrays.maxima.max()) >= 1 << bits:
            raise DataError(f"{reader.folder} has impacts of more than {bits} bits: merge with more bits")
    dimensions = {reader.dimension for reader in readers}
    with SegmentOutput(Path(folder), bits, dimensions.pop() if len(dimensions) == 1 else 0) as output:
        parts: list[_Part] = []
        for reader, dead in zip(readers, deleted, strict=True):
            base = len(output.documents)
            parts.append(_Part(reader, dead, base))
            flags = repeat(False) if dead is None else dead.tolist()
            for doc_id, text, gone in zip(reader.raw_ids(), reader.raw_texts(), flags, strict=False):
                if not gone:
                    output.documents.add(doc_id, text)
            flags = repeat(False, reader.documents) if dead is None else dead.tolist()
            for row, gone in zip(reader.raw_metadata(), flags, strict=True):
                if not gone:
                    output.metadata.add(row)
            if output.embeddings is not None:
                _copy_embeddings(reader, dead, output.embeddings)
            for number, record in reader.passage_records():
                if dead is None or not dead[number]:
                    gone_before = 0 if dead is None else int(np.count_nonzero(dead[:number]))
                    output.passages.add(base + number - gone_before, record)
        merge(parts, output.postings, MEMORY)
        return output.finish()


def _copy_embeddings(reader: SegmentReader, dead: np.ndarray | None, into: EmbeddingsWriter) -> None:
    first = 0
    for rows in reader.embedding_blocks():
        into.add(rows if dead is None else rows[~dead[first : first + len(rows)]])
        first += len(rows)
