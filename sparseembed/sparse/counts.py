"""How often each term stands in each document: idf, and the BM25 impacts of literal terms."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
K1, B = 0.9, 0.4


class TermCounts:
    """Term frequencies of a corpus's literal terms.

    :ivar matrix: scipy CSR, shape (N, T), int32: how often term t stands in document d.
    """

    def __init__(
        self,
        rows: npt.NDArray[np.int64],
        terms: npt.NDArray[np.int64],
        shape: tuple[int, int],
        scored: int | None = None,
        occurrences: npt.NDArray[np.int32] | None = None,
    ) -> None:
        """Count occurrences.

        :param rows: Document of each occurrence, shape (n,).
        :param terms: Term of each occurrence, shape (n,); negative ones are left out.
        :param shape: (N, T).
        :param scored: Only so many terms, the first ones, make a text's length and have BM25 impacts; all when None.
        :param occurrences: How many each stands for, shape (n,); one when None.
        """
        from scipy.sparse import coo_array

        known = terms >= 0
        counted = np.ones(int(known.sum()), dtype=np.int32) if occurrences is None else occurrences[known]
        self.matrix: Any = coo_array((counted, (rows[known], terms[known])), shape=shape).tocsr()
        self.matrix.sum_duplicates()
        self.scored = shape[1] if scored is None else scored

    def excerpt(self, rows: npt.NDArray[np.int64], texts: Mapping[int, Sequence[int]]) -> "TermCounts":
        """Return the counts of some documents, as a corpus of their own.

        :param rows: The documents, shape (n,).
        :param texts: Place among them -> the terms of another text that stands there instead, repetitions included.
        """
        from scipy.sparse import coo_array

        part = self.matrix[rows].tocoo()
        kept = ~np.isin(part.coords[0], list(texts))
        placed = [(place, term) for place, terms in texts.items() for term in terms]
        places, terms = np.asarray(placed, dtype=np.int64).reshape(-1, 2).T
        excerpt = TermCounts(places, terms, part.shape, self.scored)
        rest = coo_array((part.data[kept], tuple(axis[kept] for axis in part.coords)), shape=part.shape)
        excerpt.matrix = (excerpt.matrix + rest.tocsr()).tocsr()
        return excerpt

    @cached_property
    def document_frequency(self) -> npt.NDArray[np.int64]:
        """Documents that each term stands in, shape (T,)."""
        counted: npt.NDArray[np.int64] = np.bincount(self.matrix.indices, minlength=self.matrix.shape[1])
        return counted

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Scored terms of each document, shape (N,)."""
        return np.asarray(self.matrix[:, : self.scored].sum(axis=1), dtype=np.int64).ravel()

    @cached_property
    def idf(self) -> Floats:
        """ln(1 + (n - df + 0.5) / (df + 0.5)), shape (T,), n the documents with terms: Lucene's BM25Similarity."""
        frequency = self.document_frequency
        # A piece may stand in a text of stop words alone, which has no scored term.
        documents = np.maximum(int((self.lengths > 0).sum()), frequency)
        result: Floats = np.log1p((documents - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
        return result

    def bm25(self, rows: npt.NDArray[np.int64]) -> Any:
        """Return the BM25 impacts of documents' literal terms, k1 0.9, b 0.4.

        idf x tf / (tf + k1 (1 - b + b length / mean length)): Lucene's BM25Similarity, with exact lengths where Lucene
        keeps them in one byte.

        :param rows: Documents, shape (n,).
        :return: scipy CSR, shape (n, T), float32.
        """
        from scipy.sparse import csr_array

        part = self.matrix[rows].tocsr()
        if self.scored < part.shape[1]:
            few = part[:, : self.scored].tocsr()
            part = csr_array((few.data, few.indices, few.indptr), shape=part.shape)
        filled = self.lengths[self.lengths > 0]
        mean = filled.mean() if len(filled) else 1.0
        norm = K1 * (1 - B + B * self.lengths[rows] / mean)
        frequency = part.data.astype(np.float64)
        impacts = self.idf[part.indices] * frequency / (frequency + np.repeat(norm, np.diff(part.indptr)))
        part.data = impacts.astype(np.float32)
        return part
