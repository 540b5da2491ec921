"""Writes the postings and the terms of a segment, term by term in order."""

import zlib
from array import array
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment import format as layout
from sparseembed.index.segment.format import DOCS, SEEDS, TERMS, HashedFile, as_bytes, impacts_name
from sparseembed.index.segment.strings import offsets_of
from sparseembed.index.segment.tables import write_tables

TABLES = {
    "term_bytes": "|u1",
    "term_offsets": "<i8",
    "slice_starts": "<i8",
    "slice_chunks": "<u2",
    "slice_begins": "<i8",
    "slice_maxima": "<u2",
    "largest": "<u2",
    "crcs": "<u4",
}
"""UTF-8 and offsets of the terms; each term's first slice; chunk, first posting and largest impact of each slice; the
largest and k-th largest impacts of each term, (terms, 4) flattened; and the crc32 of each term's postings."""


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
        self._bytes = bytearray()
        self._sizes, self._crcs = array("q"), array("L")
        self._parts: dict[str, list[np.ndarray]] = {
            name: [] for name in ("per_term", "slice_chunks", "slice_begins", "slice_maxima", "largest")
        }

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
        self._check(begins, out_docs, out_impacts)
        self._docs.write(as_bytes(out_docs))
        self._impacts.write(as_bytes(out_impacts))
        places += self.postings
        parts: tuple[np.ndarray, ...] = (per_term, chunks, places, maxima, tops.ravel())
        for kept, part in zip(self._parts.values(), parts, strict=True):
            kept.append(part)
        self._bytes += b"".join(terms)
        self._sizes.extend(map(len, terms))
        self.terms += len(terms)
        self.postings += len(docs)

    def finish(self, documents: int) -> dict[str, dict]:
        """Write the tables and close the files.

        :param documents: number of documents of the segment.
        :return: file name -> size and sha256.
        """
        types = {"per_term": np.int64, "slice_begins": np.int64}
        joined = {
            name: np.concatenate([np.empty(0, dtype=types.get(name, np.uint16)), *parts])
            for name, parts in self._parts.items()
        }
        arrays: Mapping[str, np.ndarray] = {
            "term_bytes": np.frombuffer(self._bytes, dtype=np.uint8),
            "term_offsets": offsets_of(np.array(self._sizes, dtype=np.int64)),
            "slice_starts": offsets_of(joined["per_term"]),
            "slice_chunks": joined["slice_chunks"],
            "slice_begins": np.append(joined["slice_begins"], np.int64(self.postings)),
            "slice_maxima": joined["slice_maxima"],
            "largest": joined["largest"],
            "crcs": np.array(self._crcs, dtype=np.uint32),
        }
        meta = {"bits": self.bits, "chunk_bits": self.chunk_bits, "documents": documents, "postings": self.postings}
        write_tables(self._tables, meta, arrays)
        return {name: file.finish() for name, file in self.files.items()}

    def close(self) -> None:
        """Close the files as they are."""
        for file in self.files.values():
            file.close()

    def _check(self, begins: np.ndarray, docs: np.ndarray, impacts: np.ndarray) -> None:
        crc32, bounds = zlib.crc32, begins.tolist()
        width = impacts.itemsize
        first, second = as_bytes(docs), as_bytes(impacts)
        self._crcs.extend(
            [
                crc32(second[begin * width : end * width], crc32(first[begin * 2 : end * 2]))
                for begin, end in pairwise(bounds)
            ]
        )
