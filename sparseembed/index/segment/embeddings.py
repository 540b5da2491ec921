"""The embeddings of a segment's documents, in 8 bits: rows of one length, each with a crc32 that reading compares."""

import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment.format import EMBEDDING_TABLES, EMBEDDINGS, ROWS, as_bytes, damaged, map_file
from sparseembed.index.segment.hashed import HashedFile
from sparseembed.index.segment.tables import read_tables, write_tables

_READ = 4096  # rows read at once where all are


class EmbeddingsWriter:
    """Writes rows in the order of the documents."""

    def __init__(self, folder: Path, dimension: int) -> None:
        """Create the files.

        :param folder: the segment's folder.
        :param dimension: length d of a row.
        """
        self.dimension = dimension
        self.files = {EMBEDDINGS: HashedFile(folder / EMBEDDINGS), ROWS: HashedFile(folder / ROWS)}
        self._crcs = array("I")

    def add(self, rows: np.ndarray) -> None:
        """Add the next documents' rows.

        :param rows: int8 (n, d).
        :raises DataError: if they are something else.
        """
        if rows.dtype != np.int8 or rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise DataError(f"embeddings of {rows.dtype} {rows.shape} do not fit rows of {self.dimension:,} bytes")
        data = np.ascontiguousarray(rows)
        self.files[EMBEDDINGS].write(as_bytes(data))
        self._crcs.extend(map(zlib.crc32, data))

    def finish(self, documents: int) -> dict[str, dict[str, Any]]:
        """Write the tables and close the files.

        :param documents: how many documents the segment has.
        :return: file name -> size and sha256.
        :raises DataError: if there are more or fewer rows.
        """
        if len(self._crcs) != documents:
            raise DataError(f"there are embeddings of {len(self._crcs):,} documents, not of all {documents:,}")
        crcs = np.array(self._crcs, dtype=np.uint32)
        write_tables(self.files[ROWS], {"documents": documents, "dimension": self.dimension}, {"row_crcs": crcs})
        return {name: file.finish() for name, file in self.files.items()}

    def close(self) -> None:
        """Close the files as they are."""
        for file in self.files.values():
            file.close()


class EmbeddingsReader:
    """Reads rows by document number; `all_rows`, int8 (documents, d), is the file itself, unchecked."""

    def __init__(self, folder: Path, documents: int) -> None:
        """Map the files and check that they fit each other.

        :param folder: the segment's folder.
        :param documents: how many documents the segment has.
        :raises IndexFolderError: if they do not, or are missing.
        """
        self._path = folder / EMBEDDINGS
        meta, tables = read_tables(folder / ROWS, EMBEDDING_TABLES)
        data, self._crcs = map_file(self._path), tables["row_crcs"]
        self.dimension = meta.get("dimension", 0)
        if not self.dimension or meta.get("documents") != documents or len(self._crcs) != documents:
            raise damaged(folder / ROWS, "its numbers of documents do not agree")
        if len(data) != documents * self.dimension:
            raise damaged(self._path, f"it has {len(data):,} bytes, not {documents * self.dimension:,}")
        self.all_rows = data.view(np.int8).reshape(documents, self.dimension)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Return rows.

        :param numbers: document numbers, within range, (n,).
        :return: int8 (n, d).
        :raises IndexFolderError: if one is damaged.
        """
        found: np.ndarray = self.all_rows[numbers]
        crcs = list(map(zlib.crc32, found))
        if crcs != self._crcs[numbers].tolist():
            off = int(numbers[np.array(crcs, dtype=np.uint32) != self._crcs[numbers]][0])
            raise damaged(self._path, f"the checksum of its row {off:,} is off")
        return found

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all rows, in order, some at a time.

        :raises IndexFolderError: if one is damaged.
        """
        for first in range(0, len(self.all_rows), _READ):
            yield self.rows(np.arange(first, min(first + _READ, len(self.all_rows))))
