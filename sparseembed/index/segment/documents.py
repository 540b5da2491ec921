"""Writes the ids and the texts of a segment, in the order of the documents."""

from array import array
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment.columns import Column
from sparseembed.index.segment.format import DOCUMENTS, TEXTS
from sparseembed.index.segment.hashed import HashedFile
from sparseembed.index.segment.strings import decode, offsets_of, sort
from sparseembed.index.segment.tables import write_tables
from sparseembed.index.segment.texts import TextWriter


class DocumentsWriter:
    """Takes documents one by one and writes two files: texts and tables."""

    def __init__(self, folder: Path) -> None:
        """Create the files.

        :param folder: the segment's folder.
        """
        self._texts = TextWriter(folder)
        self.files = {TEXTS: self._texts.file}
        self.files[DOCUMENTS] = HashedFile(folder / DOCUMENTS)
        self._ids = bytearray()
        self._sizes = array("I")

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, doc_id: bytes, text: bytes) -> None:
        """Add the next document.

        :param doc_id: UTF-8 of its id.
        :param text: UTF-8 of its text.
        :raises DataError: if the text is longer than 1 GiB.
        """
        self._texts.add(text)
        self._ids += doc_id
        self._sizes.append(len(doc_id))

    def finish(self) -> dict[str, dict[str, Any]]:
        """Write the tables and close the files.

        :return: file name -> size and sha256.
        :raises DataError: if an id occurs twice.
        """
        sizes = np.array(self._sizes, dtype=np.uint32)
        data, offsets = np.frombuffer(self._ids, dtype=np.uint8), offsets_of(sizes)
        order, twice = sort(data, offsets)
        if twice is not None:
            doc_id = decode(data[offsets[twice] : offsets[twice + 1]].tobytes())
            raise DataError(f"the document id {doc_id!r} occurs twice: give each document its own")
        ranks = np.empty(len(order), dtype=np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        arrays: dict[str, np.ndarray | Column] = {
            "id_bytes": data,
            "id_sizes": sizes,
            "ranks": ranks,
            **self._texts.tables(),
        }
        write_tables(self.files[DOCUMENTS], {"documents": len(order)}, arrays)
        return {name: file.finish() for name, file in self.files.items()}

    def close(self) -> None:
        """Close the files as they are."""
        for file in self.files.values():
            file.close()
