"""Reads a segment: its files are mapped into memory, and nothing is read before it is needed."""

import zlib
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparseembed.errors import IndexFolderError
from sparseembed.index.segment.embeddings import EmbeddingsReader
from sparseembed.index.segment.format import (
    CRC_BLOCK,
    DOCUMENT_TABLES,
    DOCUMENTS,
    METADATA_FILES,
    PLACES,
    POSTINGS,
    ROWS,
    as_bytes,
    damaged,
)
from sparseembed.index.segment.passages import Passages, PassagesReader
from sparseembed.index.segment.posting_arrays import PostingArrays, open_postings
from sparseembed.index.segment.strings import Strings, decode, places_of
from sparseembed.index.segment.tables import read_tables
from sparseembed.index.segment.texts import TextReader
from sparseembed.index.segment.transposed import document_impacts, document_vector, document_vectors

if TYPE_CHECKING:
    from sparseembed.index.segment.metadata_reader import MetadataReader

_REMEMBERED = 1 << 16
"""Terms whose numbers are remembered."""


class SegmentReader:
    """A segment that is open for reading; may be shared by threads and survives a fork."""

    documents: int
    postings: int
    terms: int
    _arrays: PostingArrays

    def __init__(self, folder: Path) -> None:
        """Map the files, compare the checksums of the small arrays, and check that offsets are within range.

        :param folder: the segment's folder.
        :raises IndexFolderError: if a file is missing, cut or damaged.
        """
        self.folder = Path(folder)
        self._open_documents()
        self._open_terms()
        self._embeddings = EmbeddingsReader(self.folder, self.documents) if (self.folder / ROWS).exists() else None
        self.metadata = self._open_metadata()
        """The documents' metadata; None where none has any."""
        self._passages = PassagesReader(self.folder, self.documents) if (self.folder / PLACES).exists() else None
        self._checked = np.zeros(self.terms, dtype=bool)
        self._sound = np.zeros(len(self._arrays.crcs), dtype=bool)  # blocks of postings
        self._numbers: dict[str, int] = {}
        self._order = np.empty(0, dtype=np.int32)
        self._closed = False

    @property
    def arrays(self) -> PostingArrays:
        """The postings; terms must be given to `check` before theirs are used.

        :raises IndexFolderError: if the reader is closed.
        """
        if self._closed:
            raise IndexFolderError(f"{self.folder} is closed: open the index again")
        return self._arrays

    def id(self, number: int) -> str:
        """Return the id of a document."""
        return decode(self._ids.raw(self._within(number)))

    def ids(self, numbers: np.ndarray, compiled: bool = False) -> list[str]:
        """Return the ids of documents.

        :param numbers: int64 (n,), within range.
        :param compiled: whether a kernel puts them together.
        :return: n ids.
        """
        return self._ids.many(numbers, compiled)

    def raw_ids(self) -> Iterator[bytes]:
        """Yield the UTF-8 of all ids, in the order of the documents."""
        for first in range(0, self.documents, 4096):
            yield from self._ids.range(first, min(first + 4096, self.documents))

    def raw_texts(self) -> Iterator[bytes]:
        """Yield the UTF-8 of all texts, in the order of the documents."""
        return self._texts.raw()

    def raw_metadata(self) -> Iterator[bytes]:
        """Yield the packed metadata of all documents, in order; empty for a document without."""
        return repeat(b"", self.documents) if self.metadata is None else self.metadata.rows()

    def number(self, doc_id: str) -> int | None:
        """Return the number of the document that has an id, or None."""
        found = self._ids.find(doc_id, self._in_order())
        return found if found >= 0 else None

    def numbers(self, doc_ids: Sequence[str], compiled: bool = False) -> np.ndarray:
        """Return the numbers of documents.

        :param doc_ids: their ids, n.
        :param compiled: whether a kernel looks for them.
        :return: int64 (n,), -1 for an id that the segment has not.
        """
        return self._ids.find_many(doc_ids, self._in_order(), compiled)

    def _in_order(self) -> np.ndarray:
        """Return the numbers of all documents in the order of their ids."""
        if not len(self._order) and self.documents:
            order = np.full(self.documents, -1, dtype=np.int32)
            order[self.ranks] = np.arange(self.documents, dtype=np.int32)
            if np.any(order < 0):
                raise damaged(self.folder / DOCUMENTS, "two ids have the same rank")
            self._order = order
        return self._order

    def text(self, number: int) -> str:
        """Return the text of a document.

        :raises IndexFolderError: if it is damaged.
        """
        return self._texts.text(self._within(number))

    def lookup(self, terms: Sequence[str]) -> np.ndarray:
        """Find terms.

        :param terms: the terms.
        :return: int64 (n,), the number of each, -1 for a term that the segment lacks.
        """
        known = self._numbers
        found = [known.get(term) for term in terms]
        for place, number in enumerate(found):
            if number is None:
                if len(known) > _REMEMBERED:
                    known.clear()
                found[place] = known[terms[place]] = self._terms.find(terms[place])
        return np.array(found, dtype=np.int64)

    def check(self, numbers: np.ndarray) -> None:
        """Compare the checksums of the blocks that terms' postings are in, each the first time that it is asked for.

        :param numbers: int64, term numbers.
        :raises IndexFolderError: if one is damaged.
        """
        arrays = self.arrays
        if self._checked[numbers].all():
            return
        packed = as_bytes(arrays.words)[: int(arrays.begins[-1])]
        terms = numbers[~self._checked[numbers]]
        firsts = arrays.begins[arrays.starts[terms]] // CRC_BLOCK
        ends = (arrays.begins[arrays.starts[terms + 1]] - 1) // CRC_BLOCK + 1
        for term, first, end in zip(terms.tolist(), firsts.tolist(), ends.tolist(), strict=True):
            for block in range(first, end):
                if self._sound[block]:
                    continue
                if zlib.crc32(packed[block * CRC_BLOCK : (block + 1) * CRC_BLOCK]) != arrays.crcs[block]:
                    what = f"the checksum of a page with postings of {self._terms.text(term)!r} is off"
                    raise damaged(self.folder / POSTINGS, what)
                self._sound[block] = True
            self._checked[term] = True

    def impacts(self, number: int, terms: Sequence[str]) -> list[int]:
        """Return the impacts of terms in a document, 0 where one is absent."""
        number = self._within(number)
        numbers, arrays = self.lookup(terms), self.arrays
        has = numbers >= 0
        self.check(numbers[has])
        out = np.zeros(len(numbers), dtype=np.int64)
        out[has] = document_impacts(arrays, numbers[has], number)
        return out.tolist()

    def document_frequency(self, terms: Sequence[str]) -> list[int]:
        """Return in how many documents each term occurs, 0 for terms that the segment lacks."""
        numbers = self.lookup(terms)
        found = np.maximum(numbers, 0)
        return np.where(numbers >= 0, self._frequencies(found), 0).tolist() if self.terms else [0] * len(numbers)

    @property
    def dimension(self) -> int:
        """Length of the documents' embeddings; 0 where the segment has none."""
        return self._embeddings.dimension if self._embeddings is not None else 0

    def embeddings(self, numbers: np.ndarray) -> np.ndarray:
        """Return the embeddings of documents, in 8 bits.

        :param numbers: int64 (n,), within range.
        :return: int8 (n, d); (n, 0) where the segment has none.
        :raises IndexFolderError: if one is damaged.
        """
        return np.empty((len(numbers), 0), np.int8) if self._embeddings is None else self._embeddings.rows(numbers)

    def embedding_rows(self) -> np.ndarray:
        """Return the embeddings of all documents where they lie, int8 (documents, d), without comparing checksums."""
        return np.empty((self.documents, 0), np.int8) if self._embeddings is None else self._embeddings.all_rows

    def embedding_blocks(self) -> Iterator[np.ndarray]:
        """Yield the embeddings of all documents, in order, some at a time; nothing where the segment has none."""
        return iter(()) if self._embeddings is None else self._embeddings.blocks()

    @property
    def split(self) -> np.ndarray:
        """Numbers of the documents that have several passages, ascending, int32 (s,)."""
        return np.empty(0, np.int32) if self._passages is None else self._passages.numbers

    def passages(self, number: int) -> Passages | None:
        """Return the passages of a document; None where it has one, the whole text.

        :raises IndexFolderError: if they are damaged.
        """
        return None if self._passages is None else self._passages.of(self._within(number))

    def passage_records(self) -> Iterator[tuple[int, bytes]]:
        """Yield numbers of documents that have several passages, in order, and what is stored of these."""
        return iter(()) if self._passages is None else self._passages.records()

    def vector(self, number: int) -> dict[str, int]:
        """Return the terms and impacts of a document, the terms in ascending order."""
        number = self._within(number)
        self.check(np.arange(self.terms))
        return document_vector(self.arrays, self._terms, number)

    def vectors(self) -> Iterator[tuple[int, dict[str, int]]]:
        """Yield the number and the vector of all documents, in order, in bounded memory."""
        self.check(np.arange(self.terms))
        return document_vectors(self.arrays, self._terms, self.documents)

    def terms_iter(self) -> Iterator[tuple[str, int]]:
        """Yield the terms, ascending, and in how many documents each occurs."""
        for first in range(0, self.terms, 4096):
            last = min(first + 4096, self.terms)
            counts = self._frequencies(np.arange(first, last)).tolist()
            for raw, count in zip(self._terms.range(first, last), counts, strict=True):
                yield decode(raw), count

    def raw_terms(self, first: int, last: int) -> list[bytes]:
        """Return the UTF-8 of the terms from a number to before another; they ascend."""
        return self._terms.range(first, last)

    def verify(self) -> None:
        """Read every byte.

        :raises IndexFolderError: for a file that is damaged.
        """
        from sparseembed.index.segment.verify import verify

        verify(SegmentReader(self.folder))

    def close(self) -> None:
        """Let go of the files: they are unmapped once no search uses them. Closing twice is no error."""
        self._closed = True
        nothing = np.empty(0, dtype=np.uint8)
        self._arrays = self._arrays._replace(words=nothing.view(np.uint32))

    def _frequencies(self, numbers: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.arrays.frequencies[numbers].astype(np.int64)
        return found

    def _within(self, number: int) -> int:
        if not 0 <= number < self.documents:
            raise IndexError(f"{self.folder} has no document {number}: it has {self.documents:,}")
        return int(number)

    def _open_documents(self) -> None:
        path = self.folder / DOCUMENTS
        meta, tables = read_tables(path, DOCUMENT_TABLES)
        self.ranks = tables["ranks"]
        """int32 (documents,): the place of each id among all, sorted as UTF-8 bytes."""
        self.documents = len(self.ranks)
        offsets = places_of(tables["id_sizes"])
        if meta.get("documents") != self.documents or len(offsets) != self.documents + 1:
            raise damaged(path, "its numbers of documents do not agree")
        if len(tables["text_sizes"]) != self.documents:
            raise damaged(path, "its numbers of texts and documents do not agree")
        if offsets[-1] != len(tables["id_bytes"]):
            raise damaged(path, "its ids have not the bytes that are there")
        if self.documents and (self.ranks.min() < 0 or self.ranks.max() >= self.documents):
            raise damaged(path, "a rank is out of range")
        self._ids = Strings(tables["id_bytes"], offsets)
        self._texts = TextReader(self.folder, tables)

    def _open_metadata(self) -> "MetadataReader | None":
        if not any((self.folder / name).exists() for name in METADATA_FILES):
            return None
        from sparseembed.index.segment.metadata_reader import MetadataReader

        return MetadataReader(self.folder, self.documents)

    def _open_terms(self) -> None:
        opened = open_postings(self.folder, self.documents)
        self.bits, self.postings, self._terms, self._arrays = opened
        self.terms = len(self._terms)
