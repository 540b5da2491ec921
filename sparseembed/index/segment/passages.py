"""The passages of a segment's long documents: where each begins and ends, and which of them brought each aligned term.

A document's passages are one record, with a crc32 that reading compares. A record does not depend on the numbers of
terms in its segment, so that merging copies it: a term goes by four bytes of its hash, with a salt under which no
aligned term of the document is like another term of it. So what is found of a term that the document has is exact.
"""

import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np

from sparseembed.errors import DataError
from sparseembed.index.segment.format import PASSAGE_TABLES, PASSAGES, PLACES, damaged, map_file
from sparseembed.index.segment.hashed import HashedFile
from sparseembed.index.segment.strings import encode
from sparseembed.index.segment.tables import read_tables, write_tables

if TYPE_CHECKING:
    from sparseembed.index.segment.columns import Column

_TRIALS = 16  # salts that are tried for keys that tell the aligned terms from all others
_HEAD = struct.Struct("<IIII")  # passages, terms, salt, length of an embedding


class Found(NamedTuple):
    """What a document's passages say of terms.

    :param passages: Which passage brought each aligned, int64 (n,), from 0; -1 for a term that is literal alone.
    :param impacts: What that adds to its impact, int64 (n,).
    """

    passages: np.ndarray
    impacts: np.ndarray


class Passages(NamedTuple):
    """The passages of a document.

    :param spans: uint32 (m, 2), begin and end of each in the document's text, in characters.
    :param salt: of the hashes.
    :param keys: uint32 (t,), hashes of the aligned terms, ascending.
    :param numbers: uint32 (t,), the passage that brought each, from 0.
    :param impacts: uint16 (t,), what that adds to its impact.
    :param embeddings: int8 (m, d) by `eight_bits`; (m, 0) where the index carries none.
    """

    spans: np.ndarray
    salt: int
    keys: np.ndarray
    numbers: np.ndarray
    impacts: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def of(
        cls,
        spans: np.ndarray,
        aligned: Mapping[str, tuple[int, int]],
        others: Iterable[str],
        embeddings: np.ndarray | None = None,
    ) -> "Passages":
        """Put passages together.

        :param spans: (m, 2), as above.
        :param aligned: term -> the passage that brought it, and what that adds to its impact.
        :param others: the other terms of the document, from which the aligned ones are to be told apart.
        :param embeddings: int8 (m, d).
        """
        terms = list(aligned)
        rest = [term for term in others if term not in aligned]
        for salt in range(_TRIALS):
            keys = hashes(terms, salt)
            found, often = np.unique(keys, return_counts=True)
            alone = found[(often == 1) & ~np.isin(found, hashes(rest, salt))]
            if len(alone) == len(terms):
                break
        # Of hundreds of thousands of terms some always share a key: these few are left without a passage.
        order = np.argsort(keys)
        order = order[np.isin(keys[order], alone)]
        pairs = np.array([aligned[term] for term in terms], dtype=np.int64).reshape(-1, 2)[order]
        rows = np.zeros((len(spans), 0), dtype=np.int8) if embeddings is None else embeddings
        return cls(
            np.asarray(spans, dtype=np.uint32),
            salt,
            keys[order],
            pairs[:, 0].astype(np.uint32),
            pairs[:, 1].astype(np.uint16),
            rows,
        )

    def find(self, terms: Sequence[str]) -> Found:
        """Return what brought terms that the document has."""
        keys = hashes(terms, self.salt)
        places = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        known = self.keys[places] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        passages, impacts = np.full(len(keys), -1, dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
        passages[known], impacts[known] = self.numbers[places[known]], self.impacts[places[known]]
        return Found(passages, impacts)

    def packed(self) -> bytes:
        """Return the record."""
        head = _HEAD.pack(len(self.spans), len(self.keys), self.salt, self.embeddings.shape[1])
        parts = (
            (self.spans, "<u4"),
            (self.keys, "<u4"),
            (self.numbers, "<u4"),
            (self.impacts, "<u2"),
            (self.embeddings, "|i1"),
        )
        return head + b"".join(np.ascontiguousarray(values, dtype=kind).tobytes() for values, kind in parts)

    @classmethod
    def unpacked(cls, record: bytes) -> "Passages":
        """Read a record.

        :raises ValueError: it is none.
        """
        if len(record) < _HEAD.size:
            raise ValueError("it is cut")
        count, terms, salt, dimension = _HEAD.unpack_from(record)
        place, arrays = _HEAD.size, []
        for size, kind in (
            (2 * count, "<u4"),
            (terms, "<u4"),
            (terms, "<u4"),
            (terms, "<u2"),
            (count * dimension, "|i1"),
        ):
            width = np.dtype(kind).itemsize
            if len(record) - place < size * width:
                raise ValueError("it is cut")
            arrays.append(np.frombuffer(record, dtype=kind, count=size, offset=place))
            place += size * width
        spans, keys, numbers, impacts, rows = arrays
        spans = spans.reshape(count, 2)
        if place != len(record) or count < 2 or np.any(spans[:, 0] >= spans[:, 1]):
            raise ValueError("its passages are none")
        if np.any(numbers >= count) or np.any(keys[1:] <= keys[:-1]):
            raise ValueError("its terms are out of order, or from no passage")
        return cls(spans, salt, keys, numbers, impacts, rows.reshape(count, dimension))


def hashes(terms: Sequence[str], salt: int) -> np.ndarray:
    """Return four bytes of each term's hash, uint32 (n,)."""
    salted = salt.to_bytes(blake2b.SALT_SIZE, "little")
    raw = b"".join(blake2b(encode(term), digest_size=4, salt=salted).digest() for term in terms)
    return np.frombuffer(raw, dtype="<u4").astype(np.uint32)


class PassagesWriter:
    """Writes records in the order of the documents; a segment without any gets no file."""

    def __init__(self, folder: Path) -> None:
        """Take the place.

        :param folder: the segment's folder.
        """
        self._folder = folder
        self.files: dict[str, HashedFile] = {}
        self._documents, self._offsets, self._crcs = array("i"), array("q", [0]), array("I")

    def add(self, document: int, record: bytes) -> None:
        """Add a document's record.

        :param document: the document's number, larger than those before.
        :param record: what `Passages.packed` gave.
        """
        if not self.files:
            self.files = {name: HashedFile(self._folder / name) for name in (PASSAGES, PLACES)}
        self.files[PASSAGES].write(record)
        self._documents.append(document)
        self._offsets.append(self._offsets[-1] + len(record))
        self._crcs.append(crc32(record))

    def finish(self, documents: int) -> dict[str, dict[str, Any]]:
        """Write the tables and close the files.

        :param documents: how many documents the segment has.
        :return: file name -> size and sha256; nothing where no document has several passages.
        :raises DataError: if the documents were not in order.
        """
        if not self.files:
            return {}
        numbers = np.array(self._documents, dtype=np.int32)
        if np.any(numbers[1:] <= numbers[:-1]) or numbers[-1] >= documents:
            raise DataError("the documents whose passages were given are out of order")
        tables: dict[str, np.ndarray | Column] = {
            "passage_documents": numbers,
            "passage_offsets": np.array(self._offsets, dtype=np.int64),
            "passage_crcs": np.array(self._crcs, dtype=np.uint32),
        }
        write_tables(self.files[PLACES], {"documents": documents}, tables)
        return {name: file.finish() for name, file in self.files.items()}

    def close(self) -> None:
        """Close the files as they are."""
        for file in self.files.values():
            file.close()


class PassagesReader:
    """Reads the records of documents."""

    def __init__(self, folder: Path, documents: int) -> None:
        """Map the files and check that they fit each other.

        :param folder: the segment's folder.
        :param documents: how many documents the segment has.
        :raises IndexFolderError: if they do not, or are missing.
        """
        self._path = folder / PASSAGES
        meta, tables = read_tables(folder / PLACES, PASSAGE_TABLES)
        self._data = map_file(self._path)
        self.numbers, self._offsets, self._crcs = tables.values()
        numbers, offsets = self.numbers, self._offsets
        if meta.get("documents") != documents or not len(numbers) == len(self._crcs) == len(offsets) - 1:
            raise damaged(folder / PLACES, "its numbers of documents do not agree")
        if len(numbers) and (np.any(numbers[1:] <= numbers[:-1]) or numbers[0] < 0 or numbers[-1] >= documents):
            raise damaged(folder / PLACES, "its documents are out of order")
        if offsets[0] != 0 or offsets[-1] != len(self._data) or np.any(offsets[1:] <= offsets[:-1]):
            raise damaged(self._path, f"its {len(self._data):,} bytes are not those of its records")

    def of(self, number: int) -> Passages | None:
        """Return the passages of a document; None where it has one.

        :param number: the document's number.
        :raises IndexFolderError: if the record is damaged.
        """
        place = int(self.numbers.searchsorted(number))
        if place == len(self.numbers) or self.numbers[place] != number:
            return None
        try:
            return Passages.unpacked(self._record(place))
        except ValueError as error:
            raise damaged(self._path, f"the record of document {number:,} cannot be read: {error}") from None

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Yield documents' numbers and records, in order.

        :raises IndexFolderError: if one is damaged.
        """
        for place, number in enumerate(self.numbers.tolist()):
            yield number, self._record(place)

    def _record(self, place: int) -> bytes:
        record: bytes = self._data[self._offsets[place] : self._offsets[place + 1]].tobytes()
        if crc32(record) != self._crcs[place]:
            raise damaged(self._path, f"the checksum of its record {place:,} is off")
        return record
