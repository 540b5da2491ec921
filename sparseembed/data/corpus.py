"""Documents and the corpus that holds them, in memory and in the order of their source."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from sparseembed.errors import DataError
from sparseembed.text import clean_text, one_line, shown

# Run files separate their columns by white space, and C code ends a string at NUL.
_BAD_IN_ID = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_BAD_IN_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Document:
    """One document; lone surrogates in its strings become U+FFFD, so that all of them can be written as UTF-8."""

    id: str
    title: str
    text: str

    def __post_init__(self) -> None:
        if not (self.id.isascii() and self.title.isascii() and self.text.isascii()):
            for field in ("id", "title", "text"):
                object.__setattr__(self, field, clean_text(getattr(self, field)))

    @property
    def contents(self) -> str:
        """What is embedded and indexed: title + " " + text, stripped, as BEIR does; "" for a blank document."""
        return f"{self.title} {self.text}".strip()


class Corpus(Sequence[Document]):
    """An ordered set of documents with unique ids; it is not to be changed once made."""

    def __init__(self, documents: Iterable[Document], name: str, identity: str | None = None) -> None:
        """Check the ids and keep the documents.

        :param documents: The documents, in the order that the corpus is to have.
        :param name: What to call the corpus; made safe as a folder name.
        :param identity: Where it came from, equal between runs: a resolved path, "pydocs", "ir_datasets:beir/scifact".
            Default: "memory:" and the name.
        :raises DataError: If there is no document, or an id is unusable or occurs twice.
        """
        self.name = safe_name(name)
        self.identity = f"memory:{name}" if identity is None else identity
        self._documents = list(documents)
        if not self._documents:
            raise DataError(f"{one_line(self.identity)}: the corpus has no documents: give it at least one")
        self._positions = {document.id: position for position, document in enumerate(self._documents)}
        self._check_ids()

    def _check_ids(self) -> None:
        seen: set[str] = set()
        unique = len(self._positions) == len(self._documents)
        for position, document in enumerate(self._documents):
            problem = id_problem(document.id)
            if not problem and not unique and document.id in seen:
                problem = f"id {shown(document.id)} occurs twice: ids must be unique, rename or remove one"
            if problem:
                raise DataError(f"{one_line(self.identity)}: document number {position + 1}: {problem}")
            if not unique:
                seen.add(document.id)

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> list[Document]: ...

    def __getitem__(self, index: int | slice) -> Document | list[Document]:
        return self._documents[index]

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents)

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self):,} documents, from {self.identity!r})"

    @property
    def ids(self) -> list[str]:
        """The documents' ids, in the corpus's order."""
        return list(self._positions)

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

    @cached_property
    def blanks(self) -> int:
        """Number of blank documents: those with no character but white space."""
        return sum(not document.contents for document in self._documents)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over ids and contents, as hexadecimal digits; another order gives another fingerprint."""
        digest = hashlib.sha256()
        for document in self._documents:
            for part in (document.id.encode(), document.contents.encode()):
                # The length keeps ("ab", "c") and ("a", "bc") apart.
                digest.update(len(part).to_bytes(8, "big"))
                digest.update(part)
        return digest.hexdigest()


def id_problem(identifier: str) -> str:
    """Say what is wrong with an id.

    :param identifier: The id of a document or query.
    :return: What is wrong and what to do about it; "" for a usable id.
    """
    if not identifier:
        return "the id is empty: give it at least one character"
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
