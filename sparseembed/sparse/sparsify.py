"""Embeddings to weighted terms: aligned ones, and literal ones beside them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.adjustment import Adjustment
from sparseembed.alignment.decoding import Aligned, BestOf, Decoder
from sparseembed.alignment.prompts import best_of_prompts
from sparseembed.arrays import Ints, Vectors
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.config import SparseConfig
from sparseembed.sparse.counts import TermCounts
from sparseembed.sparse.pruning import worth_keeping
from sparseembed.sparse.weighting import weigh

DAMPING = -1 / 6
"""Power of the number of passages that the aligned weights of a document of several are multiplied by, down to
`LEAST_SHARE`.

The best of many passages says something of many a query, and without this one long document stands before the right
ones: of pydocs' 93 train queries 23 had its one split entry, of 15 passages, among their first ten, and with it 6, as
other entries have; the mix and the figures are then those of a cut text (nDCG@10 .2763 cut, .2717 undamped, .278
damped). Where half of all entries stand in 57 long documents of 30, what is gained over cutting, at a mix of .5, goes
from .045 to .028.
"""

LEAST_SHARE = 0.65
"""The last of 170 passages unlike each other is found by its meaning at rank 3 of 63 documents with this, and at rank 6
without it."""


class Weighted(NamedTuple):
    """Weighted terms of n documents, in CSR form.

    :param indptr: Shape (n + 1,).
    :param terms: Numbers of terms, ascending within a document, shape (nnz,).
    :param weights: Shape (nnz,), all > 0.
    :param literal: Which of them stand in the text itself, shape (nnz,).
    """

    indptr: Ints
    terms: npt.NDArray[np.int32]
    weights: Vectors
    literal: npt.NDArray[np.bool_]


class Decoded(NamedTuple):
    """Aligned terms of n documents.

    :param parts: Of each part of the term space, shape (n, K).
    :param several: Document -> the terms of its best passages, for each part, in place of its row: where a document has
        several passages.
    """

    parts: Sequence[Aligned]
    several: Mapping[int, Sequence[BestOf]]

    def take(self, rows: Sequence[int]) -> "Decoded":
        """Return those of some of the documents."""
        parts = [Aligned(part.terms[rows], part.scores[rows]) for part in self.parts]
        return Decoded(parts, {place: self.several[row] for place, row in enumerate(rows) if row in self.several})


class Sparsifier:
    """Weighs the terms of documents. A block of documents needs nothing of the others."""

    def __init__(
        self,
        config: SparseConfig,
        collection: CollectionStatistics,
        decoder: Decoder,
        adjustments: Adjustment | Sequence[Adjustment],
    ) -> None:
        """Take what the weights depend on.

        :param config: The choices.
        :param collection: Sums over the collection.
        :param decoder: Decodes onto the known terms.
        :param adjustments: The documents' adjustment; where they have embeddings under several prompts that of each.
        """
        self.config = config
        self.collection = collection
        self._decoder = decoder
        self._adjustments = (adjustments,) if isinstance(adjustments, Adjustment) else tuple(adjustments)

    @cached_property
    def _given(self) -> npt.NDArray[np.bool_]:
        """Which known terms are given to texts that do not hold them, shape (T,)."""
        given: npt.NDArray[np.bool_] = self._decoder.single | (self.collection.frequency >= self.config.composed)
        return given

    def but(self, config: SparseConfig | None = None, collection: CollectionStatistics | None = None) -> "Sparsifier":
        """Return a copy with other choices or another collection's sums, which decodes in the same way."""
        return Sparsifier(config or self.config, collection or self.collection, self._decoder, self._adjustments)

    def block(self, counts: TermCounts, vectors: Vectors) -> Weighted:
        """Weigh the terms of documents.

        Where literal terms are on, a term's weight is its BM25 impact + mix x its weight as an aligned term.

        :param counts: Their literal terms, shape (n, W); the first T terms are those of the decoder.
        :param vectors: Their embeddings, as in `decode`.
        :return: Their weights.
        """
        return self.weigh(counts, Decoded(self.decode(vectors), {}))

    def decode(self, vectors: Vectors) -> list[Aligned]:
        """Return the K aligned terms of documents, of each part of the term space.

        Of embeddings under several prompts a term has the best score, the scores under each prompt scaled as those of
        passages are (see `decode_passages`).

        :param vectors: Their embeddings, not adjusted: shape (n, d), or (n, P d) under P prompts.
        """
        found = self._decoder.top_of_parts(self._adjusted(vectors), self.config.k)
        if len(self._adjustments) == 1:
            return found
        return [best_of_prompts(part, len(self._adjustments), self._even) for part in found]

    @property
    def _even(self) -> bool:
        return self.config.scale == "document"

    def _adjusted(self, vectors: Vectors) -> Vectors:
        """Return adjusted embeddings, those under several prompts one below the other: shape (n P, d)."""
        prompts = len(self._adjustments)
        if prompts == 1:
            return self._adjustments[0].apply(vectors)
        parts = np.split(vectors, prompts, axis=1)
        adjusted = [each.apply(part) for each, part in zip(self._adjustments, parts, strict=True)]
        stacked: Vectors = np.stack(adjusted, axis=1).reshape(len(vectors) * prompts, -1)
        return stacked

    def decode_passages(self, blocks: Iterable[Vectors], count: int) -> list[BestOf]:
        """Return aligned terms of one document by their best passages, of each part of the term space.

        Each passage is weighed as a document is: where a document's weights are shares of its largest, so are its. The
        K terms of one document would be few of each of many passages, and K of each would let long documents match
        anything: there are K x the root of the number of passages. Of pydocs' entries, half of them in groups of 30,
        train queries found .2226 (nDCG@10, mix .5) with K, .2345 with 4 K and .2451 with the root.

        :param blocks: The embeddings of its passages, some at a time, as in `decode`.
        :param count: How many there are.
        """
        prompts = len(self._adjustments)
        # A blank passage stays one of zeros, whatever the head makes of zeros.
        adjusted = (np.where(each.any(axis=1).repeat(prompts)[:, None], self._adjusted(each), 0.0) for each in blocks)
        found = self._decoder.top_of_several(
            (each.astype(np.float32) for each in adjusted),
            round(self.config.k * count**0.5),
            self._even,
        )
        return [each._replace(among=count, passages=each.passages // prompts) for each in found]

    def weigh(self, counts: TermCounts, aligned: Decoded) -> Weighted:
        """Weigh the terms of documents whose aligned terms are known.

        :param counts: As in `block`.
        :param aligned: Their aligned terms.
        :return: Their weights.
        """
        if not self.config.literal:
            return self._pruned(_weighted(self.expansion(aligned), None), aligned)
        literal = self.collection.impacts(counts)
        if self.config.weight == 0:
            return _weighted(literal, literal)
        expansion = self.mixed(aligned)
        expansion.resize(literal.shape)  # unknown terms stand in texts alone
        return self._pruned(_weighted(literal + expansion, literal), aligned)

    def _pruned(self, weighted: Weighted, aligned: Decoded) -> Weighted:
        """Leave out the terms that are not worth a posting."""
        if not self.config.kept and self.config.composed == 1:
            return weighted
        known = weighted.terms < len(self._given)  # an unknown one is literal
        given = known.copy()
        given[known] = self._given[weighted.terms[known]]
        most = np.full(len(weighted.indptr) - 1, self.config.kept or len(self._given), dtype=np.int64)
        for row, best in aligned.several.items():
            most[row] = round(most[row] * best[0].among ** 0.5)
        kept = worth_keeping(weighted.indptr, weighted.weights, weighted.literal, given, most)
        indptr = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[weighted.indptr]
        return Weighted(indptr, weighted.terms[kept], weighted.weights[kept], weighted.literal[kept])

    def mixed(self, aligned: Decoded) -> Any:
        """Return what aligned terms add to the weights of documents, in the form of `expansion`."""
        expansion = self.expansion(aligned)
        if self.config.literal:
            expansion.data *= np.float32(self.config.weight)
        return expansion

    def expansion(self, aligned: Decoded) -> Any:
        """Return the weights of aligned terms, before the mix, as scipy CSR, shape (n, T), float32, zeros left out.

        Each part is weighed by itself, since its scores have a floor and a largest of their own, and has its share.

        :param aligned: As in `weigh`.
        """
        from scipy.sparse import csr_array, vstack

        if aligned.several:
            pieces, before = [], 0
            for row, best in sorted(aligned.several.items()):
                own = self.expansion(Decoded([Aligned(part.terms[None], part.scores[None]) for part in best], {}))
                own.data *= np.float32(max(LEAST_SHARE, best[0].among ** DAMPING))
                pieces += [self.expansion(aligned.take(range(before, row))), own]
                before = row + 1
            pieces.append(self.expansion(aligned.take(range(before, len(aligned.parts[0].terms)))))
            return vstack(pieces, format="csr")
        shares = self.config.shares(len(aligned.parts))
        weighed = [
            np.float32(share) * weigh(part.scores, self.collection.idf[part.terms], self.config)
            for part, share in zip(aligned.parts, shares, strict=True)
        ]
        terms, weights = np.concatenate([part.terms for part in aligned.parts], axis=1), np.concatenate(weighed, axis=1)
        n, k = terms.shape
        indptr = np.arange(n + 1, dtype=np.int64) * k
        matrix = csr_array((weights.ravel(), terms.ravel(), indptr), shape=(n, len(self._decoder)))
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix


def _weighted(total: Any, literal: Any) -> Weighted:
    total = total.tocsr()
    total.sort_indices()
    mask = np.zeros(len(total.data), dtype=np.bool_)
    if literal is not None:
        # Every literal term is in the total: its place in a flat (document, term) order finds it there.
        mask[np.searchsorted(_places(total), _places(literal))] = True
    return Weighted(total.indptr.astype(np.int64), total.indices.astype(np.int32), total.data.astype(np.float32), mask)


def _places(matrix: Any) -> Ints:
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    places: Ints = rows * matrix.shape[1] + matrix.indices
    return places
