"""The texts of a segment: blocks of whole documents, compressed with lz4, with a crc32 compared at each read."""

import zlib
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import lz4.block
import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment.format import LARGEST_TEXT, TEXT_BLOCK, TEXT_TABLES, TEXTS, damaged, map_file
from sparseembed.index.segment.hashed import HashedFile
from sparseembed.index.segment.strings import decode, places_of, sized


class TextWriter:
    """Writes texts in the order of the documents."""

    def __init__(self, folder: Path) -> None:
        """Create the file.

        :param folder: the segment's folder.
        """
        self.file = HashedFile(folder / TEXTS)
        self._sizes = array("I")
        self._documents, self._packed, self._crcs = array("I"), array("I"), array("I")
        self._flushed = 0  # texts
        self._waiting: list[bytes] = []
        self._bytes = 0

    def add(self, text: bytes) -> None:
        """Add the next document's text.

        :param text: its UTF-8.
        :raises DataError: if it is longer than 1 GiB.
        """
        if len(text) > LARGEST_TEXT:
            raise DataError(f"a text has {len(text):,} bytes: {LARGEST_TEXT:,} is the most, so cut it")
        self._sizes.append(len(text))
        self._waiting.append(text)
        self._bytes += len(text)
        if self._bytes >= TEXT_BLOCK:
            self._flush()

    def tables(self) -> dict[str, np.ndarray]:
        """Write what waits.

        :return: the arrays of `TEXT_TABLES`.
        """
        if self._waiting:
            self._flush()
        arrays = (self._sizes, self._documents, self._packed, self._crcs)
        return {name: np.array(values, dtype=np.uint32) for name, values in zip(TEXT_TABLES, arrays, strict=True)}

    def _flush(self) -> None:
        packed = lz4.block.compress(b"".join(self._waiting), store_size=False)
        self.file.write(packed)
        self._crcs.append(zlib.crc32(packed))
        self._documents.append(len(self._sizes) - self._flushed)
        self._packed.append(len(packed))
        self._flushed = len(self._sizes)
        self._waiting, self._bytes = [], 0


class TextReader:
    """Reads texts by document number."""

    def __init__(self, folder: Path, tables: dict[str, np.ndarray]) -> None:
        """Map the file and check that the tables fit each other and the file.

        :param folder: the segment's folder.
        :param tables: the arrays of `TEXT_TABLES`.
        :raises IndexFolderError: if they do not.
        """
        self._path = folder / TEXTS
        self._data = map_file(self._path)
        sizes, documents, packed, self._crcs = (tables[name] for name in TEXT_TABLES)
        self._offsets, self._firsts, self._places = map(places_of, (sizes, documents, packed))
        if len(documents) != len(self._crcs) or len(packed) != len(self._crcs):
            raise damaged(self._path, "the numbers of its blocks do not agree")
        if not sized(documents, len(sizes)):
            raise damaged(self._path, "the documents of its blocks are not all documents")
        if not sized(packed, len(self._data)):
            raise damaged(self._path, f"its {len(self._data):,} bytes are not those of its blocks")

    def text(self, number: int) -> str:
        """Return the text of a document.

        :param number: the document's number, within range.
        :return: the text.
        :raises IndexFolderError: if its block is damaged.
        """
        block = int(self._firsts.searchsorted(number, side="right")) - 1
        raw = self._block(block)
        base = self._offsets[self._firsts[block]]
        return self._decoded(raw[self._offsets[number] - base : self._offsets[number + 1] - base])

    def raw(self) -> Iterator[bytes]:
        """Yield the UTF-8 of all texts, in the order of the documents.

        :raises IndexFolderError: if a block is damaged.
        """
        for block in range(len(self._crcs)):
            raw = self._block(block)
            bounds = self._offsets[self._firsts[block] : self._firsts[block + 1] + 1].tolist()
            for begin, end in pairwise(bounds):
                yield raw[begin - bounds[0] : end - bounds[0]]

    def verify(self) -> None:
        """Read every text.

        :raises IndexFolderError: if one is damaged.
        """
        for text in self.raw():
            self._decoded(text)

    def _block(self, block: int) -> bytes:
        packed = self._data[self._places[block] : self._places[block + 1]].tobytes()
        size = int(self._offsets[self._firsts[block + 1]] - self._offsets[self._firsts[block]])
        if zlib.crc32(packed) != self._crcs[block]:
            raise damaged(self._path, f"the checksum of its block {block:,} is off")
        if size > 255 * len(packed) + 64:  # more than lz4 can pack: a size that is wrong
            raise damaged(self._path, f"the size of its block {block:,} cannot be right")
        try:
            raw: bytes = lz4.block.decompress(packed, uncompressed_size=size)
        except lz4.block.LZ4BlockError:
            raw = b""
        if len(raw) != size:
            raise damaged(self._path, f"its block {block:,} cannot be decompressed")
        return raw

    def _decoded(self, raw: bytes) -> str:
        try:
            return decode(raw)
        except UnicodeDecodeError:
            raise damaged(self._path, "a text is no UTF-8") from None
