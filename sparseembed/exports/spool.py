"""Postings that wait on disk until all are there: written document by document, read back by document or by term."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

_CHUNK = 1 << 18  # postings that are moved at once


class Postings(NamedTuple):
    """The postings of a term.

    :param term: Its number.
    :param documents: int32, ascending.
    :param impacts: int32.
    """

    term: int
    documents: np.ndarray
    impacts: np.ndarray


class Spool:
    """Terms and impacts of documents in two files of a scratch folder, int32 each."""

    def __init__(self, folder: Path, terms: int) -> None:
        """Begin.

        :param folder: A scratch folder.
        :param terms: How many there are.
        """
        self._folder = folder
        self._terms: BinaryIO = (folder / "terms.spool").open("w+b")
        self._impacts: BinaryIO = (folder / "impacts.spool").open("w+b")
        self.frequencies = np.zeros(terms, dtype=np.int64)
        """Documents of each term, so far."""
        self.sizes: list[int] = []
        """Terms of each document."""

    def add(self, terms: Sequence[int], impacts: Sequence[int]) -> None:
        """Take a document: its terms, each once, and their impacts."""
        numbers = np.asarray(terms, dtype="<i4")
        self._terms.write(numbers.tobytes())
        self._impacts.write(np.asarray(impacts, dtype="<i4").tobytes())
        self.frequencies[numbers] += 1
        self.sizes.append(len(numbers))

    @property
    def postings(self) -> int:
        """How many there are."""
        return int(self.frequencies.sum())

    def files(self) -> tuple[Path, Path]:
        """Return the files of terms and of impacts, in the order of documents, written out."""
        self._terms.flush()
        self._impacts.flush()
        return self._folder / "terms.spool", self._folder / "impacts.spool"

    def by_term(self) -> Iterator[Postings]:
        """Yield the postings of each term, in the order of their numbers; they are sorted in a file."""
        total = self.postings
        if not total:
            return
        terms, impacts = (np.memmap(each, dtype="<i4", mode="r") for each in self.files())
        # One row a posting: document, impact.
        rows = np.memmap(self._folder / "sorted.spool", dtype=np.int32, mode="w+", shape=(total, 2))
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(self.frequencies)])
        free = starts[:-1].copy()
        documents = self._documents()
        for first in range(0, total, _CHUNK):
            part = np.asarray(terms[first : first + _CHUNK])
            order = np.argsort(part, kind="stable")
            ordered = part[order]
            begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            counts = np.diff(np.append(begins, len(ordered)))
            places = np.repeat(free[ordered[begins]] - begins, counts) + np.arange(len(ordered))
            rows[places, 0] = next(documents)[order]
            rows[places, 1] = impacts[first : first + _CHUNK][order]
            free[ordered[begins]] += counts
        for term in range(len(self.frequencies)):
            found = rows[starts[term] : starts[term + 1]]
            yield Postings(term, found[:, 0], found[:, 1])

    def _documents(self) -> Iterator[np.ndarray]:
        """Yield the documents of the postings, as many at a time as `by_term` moves."""
        ends = np.cumsum(np.asarray(self.sizes, dtype=np.int64))
        for first in range(0, self.postings, _CHUNK):
            last = min(first + _CHUNK, self.postings)
            yield np.searchsorted(ends, np.arange(first, last), side="right").astype(np.int32)

    def close(self) -> None:
        """Close the files and remove them."""
        for handle, name in ((self._terms, "terms"), (self._impacts, "impacts"), (None, "sorted")):
            if handle is not None:
                handle.close()
            (self._folder / f"{name}.spool").unlink(missing_ok=True)
