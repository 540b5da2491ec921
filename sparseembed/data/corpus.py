"""Documents and the corpus that gives them, in the order of their source and as often as wanted."""

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from sys import getsizeof
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from sparseembed.data.metadata import NONE, Metadata, metadata_of, packed
from sparseembed.data.opening import Spool
from sparseembed.errors import DataError
from sparseembed.text import clean_text, one_line, shown

MEMORY = 32 << 20  # bytes of documents that are kept in memory; of more, the ids alone
LONGEST_ID = 8_000  # characters: a term of Lucene, with up to four bytes each, has 32,766 bytes at most
_DOCUMENT_BYTES = 128  # what a document takes beside its texts
_VALUE_BYTES = 4  # what metadata takes, for each byte of it packed
# Run files separate their columns by white space, and C code ends a string at NUL.
_BAD_IN_ID = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_BAD_IN_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Document:
    """One document; lone surrogates in its strings become U+FFFD, so that all of them can be written as UTF-8.

    :param metadata: What else its source says of it, by name; kept flat and read-only (see `metadata_of`).
    :raises DataError: Its metadata cannot be kept.
    """

    id: str
    title: str
    text: str
    metadata: Mapping[str, Any] = field(default=NONE, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.metadata, Metadata):
            object.__setattr__(self, "metadata", metadata_of(self.metadata))
        if not (self.id.isascii() and self.title.isascii() and self.text.isascii()):
            for name in ("id", "title", "text"):
                object.__setattr__(self, name, clean_text(getattr(self, name)))

    @property
    def contents(self) -> str:
        """What is embedded and indexed: title + " " + text, stripped, as BEIR does; "" for a blank document."""
        return f"{self.title} {self.text}".strip()


class Corpus(Sequence[Document]):
    """An ordered set of documents with unique ids; it is not to be changed once made.

    A small corpus is kept in memory. Of a large one only the ids are, and each pass reads its source again.
    """

    def __init__(
        self, documents: Iterable[Document] | Callable[[], Iterable[Document]], name: str, identity: str | None = None
    ) -> None:
        """Read the documents once and check their ids.

        :param documents: The documents, in the order that the corpus is to have; or a function that gives them, the
            same ones each time. A list or tuple stays in memory; what an iterator gives, which can be read only once,
            is kept in a temporary file where it is large.
        :param name: What to call the corpus; made safe as a folder name.
        :param identity: Where it came from, equal between runs: a resolved path, "pydocs", "ir_datasets:beir/scifact".
            Default: "memory:" and the name.
        :raises DataError: If there is no document, or an id is unusable or occurs twice.
        """
        self.name = safe_name(name)
        self.identity = f"memory:{name}" if identity is None else identity
        self._source: Iterable[Document] = _Called(documents) if callable(documents) else documents
        self._documents: list[Document] | None = None
        self._ids: list[str] = []
        self.blanks = 0  # documents with no character but white space
        self.fingerprint = ""  # SHA-256 over ids and contents, as hexadecimal digits; the order counts
        self.metadata_fingerprint = ""  # the same over ids and metadata; "" where no document has any
        self._scan()
        if not self._ids:
            raise DataError(f"{one_line(self.identity)}: the corpus has no documents: give it at least one")
        self._check_unique()

    def _scan(self) -> None:
        """Read all documents; keep them if they are few, or stand in memory already."""
        digest, size = _Digest(), 0
        listed = isinstance(self._source, list | tuple)
        kept: list[Document] | None = []
        documents = iter(self._source)
        # What is its own iterator is read only now: it gives nothing the next time.
        spool = _DocumentSpool() if documents is self._source else None
        for document in documents:
            if problem := id_problem(document.id):
                raise DataError(f"{one_line(self.identity)}: document number {len(self._ids) + 1}: {problem}")
            self._ids.append(document.id)
            self.blanks += not digest.add(document)
            if kept is not None:
                kept.append(document)
                size += _DOCUMENT_BYTES + getsizeof(document.title) + getsizeof(document.text)
                size += _VALUE_BYTES * digest.metadata_bytes
                if size > MEMORY and not listed:
                    if spool is not None:
                        spool.extend(kept)
                    kept = None
            elif spool is not None:
                spool.extend([document])
        self.fingerprint, self.metadata_fingerprint = digest.fingerprints()
        self._documents = kept
        self._source = spool if spool is not None and kept is None else self._source

    def _check_unique(self) -> None:
        """Raise the error for the first id that occurs twice; numbers are compared, which take less room than ids."""
        hashes = np.fromiter(map(hash, self._ids), np.int64, len(self._ids))
        hashes.sort()
        suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        if not suspects:
            return
        firsts: dict[str, int] = {}
        for position, doc_id in enumerate(self._ids):
            if hash(doc_id) in suspects and (first := firsts.setdefault(doc_id, position)) != position:
                locate = getattr(self._source, "twice", None)  # a file names its lines
                if locate is not None:
                    raise locate(first, position)
                raise DataError(
                    f"{one_line(self.identity)}: document number {position + 1}: id {shown(doc_id)} occurs twice: ids "
                    "must be unique, rename or remove one"
                )

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self):,} documents, from {self.identity!r})"

    def __iter__(self) -> Iterator[Document]:
        """Give the documents in order, from memory or by a pass over the source.

        :raises DataError: If the source no longer gives the documents that it gave at first.
        """
        return iter(self._documents) if self._documents is not None else self._read()

    def _read(self) -> Iterator[Document]:
        digest, position = _Digest(), 0
        for document in self._source:
            if position >= len(self) or document.id != self._ids[position]:
                raise self._changed(position)
            position += 1
            digest.add(document)
            yield document
        if position < len(self) or digest.fingerprints() != (self.fingerprint, self.metadata_fingerprint):
            raise self._changed(position)

    def _changed(self, position: int) -> DataError:
        return DataError(
            f"{one_line(self.identity)}: changed while it was in use (noticed at document number {position + 1:,}): "
            "run the command again, and leave the documents as they are until it has ended"
        )

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> list[Document]: ...

    def __getitem__(self, index: int | slice) -> Document | list[Document]:
        """Give a document or several; each call reads a large corpus up to there, so take many at once by `take`."""
        if self._documents is not None:
            return self._documents[index]
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        return self.take([range(len(self))[index]])[0]

    def __reversed__(self) -> Iterator[Document]:
        return iter(self.take(range(len(self) - 1, -1, -1)))

    def take(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[Document]:
        """Give documents by their positions, in one pass.

        :param rows: Positions from 0, in any order; one may occur more than once.
        :return: The documents, in the order of `rows`.
        :raises IndexError: If a position is negative or beyond the end.
        :raises DataError: As in iterating.
        """
        wanted = [int(row) for row in rows]
        if wanted and not 0 <= min(wanted) <= max(wanted) < len(self):
            raise IndexError(f"positions of a corpus of {len(self):,} documents are 0 to {len(self) - 1:,}")
        if self._documents is not None:
            return [self._documents[row] for row in wanted]
        places = set(wanted)
        # The pass ends with the last document wanted.
        read = itertools.islice(self, max(wanted, default=-1) + 1)
        found = {row: document for row, document in enumerate(read) if row in places}
        return [found[row] for row in wanted]

    def batches(self, size: int) -> Iterator[list[Document]]:
        """Give the documents in order, in lists of `size`; the last list may be shorter."""
        documents = iter(self)
        while batch := list(itertools.islice(documents, size)):
            yield batch

    def in_memory(self) -> "Corpus":
        """Give the same corpus with its documents in memory, for work that goes back and forth in them."""
        if self._documents is not None:
            return self
        loaded = copy(self)
        loaded._documents = list(self)
        return loaded

    @property
    def contents(self) -> "Contents":
        """What is embedded and indexed of each document, in order; can be read as often as wanted."""
        return Contents(self)

    @property
    def ids(self) -> list[str]:
        """The documents' ids, in the corpus's order."""
        return list(self._ids)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {doc_id: position for position, doc_id in enumerate(self._ids)}

    def has_id(self, doc_id: str) -> bool:
        """Whether a document of that id is in the corpus."""
        return doc_id in self._positions

    def index_of(self, doc_id: str) -> int:
        """Position of a document.

        :param doc_id: The document's id.
        :return: Its position, from 0.
        :raises DataError: If the corpus has no such document.
        """
        position = self._positions.get(doc_id)
        if position is None:
            raise DataError(
                f"no document {shown(doc_id)} in corpus {self.name} ({len(self):,} documents): "
                f"give an id of {one_line(self.identity)}"
            )
        return position


class Contents:
    """The contents of a corpus's documents, read from its source each time they are iterated over."""

    def __init__(self, corpus: Corpus) -> None:
        """Take the corpus."""
        self._corpus = corpus

    def __len__(self) -> int:
        return len(self._corpus)

    def __iter__(self) -> Iterator[str]:
        return (document.contents for document in self._corpus)


class _Called:
    """What a function gives, anew each time."""

    def __init__(self, function: Callable[[], Iterable[Document]]) -> None:
        self._function = function

    def __iter__(self) -> Iterator[Document]:
        return iter(self._function())


class _DocumentSpool:
    """Documents in a temporary file."""

    def __init__(self) -> None:
        self._file = Spool("documents")

    def extend(self, documents: Iterable[Document]) -> None:
        for document in documents:
            row = [document.id, document.title, document.text, *([document.metadata] if document.metadata else [])]
            line = json.dumps(row, ensure_ascii=False)
            self._file.write(line.encode() + b"\n")

    def __iter__(self) -> Iterator[Document]:
        with self._file.open() as lines:
            for line in lines:
                yield Document(*json.loads(line))


class _Digest:
    """The fingerprints of a corpus, document by document."""

    def __init__(self) -> None:
        self._contents, self._metadata = hashlib.sha256(), hashlib.sha256()
        self._any = False
        self.metadata_bytes = 0  # of the last document, packed

    def add(self, document: Document) -> str:
        """Add a document; return its contents."""
        contents, doc_id = document.contents, document.id.encode()
        _framed(self._contents, doc_id, contents.encode())
        data = packed(document.metadata)
        if data:
            _framed(self._metadata, doc_id, data)
            self._any = True
        self.metadata_bytes = len(data)
        return contents

    def fingerprints(self) -> tuple[str, str]:
        """Return those of the contents and of the metadata, the latter "" where there is none."""
        return self._contents.hexdigest(), self._metadata.hexdigest() if self._any else ""


def _framed(digest: "hashlib._Hash", *parts: bytes) -> None:
    for part in parts:
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)


def id_problem(identifier: str) -> str:
    """Say what is wrong with an id.

    :param identifier: The id of a document or query.
    :return: What is wrong and what to do about it; "" for a usable id.
    """
    if not identifier:
        return "the id is empty: give it at least one character"
    if len(identifier) > LONGEST_ID:
        return f"id {shown(identifier)} has {len(identifier):,} characters: {LONGEST_ID:,} is the most"
    if _BAD_IN_ID.search(identifier):
        return (
            f"id {shown(identifier)} holds white space or a control character, which would break a TREC run file: "
            'use another character, such as "_"'
        )
    return ""


def safe_name(name: str) -> str:
    """Turn any string into one that can name a file or folder on every system.

    :param name: For example an ir_datasets id, or the name of a folder.
    :return: The name with only ASCII letters, digits, ".", "_" and "-", no longer than 80 characters and not hidden;
        "corpus" if nothing is left.
    """
    return _BAD_IN_NAME.sub("-", name).strip("-.")[:80].rstrip("-.") or "corpus"
