"""Writes the postings and the terms of a segment, term by term in order."""

import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment import format as layout
from sparseembed.index.segment.columns import Column
from sparseembed.index.segment.format import DOCS, SEEDS, TERM_TABLES, TERMS, as_bytes, impacts_name
from sparseembed.index.segment.hashed import HashedFile
from sparseembed.index.segment.tables import write_tables


class PostingsWriter:
    """Takes batches of whole terms and writes three files: documents, impacts and tables."""

    def __init__(self, folder: Path, bits: int) -> None:
        """Create the files.

        :param folder: the segment's folder.
        :param bits: bits of the largest impact that may occur, 1 to 16.
        """
        self.bits, self.chunk_bits = bits, layout.CHUNK_BITS
        self.terms = self.postings = 0
        self._impact_type = np.uint8 if bits <= 8 else np.uint16
        names = (DOCS, impacts_name(bits), TERMS)
        self.files: dict[str, HashedFile] = {}
        for name in names:
            self.files[name] = HashedFile(folder / name)
        self._docs, self._impacts, self._tables = self.files.values()
        self._columns = {name: Column(folder, dtype) for name, dtype in TERM_TABLES.items()}
        self._bytes = self._slices = 0
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
        from sparseembed.index.segment.kernels import count_slices, fill_slices, largest

        total = count_slices(docs, begins, self.chunk_bits)
        if total < 0:
            raise DataError("a document has the same term twice: add the two impacts up first")
        chunks, places = np.empty(total, dtype=np.uint16), np.empty(total, dtype=np.int64)
        maxima, per_term = np.empty(total, dtype=np.uint16), np.empty(len(terms), dtype=np.int64)
        out_docs, out_impacts = np.empty(len(docs), dtype=np.uint16), np.empty(len(docs), dtype=self._impact_type)
        bits = self.chunk_bits
        fill_slices(docs, impacts, begins, bits, out_docs, out_impacts, per_term, chunks, places, maxima)
        tops = np.empty((len(terms), 1 + len(SEEDS)), dtype=np.uint16)
        largest(out_impacts, begins, np.array(SEEDS, dtype=np.int64), tops)
        sizes = np.fromiter(map(len, terms), dtype=np.int64, count=len(terms))
        parts: dict[str, np.ndarray | bytes] = {
            "term_bytes": b"".join(terms),
            "term_offsets": self._bytes + np.cumsum(sizes),
            "slice_starts": self._slices + np.cumsum(per_term),
            "slice_chunks": chunks,
            "slice_begins": self.postings + places,
            "slice_maxima": maxima,
            "largest": tops.ravel(),
            "crcs": _crcs(begins, out_docs, out_impacts),
        }
        for name, column in self._columns.items():
            column.append(parts[name])
        self._docs.write(as_bytes(out_docs))
        self._impacts.write(as_bytes(out_impacts))
        self._bytes += int(sizes.sum())
        self._slices += total
        self.terms += len(terms)
        self.postings += len(docs)

    def finish(self, documents: int) -> dict[str, dict]:
        """Write the tables and close the files.

        :param documents: number of documents of the segment.
        :return: file name -> size and sha256.
        """
        self._columns["slice_begins"].append(np.array([self.postings]))
        meta = {"bits": self.bits, "chunk_bits": self.chunk_bits, "documents": documents, "postings": self.postings}
        write_tables(self._tables, meta, self._columns)
        return {name: file.finish() for name, file in self.files.items()}

    def close(self) -> None:
        """Close the files as they are."""
        for file in self.files.values():
            file.close()
        for column in self._columns.values():
            column.close()


def _crcs(begins: np.ndarray, docs: np.ndarray, impacts: np.ndarray) -> np.ndarray:
    """Return the crc32 of each term's postings."""
    crc32, width = zlib.crc32, impacts.itemsize
    first, second = as_bytes(docs), as_bytes(impacts)
    pairs = pairwise(begins.tolist())
    found = (crc32(second[begin * width : end * width], crc32(first[begin * 2 : end * 2])) for begin, end in pairs)
    return np.fromiter(found, dtype=np.uint32, count=len(begins) - 1)
