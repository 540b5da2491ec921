"""Writes the metadata of a segment's documents twice: rows, which give it back, and columns, which filters look into.

Rows are JSON, in blocks of documents that are compressed with lz4, one line each, empty for a document without. The
column of a field has the keys of its values, ascending, and the documents that have each; columns stand one after the
other. A segment whose documents have no metadata has no such files.
"""

import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lz4.block
import numpy as np

from sparseembed.data.metadata import unpacked
from sparseembed.errors import DataError
from sparseembed.index.keys import entries
from sparseembed.index.segment.columns import Column
from sparseembed.index.segment.format import (
    COLUMN_ALIGN,
    COLUMNS,
    METADATA,
    METADATA_BLOCK,
    METADATA_FILES,
    METADATA_ROWS,
    column_width,
)
from sparseembed.index.segment.gathered import Gathered, Postings
from sparseembed.index.segment.hashed import HashedFile
from sparseembed.index.segment.strings import pack
from sparseembed.index.segment.tables import write_tables


class MetadataWriter:
    """Takes the packed metadata of documents in their order."""

    def __init__(self, folder: Path) -> None:
        """Begin without files: they are made for the first document that has metadata.

        :param folder: the segment's folder.
        """
        self._folder, self._documents = folder, 0
        self.files: dict[str, HashedFile] = {}
        self._waiting: list[bytes] = []
        self._places, self._sizes, self._crcs = array("q", [0]), array("I"), array("I")
        self._gathered = Gathered(folder)

    def add(self, row: bytes) -> None:
        """Add the next document's metadata.

        :param row: what `packed` made of it.
        :raises DataError: if it is something else.
        """
        if row:
            if not self.files:
                self._begin()
            try:
                for field, key in entries(unpacked(row)):
                    self._gathered.add(field, key, self._documents)
            except (ValueError, TypeError, OverflowError):
                raise DataError("the metadata of a document is not what packed it: build the index again") from None
            self._gathered.rest()
        self._documents += 1
        if self.files:
            self._waiting.append(row)
            if len(self._waiting) == METADATA_BLOCK:
                self._flush()

    def finish(self) -> dict[str, dict[str, Any]]:
        """Write the columns and the tables, and close the files.

        :return: file name -> size and sha256; empty where no document has metadata.
        """
        if not self.files:
            return {}
        if self._waiting:
            self._flush()
        arrays: dict[str, np.ndarray | Column] = {
            "row_places": np.array(self._places, dtype=np.int64),
            "row_sizes": np.array(self._sizes, dtype=np.uint32),
            "row_crcs": np.array(self._crcs, dtype=np.uint32),
        }
        arrays.update(self._columns())
        write_tables(self.files[METADATA_ROWS], {"documents": self._documents}, arrays)
        return {name: file.finish() for name, file in self.files.items()}

    def close(self) -> None:
        """Close the files as they are."""
        self._gathered.close()
        for file in self.files.values():
            file.close()

    def _begin(self) -> None:
        self.files = {name: HashedFile(self._folder / name) for name in METADATA_FILES}
        for _ in range(self._documents // METADATA_BLOCK):
            self._waiting = [b""] * METADATA_BLOCK
            self._flush()
        self._waiting = [b""] * (self._documents % METADATA_BLOCK)

    def _flush(self) -> None:
        raw = b"\n".join(self._waiting)
        block = lz4.block.compress(raw, store_size=False)
        self.files[METADATA].write(block)
        self._sizes.append(len(raw))
        self._crcs.append(zlib.crc32(block))
        self._places.append(self.files[METADATA].bytes)
        self._waiting = []

    def _columns(self) -> dict[str, np.ndarray]:
        names: list[bytes] = []
        counts: list[tuple[int, int, int]] = []
        places, crcs = [0], []
        for name, values in self._gathered.fields():
            names.append(name)
            count, crc = _write_column(self.files[COLUMNS], self._folder, values)
            counts.append(count)
            crcs.append(crc)
            places.append(self.files[COLUMNS].bytes)
        self._gathered.close()
        data, offsets = pack(names)
        keys, numbers, sizes = np.array(counts, dtype=np.int64).reshape(-1, 3).T
        return {
            "field_bytes": data,
            "field_offsets": offsets,
            "field_places": np.array(places, dtype=np.int64),
            "field_keys": np.ascontiguousarray(keys),
            "field_entries": np.ascontiguousarray(numbers),
            "field_key_bytes": np.ascontiguousarray(sizes),
            "field_crcs": np.array(crcs, dtype=np.uint32),
        }


def _write_column(file: HashedFile, folder: Path, values: Iterator[Postings]) -> tuple[tuple[int, int, int], int]:
    """Write offsets of keys, first entry of each, documents, and keys; return keys, entries, bytes; and the crc32."""
    offsets, starts = array("q", [0]), array("q", [0])
    names, documents = Column(folder, "|u1"), Column(folder, "<u4")
    try:
        for key, numbers in values:
            names.append(key)
            documents.append(numbers)
            offsets.append(len(names))
            starts.append(len(documents))
        width = column_width(len(names), len(documents))
        parts = [np.array(each, dtype=np.int64).astype(width).tobytes() for each in (offsets, starts)]
        size = sum(map(len, parts)) + 4 * len(documents) + len(names)
        crc = 0
        for each in (*parts, *documents.blocks(), *names.blocks(), bytes(-size % COLUMN_ALIGN)):
            file.write(each)
            crc = zlib.crc32(each, crc)
        return (len(offsets) - 1, len(documents), len(names)), crc
    finally:
        names.close()
        documents.close()
