"""What BM25 knows of a whole collection: sums over its documents, from which idf and impacts follow."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sparseembed.arrays import Ints, Vectors
from sparseembed.sparse.bm25 import idf, saturation
from sparseembed.sparse.counts import Occurrences, TermCounts

RARE = 1  # documents that a term stands in which the collection does not know


@dataclass(frozen=True)
class CollectionStatistics:
    """Sums over a collection; those of two collections add up to those of both.

    A term that is not among the T known ones counts as one that stands in a single document: so do the words that are
    left out of the vocabulary for being so rare, and the new words of documents that are added later.

    :param documents: Documents that have scored terms.
    :param length: Scored terms of all documents, repetitions included.
    :param frequency: Documents that each known term stands in, shape (T,).
    """

    documents: int
    length: int
    frequency: Ints

    @classmethod
    def of(cls, counts: TermCounts) -> "CollectionStatistics":
        """Sum over documents that are counted already."""
        return cls(int((counts.lengths > 0).sum()), int(counts.lengths.sum()), counts.frequency)

    def __add__(self, other: "CollectionStatistics") -> "CollectionStatistics":
        if len(self.frequency) != len(other.frequency):
            raise ValueError(
                f"{len(self.frequency)} known terms and {len(other.frequency)}: add those of one vocabulary"
            )
        return CollectionStatistics(
            self.documents + other.documents, self.length + other.length, self.frequency + other.frequency
        )

    @property
    def mean_length(self) -> float:
        """Mean number of scored terms of the documents that have some; 1 where none has."""
        return self.length / self.documents if self.documents else 1.0

    @cached_property
    def idf(self) -> Vectors:
        """Idf of the known terms, shape (T,), float32."""
        # A piece may stand in a text of stop words alone, which has no scored term.
        documents = np.maximum(self.documents, self.frequency)
        result: Vectors = idf(self.frequency, documents).astype(np.float32)
        return result

    def idf_of(self, terms: int) -> Vectors:
        """Return the idf of the known terms and of as many unknown ones after them as make `terms`, shape (terms,)."""
        rare = np.float32(idf(RARE, max(self.documents, RARE)))
        return np.concatenate([self.idf, np.full(terms - len(self.idf), rare, dtype=np.float32)])

    def impacts(self, counts: TermCounts) -> Any:
        """Return the BM25 impacts of documents' literal terms: idf times saturation.

        :param counts: Terms of n documents; the first T are the known ones, those after them unknown.
        :return: scipy CSR, shape (n, W), float32, in canonical form; terms that are not scored are left out.
        """
        from scipy.sparse import csr_array

        part = counts.matrix
        lengths = np.repeat(counts.lengths, np.diff(part.indptr))
        values = self._weighed(part.data, lengths, part.indices, part.shape[1])
        masked = counts.scored is not None  # then zeros are removed in place, not in the counts
        impacts = csr_array((values, part.indices, part.indptr), shape=part.shape, copy=masked)
        if counts.scored is not None:
            impacts.data = impacts.data * counts.scored[part.indices]
            impacts.eliminate_zeros()
        impacts.sort_indices()
        return impacts

    def impacts_of(self, occurrences: Occurrences) -> Vectors:
        """Return the impact of each of some occurrences, shape (m,), float32: those of `impacts`, without scipy."""
        lengths = occurrences.lengths[occurrences.rows]
        impacts = self._weighed(occurrences.often, lengths, occurrences.terms, occurrences.shape[1])
        return impacts if occurrences.scored is None else impacts * occurrences.scored[occurrences.terms]

    def _weighed(self, often: Any, lengths: Ints, numbers: Ints, terms: int) -> Vectors:
        """Return idf times saturation of occurrences, of texts of these lengths, among `terms` terms."""
        values = saturation(often.astype(np.float64), lengths, self.mean_length)
        result: Vectors = (self.idf_of(terms)[numbers] * values).astype(np.float32)
        return result
