"""How often each term stands in each of some documents."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Ints

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Occurrences:
    """The terms that stand in some documents, each once a document, as lists: for a few texts, without a matrix.

    :param rows: Document of each, shape (m,), in order.
    :param terms: Term of each, shape (m,).
    :param often: How often it stands there, shape (m,), int32.
    :param shape: (n, W).
    :param scored: Which terms make a text's length and have BM25 impacts, shape (W,); None for all.
    """

    rows: Ints
    terms: Ints
    often: npt.NDArray[np.int32]
    shape: tuple[int, int]
    scored: Mask | None

    @cached_property
    def lengths(self) -> Ints:
        """Scored terms of each document, repetitions included, shape (n,)."""
        often = self.often if self.scored is None else self.often * self.scored[self.terms]
        return np.bincount(self.rows, often, minlength=self.shape[0]).astype(np.int64)

    def counts(self) -> "TermCounts":
        """Return them as a matrix."""
        return TermCounts(self.rows, self.terms, self.shape, self.scored, self.often)


class TermCounts:
    """Term frequencies of documents' literal terms.

    :ivar matrix: scipy CSR, shape (n, W), int32: how often term t stands in document d.
    :ivar scored: Which terms make a text's length and have BM25 impacts, shape (W,); None for all.
    """

    def __init__(
        self,
        rows: Ints,
        terms: Ints,
        shape: tuple[int, int],
        scored: Mask | None = None,
        occurrences: npt.NDArray[np.int32] | None = None,
    ) -> None:
        """Count occurrences.

        :param rows: Document of each occurrence, shape (m,).
        :param terms: Term of each occurrence, shape (m,); negative ones are left out.
        :param shape: (n, W).
        :param scored: Which terms are scored, shape (W,); all when None.
        :param occurrences: How many each stands for, shape (m,); one when None.
        """
        from scipy.sparse import coo_array

        known = terms >= 0
        counted = np.ones(int(known.sum()), dtype=np.int32) if occurrences is None else occurrences[known]
        self.matrix: Any = coo_array((counted, (rows[known], terms[known])), shape=shape).tocsr()
        self.matrix.sum_duplicates()
        self.scored = scored

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def take(self, rows: Ints) -> "TermCounts":
        """Return the counts of some of the documents, shape (len(rows), W)."""
        part = TermCounts.__new__(TermCounts)
        part.matrix, part.scored = self.matrix[rows].tocsr(), self.scored
        return part

    @cached_property
    def frequency(self) -> Ints:
        """Documents that each term stands in, shape (W,)."""
        counted: Ints = np.bincount(self.matrix.indices, minlength=self.matrix.shape[1])
        return counted

    @cached_property
    def lengths(self) -> Ints:
        """Scored terms of each document, repetitions included, shape (n,)."""
        data = self.matrix.data
        if self.scored is not None:
            data = data * self.scored[self.matrix.indices]
        ends = np.concatenate([[0], np.cumsum(data, dtype=np.int64)])[self.matrix.indptr]
        lengths: Ints = np.diff(ends)
        return lengths
