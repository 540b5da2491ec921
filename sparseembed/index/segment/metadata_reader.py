"""Reads the metadata of a segment: rows by document number, and columns by field. All is read when it is needed."""

import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import lz4.block
import numpy as np

from sparseembed.data.metadata import Metadata, unpacked
from sparseembed.index.keys import entries
from sparseembed.index.segment.format import (
    COLUMN_ALIGN,
    COLUMNS,
    METADATA,
    METADATA_BLOCK,
    METADATA_FILES,
    METADATA_ROWS,
    METADATA_TABLES,
    as_bytes,
    column_width,
    damaged,
    map_file,
)
from sparseembed.index.segment.strings import Strings, ascends
from sparseembed.index.segment.tables import parse_tables


class FieldColumn:
    """The values of one field: keys, ascending, and the documents that have each."""

    def __init__(self, keys: Strings, starts: np.ndarray, documents: np.ndarray) -> None:
        """Take arrays that are checked.

        :param keys: the keys.
        :param starts: (keys + 1,): the first entry of each.
        :param documents: uint32 (entries,): numbers of documents.
        """
        self._keys, self._starts, self._documents = keys, starts, documents

    def __len__(self) -> int:
        return len(self._keys)

    def first(self, key: bytes) -> int:
        """Return how many keys stand before a key."""
        return bisect_left(range(len(self._keys)), key, key=self._keys.raw)

    def past(self, key: bytes) -> int:
        """Return how many keys stand before a key or are it."""
        return bisect_right(range(len(self._keys)), key, key=self._keys.raw)

    def documents(self, first: int, past: int) -> np.ndarray:
        """Return the documents that have the keys from one to before another, once for each key: uint32."""
        return self._documents[int(self._starts[first]) : int(self._starts[past])]

    def check(self, wanted: int) -> bool:
        """Say whether keys and entries are in order, and the sum over all entries is as it should be."""
        total = 0
        for number in range(len(self._keys)):
            key, documents = self._keys.raw(number), self.documents(number, number + 1)
            if (number and self._keys.raw(number - 1) >= key) or np.any(documents[1:] <= documents[:-1]):
                return False
            total += sum(_entry(key, document) for document in documents.tolist())
        return total == wanted


class MetadataReader:
    """The metadata of an open segment; may be shared by threads."""

    def __init__(self, folder: Path, documents: int) -> None:
        """Map the files; they are looked into when metadata is first asked for.

        :param folder: the segment's folder.
        :param documents: how many documents the segment has.
        :raises IndexFolderError: if a file is missing.
        """
        self._folder, self._documents = folder, documents
        self._data = {name: map_file(folder / name) for name in METADATA_FILES}
        self._read: dict[str, FieldColumn] = {}

    @cached_property
    def _tables(self) -> dict[str, np.ndarray]:
        path = self._folder / METADATA_ROWS
        meta, tables = parse_tables(path, self._data[METADATA_ROWS], METADATA_TABLES)
        blocks, fields = len(tables["row_crcs"]), len(tables["field_crcs"])
        counts = [len(tables[f"field_{name}"]) for name in ("keys", "entries", "key_bytes")]
        ends = [len(tables[f"field_{name}"]) for name in ("offsets", "places")]
        if (
            meta.get("documents") != self._documents
            or blocks != (self._documents + METADATA_BLOCK - 1) // METADATA_BLOCK
            or [len(tables["row_sizes"]), len(tables["row_places"])] != [blocks, blocks + 1]
            or [*counts, *ends] != [fields] * 3 + [fields + 1] * 2
            or not ascends(tables["field_offsets"], 0, len(tables["field_bytes"]), strict=False)
        ):
            raise damaged(path, "its numbers do not agree")
        if not ascends(tables["row_places"], 0, len(self._data[METADATA]), strict=True):
            raise damaged(self._folder / METADATA, "its blocks are not where they should be")
        if not ascends(tables["field_places"], 0, len(self._data[COLUMNS]), strict=bool(fields)):
            raise damaged(self._folder / COLUMNS, "its columns are not where they should be")
        return tables

    @cached_property
    def fields(self) -> list[str]:
        """Names of the fields, in the order of their UTF-8.

        :raises IndexFolderError: if the tables are damaged.
        """
        tables = self._tables
        try:
            names = Strings(tables["field_bytes"], tables["field_offsets"])
            return [raw.decode() for raw in names.range(0, len(names))]
        except UnicodeDecodeError:
            raise damaged(self._folder / METADATA_ROWS, "a name is no UTF-8") from None

    def metadata(self, number: int) -> Metadata:
        """Return the metadata of a document.

        :param number: its number, within range.
        :raises IndexFolderError: if it is damaged.
        """
        return self._unpacked(self._block(number // METADATA_BLOCK)[number % METADATA_BLOCK])

    def rows(self) -> Iterator[bytes]:
        """Yield the packed metadata of all documents, in order.

        :raises IndexFolderError: if a block is damaged.
        """
        for block in range(len(self._tables["row_crcs"])):
            yield from self._block(block)

    def column(self, name: str) -> FieldColumn | None:
        """Return the values of a field; None where no document of the segment has it.

        :raises IndexFolderError: if the column is damaged.
        """
        if name not in self._read:
            place = bisect_left(self.fields, name.encode(), key=str.encode)
            if place == len(self.fields) or self.fields[place] != name:
                return None
            self._read[name] = self._column(place)
        return self._read[name]

    def verify(self) -> None:
        """Read everything, and compare the columns with the rows.

        :raises IndexFolderError: if something is damaged.
        """
        sums: Counter[bytes] = Counter()
        for number, row in enumerate(self.rows()):
            for field, key in self._entries(row):
                sums[field] += _entry(key, number)
        names = [name.encode() for name in self.fields]
        if names != sorted(sums):
            raise damaged(self._folder / METADATA_ROWS, "its fields are not those of its rows")
        for name in names:
            column = self.column(name.decode())
            if column is None or not column.check(sums[name]):
                raise damaged(self._folder / COLUMNS, f"the column {name.decode()!r} is not that of the rows")

    def _block(self, block: int) -> list[bytes]:
        path, tables = self._folder / METADATA, self._tables
        packed = self._data[METADATA][tables["row_places"][block] : tables["row_places"][block + 1]]
        size = int(tables["row_sizes"][block])
        if zlib.crc32(as_bytes(packed)) != tables["row_crcs"][block] or size > 255 * len(packed) + 64:
            raise damaged(path, f"the checksum of its block {block:,} is off")
        try:
            raw: bytes = lz4.block.decompress(as_bytes(packed), uncompressed_size=size)
        except lz4.block.LZ4BlockError:
            raise damaged(path, f"its block {block:,} cannot be decompressed") from None
        rows = raw.split(b"\n")
        if len(rows) != min(METADATA_BLOCK, self._documents - block * METADATA_BLOCK):
            raise damaged(path, f"its block {block:,} has {len(rows):,} rows")
        return rows

    def _unpacked(self, row: bytes) -> Metadata:
        try:
            return unpacked(row)
        except (ValueError, RecursionError):
            raise damaged(self._folder / METADATA, "a row cannot be read") from None

    def _entries(self, row: bytes) -> set[tuple[bytes, bytes]]:
        try:
            return set(entries(self._unpacked(row)))
        except (ValueError, TypeError, OverflowError):
            raise damaged(self._folder / METADATA, "a row holds what is no metadata") from None

    def _column(self, place: int) -> FieldColumn:
        path, tables = self._folder / COLUMNS, self._tables
        first, past = (int(each) for each in tables["field_places"][place : place + 2])
        keys, count, size = (int(tables[f"field_{name}"][place]) for name in ("keys", "entries", "key_bytes"))
        width = column_width(size, count)
        ends = np.cumsum([(keys + 1) * width.itemsize, (keys + 1) * width.itemsize, 4 * count, size]).tolist()
        if first % COLUMN_ALIGN or past - first != ends[-1] + -ends[-1] % COLUMN_ALIGN or keys < 1:
            raise damaged(path, f"it does not hold the column {self.fields[place]!r}")
        data = self._data[COLUMNS][first:past]
        if zlib.crc32(as_bytes(data)) != tables["field_crcs"][place]:
            raise damaged(path, f"the checksum of the column {self.fields[place]!r} is off")
        offsets, starts = data[: ends[0]].view(width), data[ends[0] : ends[1]].view(width)
        documents, names = data[ends[1] : ends[2]].view("<u4"), data[ends[2] : ends[3]]
        if (
            not ascends(offsets, 0, size, strict=True)
            or not ascends(starts, 0, count, strict=True)
            or documents.max() >= self._documents
        ):
            raise damaged(path, f"the column {self.fields[place]!r} is out of order")
        return FieldColumn(Strings(names, offsets), starts, documents)


def _entry(key: bytes, document: int) -> int:
    """Return a number for a value of a document, such that sums of others are others."""
    return zlib.crc32(key, zlib.crc32(document.to_bytes(4, "little")))
