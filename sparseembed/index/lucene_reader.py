"""Reads a commit of a Lucene index: searches, texts and ids, each for many at a time."""

import os
import re
import weakref
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from sparseembed.errors import EngineError, IndexFolderError
from sparseembed.java.helper import forget, helper, little, pack, unpack
from sparseembed.java.jvm import java_errors
from sparseembed.java.threads import forked, refuse_fork
from sparseembed.sparse.impacts import is_term

_REBUILD = "build the index again"

Found = tuple[list[str], list[float]]
"""The ids and scores of one query's hits, best first; equal scores by id, ascending as UTF-8 bytes."""


class LuceneReader:
    """One commit, open: it stays readable whatever is written to the folder. May be used by any thread."""

    def __init__(self, folder: Path, commit: str | None = None, verify: bool = True) -> None:
        """Open a folder for reading; it may be read-only, and several readers may share it.

        :param folder: The index.
        :param commit: Its commit's file, such as `segments_3`; the last one when None.
        :param verify: Read every byte once and compare the checksums (about 1 s a gigabyte).
        :raises IndexFolderError: There is no such commit, or it is damaged, or files are links.
        :raises EngineError: Java cannot be started, or not in this process.
        """
        refuse_fork()
        self.folder = folder
        self._handle: int | None = None
        _check_names(folder, commit)
        with java_errors(f"the index in {folder} is damaged", IndexFolderError, _REBUILD):
            self._handle = handle = helper("Reader", "open", str(folder.absolute()), commit, verify)
            weakref.finalize(self, forget, "Reader", handle).atexit = False
            documents, name, *pairs = [text or "" for text in unpack(helper("Reader", "about", handle))]
        self.documents = int(documents)
        self.commit = name
        self.user_data = dict(zip(pairs[::2], pairs[1::2], strict=True))

    def search(
        self, queries: Sequence[Mapping[str, int]], k: int, threads: int = 1, chosen: bytes | None = None
    ) -> list[Found]:
        """Find the documents with the largest dot products: exact ones, also where a float cannot hold them.

        :param queries: Each term -> weight, from 1 to 2^24 - 1; terms that no index can hold are passed over.
        :param k: Hits wanted for each, 1 or more.
        :param threads: Queries searched at the same time.
        :param chosen: A bit for each document that is not deleted, in the order in which they were added, the first one
            the lowest of the first byte: whether it may be a hit. All may when None.
        :return: The hits of each query with a score above 0.
        :raises EngineError: The reader is closed, Lucene fails, or this is a forked process.
        """
        kept = [{term: weight for term, weight in query.items() if is_term(term)} for query in queries]
        terms = pack(term for query in kept for term in query)
        counts = little([len(query) for query in kept], "<i4")
        weights = little([weight for query in kept for weight in query.values()], "<i4")
        with java_errors(f"searching {self.folder}"):
            asked = (counts, terms, weights, chosen, self._most(k), threads)
            packed = helper("Reader", "search", self._opened(), *asked)
        return _hits(packed, len(kept))

    def search_texts(
        self, texts: Sequence[str], k: int, threads: int, k1: float, b: float, analyzer: str
    ) -> list[Found]:
        """Find the documents with the largest BM25 scores, in an index of analysed texts.

        :param texts: The queries.
        :param k: Hits wanted for each, 1 or more.
        :param threads: Queries searched at the same time.
        :param k1: How fast repetitions stop counting.
        :param b: How much a document's length counts.
        :param analyzer: Name in Java of what took the documents apart.
        :return: The hits of each query; scores are float32 values.
        :raises EngineError: The reader is closed, Lucene fails, or this is a forked process.
        """
        with java_errors(f"searching {self.folder}"):
            packed = helper(
                "Reader", "searchTexts", self._opened(), analyzer, pack(texts), k1, b, self._most(k), threads
            )
        return _hits(packed, len(texts))

    def texts(self, ids: Sequence[str]) -> list[str | None]:
        """Give the stored texts of documents.

        :param ids: Their ids.
        :return: Their texts, None for an id that the commit has not.
        :raises EngineError: The reader is closed, Lucene fails, or this is a forked process.
        """
        with java_errors(f"reading {self.folder}"):
            return unpack(helper("Reader", "texts", self._opened(), pack(ids)))

    def ids(self) -> list[str]:
        """Give the ids of all documents, in the order in which they were added.

        :return: The ids, those of deleted documents left out.
        :raises EngineError: The reader is closed, Lucene fails, or this is a forked process.
        """
        with java_errors(f"reading {self.folder}"):
            return [text or "" for text in unpack(helper("Reader", "ids", self._opened()))]

    def close(self) -> None:
        """Close, once calls of other threads are done; closing twice, or in a forked process, is no error."""
        handle, self._handle = self._handle, None
        if handle is not None and not forked():
            with java_errors(f"closing {self.folder}"):
                helper("Reader", "close", handle)

    def _opened(self) -> int:
        refuse_fork()
        if self._handle is None:
            raise EngineError(f"the index in {self.folder} is closed: open it again")
        return self._handle

    def _most(self, k: int) -> int:
        return max(1, min(k, self.documents))


def _check_names(folder: Path, commit: str | None) -> None:
    """Raise unless there is an index, and all its files lie in the folder itself."""
    try:
        with os.scandir(folder) as entries:
            links = {entry.name: entry.is_symlink() for entry in entries}
    except OSError:
        links = {}
    wanted = "segments_[0-9a-z]+" if commit is None else re.escape(commit)
    if not any(re.fullmatch(wanted, name) for name in links):
        which = "Lucene index" if commit is None else f"commit {commit!r}"
        raise IndexFolderError(f"there is no {which} in {folder}: {_REBUILD}")
    link = next((name for name, is_link in links.items() if is_link), None)
    if link is not None:
        raise IndexFolderError(f"{folder / link} is a link: copy the index with its files")


def _hits(packed: bytes, queries: int) -> list[Found]:
    """Take apart what Java's `Batch.pack` made: counts, lengths of ids, scores, ids."""
    counts = np.frombuffer(packed, "<i4", queries)
    total = int(counts.sum())
    lengths = np.frombuffer(packed, "<i4", total, 4 * queries)
    scores = np.frombuffer(packed, "<f8", total, 4 * (queries + total)).tolist()
    ids = packed[4 * queries + 12 * total :].decode()
    ends = np.cumsum(lengths).tolist()
    named = [ids[start:end] for start, end in pairwise([0, *ends])]
    bounds = np.cumsum([0, *counts]).tolist()
    return [(named[a:b], scores[a:b]) for a, b in pairwise(bounds)]
