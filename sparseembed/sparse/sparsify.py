"""Embeddings to weighted terms: aligned ones, and literal ones beside them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.adjustment import Adjustment, Vectors
from sparseembed.alignment.decoding import Aligned, Decoder
from sparseembed.sparse.config import SparseConfig
from sparseembed.sparse.counts import TermCounts
from sparseembed.sparse.spill import Block
from sparseembed.sparse.weighting import weigh


class Sparsifier:
    """Weights the terms of documents, a block of documents at a time."""

    def __init__(self, config: SparseConfig, counts: TermCounts, decoder: Decoder, adjustment: Adjustment) -> None:
        """Take what the weights depend on.

        :param config: The choices.
        :param counts: Literal terms of the corpus.
        :param decoder: Decodes onto the same terms.
        :param adjustment: The documents' adjustment.
        """
        self.config = config
        self.counts = counts
        self._decoder = decoder
        self._adjustment = adjustment

    def but(self, config: SparseConfig | None = None, counts: TermCounts | None = None) -> "Sparsifier":
        """Return a copy with other choices or other counts, which decodes in the same way."""
        return Sparsifier(config or self.config, counts or self.counts, self._decoder, self._adjustment)

    def block(self, rows: npt.NDArray[np.int64], vectors: Vectors) -> Block:
        """Weigh the terms of documents.

        Where literal terms are on, a term's weight is its BM25 impact + mix x its weight as an aligned term.

        :param rows: Documents, by their place in the corpus, shape (n,).
        :param vectors: Their embeddings, shape (n, d).
        :return: Their weights.
        """
        return self.weigh(rows, self._decoder.top_of_parts(self._adjustment.apply(vectors), self.config.k))

    def weigh(self, rows: npt.NDArray[np.int64], aligned: Sequence[Aligned]) -> Block:
        """Weigh the terms of documents whose aligned terms are known.

        :param rows: Documents, shape (n,).
        :param aligned: Their K aligned terms, of each part of the term space.
        :return: Their weights.
        """
        expansion = self._aligned_weights(aligned)
        if not self.config.literal:
            return _as_block(expansion, None)
        literal = self.counts.bm25(rows)
        if self.config.weight == 0:
            return _as_block(literal, literal)
        expansion.data *= np.float32(self.config.weight)
        return _as_block(literal + expansion, literal)

    def _aligned_weights(self, aligned: Sequence[Aligned]) -> Any:
        """Return the weights of aligned terms as scipy CSR, shape (n, T), float32, zeros left out.

        Each part is weighed by itself, since its scores have a floor and a largest of their own, and has its share.
        """
        from scipy.sparse import csr_array

        shares = self.config.shares(len(aligned))
        weighed = [
            np.float32(share) * weigh(part.scores, self.counts.idf[part.terms], self.config)
            for part, share in zip(aligned, shares, strict=True)
        ]
        terms, weights = np.concatenate([part.terms for part in aligned], axis=1), np.concatenate(weighed, axis=1)
        n, k = terms.shape
        indptr = np.arange(n + 1, dtype=np.int64) * k
        matrix = csr_array((weights.ravel(), terms.ravel(), indptr), shape=(n, len(self._decoder)))
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix


def _as_block(total: Any, literal: Any) -> Block:
    total = total.tocsr()
    total.sort_indices()
    mask = np.zeros(len(total.data), dtype=np.bool_)
    if literal is not None:
        # Each entry's place in a flat (row, term) order tells which entries the literal matrix has too.
        mask = np.isin(_places(total), _places(literal.tocsr()))
    return Block(total.indptr.astype(np.int64), total.indices.astype(np.int32), total.data.astype(np.float32), mask)


def _places(matrix: Any) -> npt.NDArray[np.int64]:
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    places: npt.NDArray[np.int64] = rows * matrix.shape[1] + matrix.indices
    return places
