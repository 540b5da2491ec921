"""Writes Lucene indexes that Anserini and Pyserini read: impacts, or text for BM25; texts, deletions and commits.

Documents keep the order in which they are added: one thread, and merges of neighbours only. The bytes of two builds of
one input differ all the same: Lucene gives each segment a random number and the time.
"""

import re
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from sparseembed.errors import DataError, EngineError, IndexFolderError
from sparseembed.index.block import Block
from sparseembed.java.helper import forget, helper, little, pack, unpack
from sparseembed.java.jvm import java_errors
from sparseembed.java.threads import forked
from sparseembed.sparse.impacts import MAX_TERM_LENGTH, check_id, check_vector, is_term

_BATCH = 512  # documents that `ImpactIndexWriter` sends at once


class LuceneCommit(NamedTuple):
    """A commit of a store.

    :param name: Its file, such as `segments_3`: what a manifest names.
    :param documents: Documents in it that are not deleted.
    :param files: All files it consists of, with their sizes in bytes.
    """

    name: str
    documents: int
    files: dict[str, int]


class LuceneStore:
    """Writes an index block by block; a context manager that drops what was not committed.

    Every commit stays in the folder until `release`, so that a manifest that names one can move on to the next first.
    The caller sees to it that no other process writes to the folder, and that an id occurs once.
    """

    def __init__(self, folder: Path, commit: str | None, analyzer: str | None, memory: int) -> None:
        """Use `create` or `append`."""
        self.folder = folder
        self.documents = 0
        self._vocabulary: Sequence[str] | None = None
        self._handle: int | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(f"{folder}: {error.strerror}: choose a folder that can be written to") from error
        with java_errors(f"opening {folder} for writing", IndexFolderError, "build the index again"):
            self._handle = helper("Store", "open", str(folder.absolute()), commit, analyzer, float(memory))
        weakref.finalize(self, forget, "Store", self._handle).atexit = False

    @classmethod
    def create(cls, folder: Path, *, analyzer: str | None = None, memory: int = 0) -> Self:
        """Open a folder for a new index; a commit that stands there is replaced by the next one.

        :param folder: Where to write; made if it is missing.
        :param analyzer: Name in Java of what takes texts apart for BM25 (`add_texts`); None for impacts (`add`).
        :param memory: Megabytes to collect postings in; 0 for an eighth of the heap, at most 128.
        :return: The store.
        :raises EngineError: The folder cannot be written to, or Java not be started.
        """
        return cls(folder, None, analyzer, memory)

    @classmethod
    def append(cls, folder: Path, commit: str, *, memory: int = 0) -> Self:
        """Open an index of impacts at a commit, to add and delete; commits after it, which a crash left, are removed.

        :param folder: The index.
        :param commit: Its commit's file, such as `segments_3`.
        :param memory: Megabytes to collect postings in; 0 for an eighth of the heap, at most 128.
        :return: The store.
        :raises IndexFolderError: There is no such commit, or it is damaged.
        :raises EngineError: The folder cannot be written to, or Java not be started.
        """
        if not re.fullmatch("segments_[0-9a-z]+", commit) or not (folder / commit).is_file():
            raise IndexFolderError(f"there is no commit {commit!r} in {folder}: build the index again")
        return cls(folder, commit, None, memory)

    def add(self, block: Block) -> None:
        """Add documents.

        :param block: The documents; texts are stored as Pyserini's `raw`.
        :raises DataError: An id or a term cannot be one, or an impact is 0.
        :raises EngineError: Lucene cannot write, or the store is closed.
        """
        self._check(block)
        handle = self._opened()
        with java_errors(f"adding documents to {self.folder}"):
            if block.vocabulary is not self._vocabulary:
                helper("Store", "vocabulary", handle, pack(block.vocabulary))
                self._vocabulary = block.vocabulary
            numbers = (little(block.indptr, "<i8"), little(block.terms, "<i4"), little(block.impacts, "<u2"))
            helper("Store", "add", handle, pack(block.ids), pack(block.texts), pack(block.extra), *numbers)
        self.documents += len(block.ids)

    def add_texts(self, ids: Sequence[str], texts: Sequence[str]) -> None:
        """Add documents to a store for BM25; their texts are not stored.

        :param ids: The ids.
        :param texts: The texts; a blank one is counted and never found.
        :raises DataError: An id cannot be one.
        :raises EngineError: Lucene cannot write, or the store is closed.
        """
        for doc_id in ids:
            check_id(doc_id)
        with java_errors(f"adding documents to {self.folder}"):
            helper("Store", "addTexts", self._opened(), pack(ids), pack(texts))
        self.documents += len(ids)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete documents, also such as were added just now; unknown ids are passed over.

        :param ids: The ids.
        :raises EngineError: Lucene cannot write, or the store is closed.
        """
        with java_errors(f"deleting documents from {self.folder}"):
            helper("Store", "delete", self._opened(), pack(ids))

    def merge(self) -> None:
        """Merge all segments into one, without the deleted documents.

        :raises EngineError: Lucene cannot write, or the store is closed.
        """
        with java_errors(f"merging {self.folder}"):
            helper("Store", "merge", self._opened())

    def commit(self, user_data: Mapping[str, str] | None = None) -> LuceneCommit:
        """Make what was done so far a commit, safely on disk.

        :param user_data: Strings to keep in it, such as the id of the build.
        :return: The commit.
        :raises EngineError: Lucene cannot write, or the store is closed.
        """
        pairs = [text for pair in (user_data or {}).items() for text in pair]
        with java_errors(f"committing {self.folder}"):
            answer = helper("Store", "commit", self._opened(), pack(pairs))
        name, documents, *files = [text or "" for text in unpack(answer)]
        return LuceneCommit(name, int(documents), dict(zip(files[::2], map(int, files[1::2]), strict=True)))

    def release(self) -> None:
        """Delete all commits but the last, and the files that only they used. Open readers keep what they have.

        :raises EngineError: Lucene cannot write, or the store is closed.
        """
        with java_errors(f"removing old commits from {self.folder}"):
            helper("Store", "release", self._opened())

    def close(self) -> None:
        """Close; what was not committed is dropped. Closing twice, or in a forked process, is no error.

        :raises EngineError: Lucene cannot put the folder back to its last commit.
        """
        handle, self._handle = self._handle, None
        if handle is not None and not forked():
            with java_errors(f"closing {self.folder}"):
                helper("Store", "close", handle)

    def abandon(self) -> None:
        """Close, whatever comes of it: the error that led here, such as a full disk, has been reported."""
        try:
            self.close()
        except EngineError:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _opened(self) -> int:
        if self._handle is None:
            raise EngineError(f"the index writer of {self.folder} is closed: open a new one")
        return self._handle

    def _check(self, block: Block) -> None:
        """Raise unless Lucene would store every id, term and impact as it is."""
        for doc_id in block.ids:
            check_id(doc_id)
        new = block.extra if block.vocabulary is self._vocabulary else [*block.vocabulary, *block.extra]
        bad = next((term for term in new if not is_term(term)), None)
        if bad is not None:
            raise DataError(f"{bad!r} cannot be a term: it must have 1 to {MAX_TERM_LENGTH} characters, no white space")
        known = len(block.vocabulary) + len(block.extra)
        sound = (
            len(block.indptr) == len(block.ids) + 1 == len(block.texts) + 1
            and block.indptr[0] == 0
            and block.indptr[-1] == len(block.terms) == len(block.impacts)
            and bool(np.all(np.diff(block.indptr) >= 0))
            and bool(np.all((block.terms >= 0) & (block.terms < known)))
        )
        if not sound:
            raise ValueError("the arrays of the block do not fit together")
        if len(block.impacts) and block.impacts.min() < 1:
            raise DataError(f"an impact of 0 in the documents {block.ids[0]!r} to {block.ids[-1]!r}: leave it out")


class ImpactIndexWriter:
    """Writes an impact index of a new folder, document by document."""

    def __init__(self, folder: Path) -> None:
        """Open an empty folder for writing.

        :param folder: Where to write; made if it is missing, and must be empty.
        :raises IndexFolderError: The folder is not empty.
        :raises EngineError: It cannot be written to.
        """
        if folder.is_dir() and any(folder.iterdir()):
            raise IndexFolderError(f"{folder} is not empty: remove what it holds or choose another folder")
        self.folder = folder
        self.documents = 0
        self._store = LuceneStore.create(folder)
        self._ids: set[str] = set()
        self._waiting: list[tuple[str, Mapping[str, int]]] = []
        self._closed = False

    def add(self, doc_id: str, vector: Mapping[str, int]) -> None:
        """Add a document.

        :param doc_id: Its id.
        :param vector: Term -> weight, 1 to 65,535; empty for a document that is counted and never found.
        :raises DataError: The id occurs twice, or Lucene would not store a term or weight as it is.
        :raises EngineError: Lucene cannot write.
        """
        check_id(doc_id)
        check_vector(doc_id, vector)
        if self._closed:
            raise EngineError(f"the index writer of {self.folder} is closed: open a new one")
        if doc_id in self._ids:
            raise DataError(f"the document id {doc_id!r} occurs twice: give each document its own")
        self._ids.add(doc_id)
        self._waiting.append((doc_id, dict(vector)))
        self.documents += 1
        if len(self._waiting) == _BATCH:
            self._send()

    def close(self) -> None:
        """Merge into one segment, commit, and check the count; closing twice is no error.

        :raises EngineError: Lucene cannot write, or holds another number of documents than was added.
        """
        if self._closed:
            return
        try:
            self._send()
            self._store.merge()
            written = self._store.commit().documents
            self._store.release()
        except BaseException:
            self.abandon()
            raise
        self._closed = True
        self._store.close()
        if written != self.documents:
            raise EngineError(
                f"the index in {self.folder} holds {written:,} documents, {self.documents:,} were added: build it again"
            )

    def abandon(self) -> None:
        """Give up: nothing is committed, so that the folder holds no index."""
        self._closed = True
        self._store.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        numbers: dict[str, int] = {}
        terms = [numbers.setdefault(term, len(numbers)) for _, vector in waiting for term in vector]
        indptr = np.cumsum([0, *(len(vector) for _, vector in waiting)], dtype=np.int64)
        impacts = [impact for _, vector in waiting for impact in vector.values()]
        self._store.add(
            Block(
                ids=[doc_id for doc_id, _ in waiting],
                texts=[""] * len(waiting),
                indptr=indptr,
                terms=np.asarray(terms, dtype=np.int32),
                impacts=np.asarray(impacts, dtype=np.uint16),
                vocabulary=(),
                extra=list(numbers),
            )
        )
