"""Query text to an impact query: literal terms alone, or with the query's own aligned terms."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sparseembed.errors import ConfigError

if TYPE_CHECKING:
    from sparseembed.alignment.adjustment import Adjustment
    from sparseembed.alignment.decoding import Decoder
    from sparseembed.arrays import Vectors
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.sparse.literal import LiteralTerms
    from sparseembed.sparse.terms import TermSpace

LITERAL_WEIGHT = 16  # of a literal term in an expanded query, so that expansion weights have steps below it
DEFAULT_EXPANSION_WEIGHT = 0.5


def check_text(text: object) -> None:
    """Refuse a query that is no text.

    :raises ConfigError: It is none.
    """
    if not isinstance(text, str):
        raise ConfigError(f"a query must be a text, not {type(text).__name__}")


class QueryEncoder(Protocol):
    """Query text -> impact query."""

    def encode(self, text: str) -> dict[str, int]:
        """Return the query's terms with positive integer weights; empty for a text without known terms."""

    @property
    def model_calls(self) -> int:
        """Model calls made so far."""


@dataclass
class InferenceFree:
    """Literal terms only: no model call. The paper's M = 0.

    :param literal: Finds the terms, and says whether one that stands twice weighs twice.
    """

    literal: "LiteralTerms"
    model_calls: int = 0

    def encode(self, text: str) -> dict[str, int]:
        """Return the literal terms, in the order in which they first occur."""
        counts = Counter(self.literal.of(text))
        return dict(counts) if self.literal.counted else dict.fromkeys(counts, 1)


class Expanded:
    """Literal terms united with the query's M best aligned terms: one model call a query."""

    def __init__(
        self,
        base: InferenceFree,
        space: "TermSpace",
        embedder: "TransformerEmbedder",
        decoder: "Decoder",
        adjustment: "Adjustment",
        m: int,
        weight: float = DEFAULT_EXPANSION_WEIGHT,
    ) -> None:
        """Take the parts.

        :param base: Encodes the literal terms.
        :param space: The index's terms.
        :param embedder: The index's embedder.
        :param decoder: Decodes onto the index's terms.
        :param adjustment: The query side's adjustment.
        :param m: M, aligned terms kept for a query.
        :param weight: Weight of the query's best aligned term, where a literal term's is 1; the others' fall with their
            scores, less that of the best term not kept.
        :raises ConfigError: M < 1, or a weight that is not above 0 and at most 10.
        """
        if m < 1:
            raise ConfigError(f"M, the aligned terms of a query, must be at least 1 to expand it, not {m}")
        if not 0 < weight <= 10:
            raise ConfigError(f"the expansion weight must be above 0 and at most 10, not {weight}")
        self._base, self._space, self._embedder, self._decoder = base, space, embedder, decoder
        self._adjustment, self._m, self._weight = adjustment, m, weight
        self._first_call = embedder.model_calls

    @property
    def model_calls(self) -> int:
        """Model calls of the embedder since this encoder was made."""
        return self._embedder.model_calls - self._first_call

    def encode(self, text: str) -> dict[str, int]:
        """Return literal and aligned terms; a term that is both gets the sum of its weights."""
        return self.encode_with(text, self._embedder.encode([text], "query")[0] if text.strip() else None)

    def encode_with(self, text: str, vector: "Vectors | None") -> dict[str, int]:
        """Return the same for a query whose embedding is known.

        :param text: The query.
        :param vector: Its embedding, shape (d,), not adjusted; None for a blank query.
        """
        query = {term: LITERAL_WEIGHT * count for term, count in self._base.encode(text).items()}
        if vector is not None:
            for term, weight in self._expansion(vector).items():
                query[term] = query.get(term, 0) + weight
        return query

    def _expansion(self, vector: "Vectors") -> dict[str, int]:
        aligned = self._decoder.top(self._adjustment.apply(vector[None, :]), self._m + 1)
        scores = aligned.scores[0]
        if not scores.size:  # an index without known terms
            return {}
        scores = np.maximum(scores - max(float(scores[-1]), 0.0), 0.0)
        if scores[0] <= 0:
            return {}
        weights = np.rint(scores / scores[0] * self._weight * LITERAL_WEIGHT).astype(int)
        terms = aligned.terms[0]
        return {
            self._space.terms[int(term)]: int(value) for term, value in zip(terms, weights, strict=True) if value > 0
        }
