"""Writes the postings and the terms of a segment, term by term in order."""

import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment import format as layout
from sparseembed.index.segment.columns import Column
from sparseembed.index.segment.format import POSTINGS, SEEDS, TERM_TABLES, TERMS, as_bytes
from sparseembed.index.segment.hashed import HashedFile
from sparseembed.index.segment.packing import PADDING
from sparseembed.index.segment.tables import write_tables


class PostingsWriter:
    """Takes batches of whole terms and writes two files: packed postings and tables."""

    def __init__(self, folder: Path, bits: int) -> None:
        """Create the files.

        :param folder: the segment's folder.
        :param bits: bits of the largest impact that may occur, 1 to 16.
        """
        self.bits, self.chunk_bits = bits, layout.CHUNK_BITS
        self.terms = self.postings = 0
        self.files: dict[str, HashedFile] = {}
        for name in (POSTINGS, TERMS):
            self.files[name] = HashedFile(folder / name)
        self._packed, self._tables = self.files.values()
        self._columns = {name: Column(folder, dtype) for name, dtype in TERM_TABLES.items()}
        self._bytes = self._slices = self._size = 0
        for name in ("term_offsets", "slice_starts"):
            self._columns[name].append(np.zeros(1, dtype=np.int64))

    def append(self, terms: Sequence[bytes], begins: np.ndarray, docs: np.ndarray, impacts: np.ndarray) -> None:
        """Write the next terms.

        :param terms: n terms as UTF-8, ascending, after all earlier ones.
        :param begins: int64 (n + 1,), where each term's postings begin; each has at least one.
        :param docs: uint32 document numbers, ascending within a term.
        :param impacts: uint16 impacts.
        :raises DataError: if a document has a term twice.
        """
        from sparseembed.index.segment.kernels import count_slices, largest
        from sparseembed.index.segment.packing_kernels import pack

        total = count_slices(docs, begins, self.chunk_bits)
        if total < 0:
            raise DataError("a document has the same term twice: add the two impacts up first")
        chunks, places = np.empty(total, dtype=np.uint16), np.empty(total, dtype=np.int64)
        widths, maxima = np.empty(total, dtype=np.uint8), np.empty(total, dtype=np.uint16)
        per_term, packed = np.empty(len(terms), dtype=np.int64), np.zeros(5 * len(docs), dtype=np.uint8)
        size = pack(docs, impacts, begins, self.chunk_bits, per_term, chunks, places, widths, maxima, packed)
        tops = np.empty((len(terms), 1 + len(SEEDS)), dtype=np.uint16)
        largest(impacts, begins, np.array(SEEDS, dtype=np.int64), tops)
        sizes = np.fromiter(map(len, terms), dtype=np.int64, count=len(terms))
        ends = np.concatenate([places, [size]])[np.concatenate([[0], np.cumsum(per_term)])]
        parts: dict[str, np.ndarray | bytes] = {
            "term_bytes": b"".join(terms),
            "term_offsets": self._bytes + np.cumsum(sizes),
            "slice_starts": self._slices + np.cumsum(per_term),
            "slice_chunks": chunks,
            "slice_begins": self._size + places,
            "slice_widths": widths,
            "slice_maxima": maxima,
            "frequencies": np.diff(begins).astype(np.uint32),
            "largest": tops.ravel(),
            "crcs": _crcs(ends, packed),
        }
        for name, column in self._columns.items():
            column.append(parts[name])
        self._packed.write(as_bytes(packed[:size]))
        self._bytes += int(sizes.sum())
        self._slices += total
        self._size += size
        self.terms += len(terms)
        self.postings += len(docs)

    def finish(self, documents: int) -> dict[str, dict[str, Any]]:
        """Write the tables and close the files.

        :param documents: number of documents of the segment.
        :return: file name -> size and sha256.
        """
        self._columns["slice_begins"].append(np.array([self._size]))
        self._packed.write(bytes(PADDING + -self._size % 4))
        meta = {"bits": self.bits, "chunk_bits": self.chunk_bits, "documents": documents, "postings": self.postings}
        write_tables(self._tables, meta, self._columns)
        return {name: file.finish() for name, file in self.files.items()}

    def close(self) -> None:
        """Close the files as they are."""
        for file in self.files.values():
            file.close()
        for column in self._columns.values():
            column.close()


def _crcs(ends: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Return the crc32 of each term's bytes, which begin and end at `ends` (terms + 1,)."""
    data = as_bytes(packed)
    found = (zlib.crc32(data[begin:end]) for begin, end in pairwise(ends.tolist()))
    return np.fromiter(found, dtype=np.uint32, count=len(ends) - 1)
