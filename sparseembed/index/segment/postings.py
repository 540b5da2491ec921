"""Writes the postings and the terms of a segment, term by term in order."""

import zlib
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment import format as layout
from sparseembed.index.segment.columns import Column
from sparseembed.index.segment.format import CRC_BLOCK, POSTINGS, SEEDS, TERM_TABLES, TERMS, as_bytes
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
        self._size = self._crc = 0  # bytes written, and the checksum of those of the last block
        self._crcs = array("I")

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
        chunks, maxima = np.empty(total, dtype=np.uint16), np.empty(total, dtype=np.uint16)
        counts, extra = np.empty(total, dtype=np.uint32), np.empty(total, dtype=np.uint32)
        widths, own = np.empty(total, dtype=np.uint8), np.empty(total, dtype=np.uint8)
        per_term, packed = np.empty(len(terms), dtype=np.uint32), np.zeros(5 * (len(docs) + total), dtype=np.uint8)
        slices = (per_term, chunks, counts, extra, widths, own, maxima)
        size = pack(docs, impacts, begins, self.chunk_bits, *slices, packed)
        tops = np.empty((len(terms), 1 + len(SEEDS)), dtype=np.uint16)
        largest(impacts, begins, np.array(SEEDS, dtype=np.int64), tops)
        frequencies = np.diff(begins)
        parts: dict[str, np.ndarray | bytes] = {
            "term_bytes": b"".join(terms),
            "term_sizes": np.fromiter(map(len, terms), dtype=np.uint32, count=len(terms)),
            "term_slices": per_term,
            "slice_chunks": chunks,
            "slice_postings": counts,
            "slice_extra": extra,
            "slice_packing": (widths - 1) << 4 | (own - 1),
            "slice_maxima": maxima,
            **{f"largest_{k}": tops[frequencies >= k, 1 + at] for at, k in enumerate(SEEDS)},
        }
        for name, values in parts.items():
            self._columns[name].append(values)
        self._write(as_bytes(packed[:size]))
        self.terms += len(terms)
        self.postings += len(docs)

    def finish(self, documents: int) -> dict[str, dict[str, Any]]:
        """Write the tables and close the files.

        :param documents: number of documents of the segment.
        :return: file name -> size and sha256.
        """
        if self._size % CRC_BLOCK:
            self._crcs.append(self._crc)
        self._columns["crcs"].append(np.array(self._crcs, dtype=np.uint32))
        self._packed.write(bytes(PADDING + -self._size % 4))
        meta = {"bits": self.bits, "chunk_bits": self.chunk_bits, "documents": documents, "postings": self.postings}
        write_tables(self._tables, meta, self._columns)
        return {name: file.finish() for name, file in self.files.items()}

    def _write(self, data: memoryview) -> None:
        """Write bytes of postings; take the checksums of the blocks that they fill."""
        self._packed.write(data)
        place = 0
        while place < len(data):
            part = data[place : place + CRC_BLOCK - self._size % CRC_BLOCK]
            self._crc = zlib.crc32(part, self._crc)
            self._size += len(part)
            place += len(part)
            if self._size % CRC_BLOCK == 0:
                self._crcs.append(self._crc)
                self._crc = 0

    def close(self) -> None:
        """Close the files as they are."""
        for file in self.files.values():
            file.close()
        for column in self._columns.values():
            column.close()
