"""Which documents have which value in which field: gathered document by document, given in order, in bounded memory."""

import heapq
import struct
import tempfile
from array import array
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple

MEMORY = 64 << 20
"""Bytes that what is gathered may take before it is sorted and put aside."""

_HEAD = struct.Struct("<III")
_NEW = 250  # bytes of a key's objects
_ENTRY = 4

_Run = Iterator[tuple[bytes, bytes, bytes]]


class Postings(NamedTuple):
    """The documents that have a value: its key, and the bytes of their numbers, uint32, ascending."""

    key: bytes
    documents: bytes


class Gathered:
    """Takes the values of documents, in the order of their numbers."""

    def __init__(self, folder: Path, memory: int = MEMORY) -> None:
        """Begin empty.

        :param folder: where temporary files are made; they have no names there.
        :param memory: bytes to gather before they are put aside.
        """
        self._folder, self._memory = folder, memory
        self._used = 0
        self._fields: dict[bytes, dict[bytes, array[int]]] = {}
        self._files: list[BinaryIO] = []

    def add(self, field: bytes, key: bytes, document: int) -> None:
        """Take a value.

        :param field: UTF-8 of its field's name.
        :param key: its key.
        :param document: the number of its document; a value that the document has already is passed over.
        """
        known = self._fields.setdefault(field, {})
        documents = known.get(key)
        if documents is None:
            known[key] = array("I", [document])
            self._used += _NEW + len(key)
        elif documents[-1] != document:
            documents.append(document)
            self._used += _ENTRY

    def rest(self) -> None:
        """Put what is gathered aside, if it is much; a document's values are all there."""
        if self._used > self._memory:
            file: BinaryIO = tempfile.TemporaryFile(dir=str(self._folder))  # noqa: SIM115
            self._files.append(file)
            for field, key, documents in self._sorted():
                file.write(_HEAD.pack(len(field), len(key), len(documents)) + field + key + documents)
            self._fields, self._used = {}, 0

    def fields(self) -> Iterator[tuple[bytes, Iterator[Postings]]]:
        """Yield the fields, ascending, each with its keys, ascending; read each field's before the next field."""
        runs = [*(_read(file) for file in self._files), self._sorted()]
        merged = heapq.merge(*runs, key=itemgetter(0, 1))  # equal ones in the order of the runs
        for field, values in groupby(merged, key=itemgetter(0)):
            yield field, (_joined(key, parts) for key, parts in groupby(values, key=itemgetter(1)))

    def close(self) -> None:
        """Let go of the files; closing twice is no error."""
        while self._files:
            self._files.pop().close()

    def _sorted(self) -> _Run:
        for field in sorted(self._fields):
            for key, documents in sorted(self._fields[field].items()):
                yield field, key, documents.tobytes()


def _joined(key: bytes, parts: _Run) -> Postings:
    return Postings(key, b"".join(documents for _, _, documents in parts))


def _read(file: BinaryIO) -> _Run:
    file.seek(0)
    while head := file.read(_HEAD.size):
        sizes = _HEAD.unpack(head)
        yield file.read(sizes[0]), file.read(sizes[1]), file.read(sizes[2])
