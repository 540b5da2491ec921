"""The best hits of an index put in a new order by embeddings: what a query means is in no single word of it.

The index finds candidates by terms; each candidate's embedding, which the index carries in 8 bits, is compared with the
query's. Both scores are brought to 0..1 over the candidates and mixed by a weight that was chosen for the collection.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparseembed.arrays import Floats, Vectors
from sparseembed.embedders.early import EarlyEncoder
from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.eight_bits import cosines
from sparseembed.index.snapshot import Snapshot

if TYPE_CHECKING:
    from sparseembed.embedders.transformer import TransformerEmbedder

ENCODERS = ("full", "small")
CANDIDATES = 100
"""Hits that are rescored where the user names no number."""


class Rescored(NamedTuple):
    """A candidate's scores.

    :param cosine: Of its embedding and the query's, seen from the means of documents and of texts like queries.
    :param from_terms: What its terms add to the new score.
    :param from_embedding: What its embedding adds.
    """

    cosine: float
    from_terms: float
    from_embedding: float

    @property
    def score(self) -> float:
        """The new score, 0 to 1."""
        return self.from_terms + self.from_embedding


def shares(sparse: Floats, cosine: Vectors, weight: float) -> tuple[Floats, Floats]:
    """Return what terms and embeddings add to the candidates' new scores.

    :param sparse: Their scores by terms, shape (n,).
    :param cosine: Their cosines, shape (n,).
    :param weight: The cosine's weight, 0 to 1.
    :return: Both of shape (n,), from 0 to `1 - weight` and from 0 to `weight`.
    """
    return (1 - weight) * _unit(sparse), weight * _unit(cosine.astype(np.float64))


def _unit(scores: Floats) -> Floats:
    """Bring scores to 0..1; equal ones to 0."""
    if not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros(len(scores))


class Rescorer:
    """Rescores the candidates of queries in one commit of an index."""

    def __init__(
        self, snapshot: Snapshot, embedder: "TransformerEmbedder", candidates: int = CANDIDATES, encoder: str = "full"
    ) -> None:
        """Take the parts.

        :param snapshot: The commit.
        :param embedder: The index's embedder, which reads queries.
        :param candidates: Hits that are rescored.
        :param encoder: What encodes queries: `full`, the whole embedder, or `small`, its first layers and a map that
            was fitted to the collection.
        :raises ConfigError: There are to be fewer than one; unknown encoder.
        :raises IndexFolderError: The index carries no embeddings, or no small query encoder.
        """
        from sparseembed.index.statistics import load_early, load_rescoring

        if encoder not in ENCODERS:
            raise ConfigError(f"unknown query encoder {encoder!r}: query encoders are {', '.join(ENCODERS)}")

        if candidates < 1:
            raise ConfigError(f"the hits to rescore must be 1 or more, not {candidates}")
        head = load_early(snapshot.statistics_files) if encoder == "small" else None
        if encoder == "small" and head is None:
            raise IndexFolderError(
                f"{snapshot.path} has no small query encoder, which is fitted where embeddings are made in int8 and "
                "carried: take the full one"
            )
        fitted = load_rescoring(snapshot.statistics_files, encoder)
        if fitted is None or not all(segment.dimension for segment in snapshot.segments):
            raise IndexFolderError(
                f"{snapshot.path} carries no embeddings to rescore with: build it again without --no-embeddings"
            )
        self.candidates, self.weight = candidates, fitted.weight
        self._snapshot = snapshot
        self._encoder: TransformerEmbedder | EarlyEncoder = embedder if head is None else EarlyEncoder(embedder, head)
        self._centre = fitted.centres[1]

    def encode(self, texts: Sequence[str]) -> list[Vectors]:
        """Embed queries: one call for all of them.

        :param texts: The queries.
        :return: For each, shape (d,); zeros for a blank one.
        """
        return list(self._encoder.encode(texts, "query"))

    def scored(self, hits: Sequence[Hit], vector: Vectors) -> list[Rescored]:
        """Give candidates their new scores.

        :param hits: The candidates, with their scores by terms.
        :param vector: The query's embedding, shape (d,), not centred.
        :return: In the order of the hits.
        """
        cosine = cosines(self._rows(hits), vector, self._centre)
        parts = shares(np.array([hit.score for hit in hits]), cosine, self.weight)
        return [Rescored(*map(float, each)) for each in zip(cosine, *parts, strict=True)]

    def ordered(self, hits: Sequence[Hit], vector: Vectors, k: int) -> list[Hit]:
        """Put hits in their new order.

        :param hits: All hits, best first; those beyond the candidates stay behind them, in their order, below 0.
        :param vector: The query's embedding, shape (d,); of zeros for a blank query.
        :param k: Hits wanted.
        :return: At most k hits with their new scores; equal ones by ascending id.
        """
        candidates, rest = hits[: self.candidates], hits[self.candidates :]
        found = [(each.score, hit.id) for each, hit in zip(self.scored(candidates, vector), candidates, strict=True)]
        found.sort(key=lambda item: (-item[0], item[1]))
        if rest:
            low, high = candidates[-1].score, candidates[0].score
            step = 1 / (high - low) if high > low else 1.0
            found += [((hit.score - low) * step - 1, hit.id) for hit in rest]
        return [Hit(doc_id, score, rank) for rank, (score, doc_id) in enumerate(found[:k], start=1)]

    def _rows(self, hits: Sequence[Hit]) -> np.ndarray:
        snapshot = self._snapshot
        places = [snapshot.place(hit.id) for hit in hits]
        rows = np.empty((len(hits), len(self._centre)), dtype=np.int8)
        for number, segment in enumerate(snapshot.segments):
            mine = [row for row, place in enumerate(places) if place.segment == number]
            if mine:
                rows[mine] = segment.embeddings(np.array([places[row].number for row in mine], dtype=np.int64))
        return rows
