"""The best hits of an index put in a new order by embeddings: what a query means is in no single word of it.

The index finds candidates by terms, and carries each document's embedding in 8 bits. Two things can be made of them:
each document's embedding is compared with the query's, which takes a model call, and finds candidates that no word of
the query does (`retrieval.nearest`); and each candidate's score is mixed with those of the candidates most like it,
which takes none (`retrieval.feedback`). All scores are brought to 0..1 first; how much each counts was chosen for the
collection when its statistics were fitted.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparseembed.arrays import Floats, Vectors
from sparseembed.embedders.early import EarlyEncoder
from sparseembed.engines.base import Hit, ranked
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.eight_bits import cosines
from sparseembed.index.snapshot import Snapshot
from sparseembed.retrieval import feedback, nearest
from sparseembed.retrieval.feedback import neighbour_weights
from sparseembed.retrieval.nearest import Nearest

if TYPE_CHECKING:
    from sparseembed.alignment.static import StaticEncoder
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.index.selection import Selection

NONE, STATIC, SMALL, FULL = "none", "static", "small", "full"
ENCODERS = (NONE, STATIC, SMALL, FULL)
"""What encodes queries, by what it costs."""

FITTED = (STATIC, SMALL)
"""Those that are fitted to a collection."""

CANDIDATES = 100
"""Hits that are rescored where the user names no number."""

LEAD = 0.1
"""A best hit by words that leads by more than this share of its score is decisive: see `weight_in_query`."""

LEAST = 0.1
"""The share of its weight that an embedding keeps however decisive words are: documents without them have an order."""


class Neighbour(NamedTuple):
    """A candidate like another one, whose score counts for that one.

    :param id: Its id.
    :param weight: Its share in what neighbours add; shares sum to 1.
    :param adds: What it adds to the other's new score.
    """

    id: str
    weight: float
    adds: float


class Rescored(NamedTuple):
    """A candidate's new score, and what it is the sum of.

    :param score: The new score, 0 to 1: exactly the sum of the next three, in their order.
    :param from_terms: What its terms add.
    :param from_embedding: What its embedding beside the query's adds; 0 without a query encoder.
    :param from_neighbours: What the candidates most like it add; 0 without feedback.
    :param cosine: Of its embedding and the query's, seen from the means of documents and of texts like queries; None
        without a query encoder.
    :param neighbours: The candidates most like it, by falling weight; none without feedback.
    """

    score: float
    from_terms: float
    from_embedding: float
    from_neighbours: float
    cosine: float | None
    neighbours: tuple[Neighbour, ...]


class _Parts(NamedTuple):
    """What the candidates' new scores are sums of, each of shape (n,)."""

    terms: Floats
    embedding: Floats
    neighbours: Floats
    cosine: Vectors | None
    weights: Floats | None

    @property
    def scores(self) -> Floats:
        return self.terms + self.embedding + self.neighbours


def shares(sparse: Floats, cosine: Vectors, weight: float) -> tuple[Floats, Floats]:
    """Return what terms and embeddings add to the candidates' scores.

    :param sparse: Their scores by terms, shape (n,).
    :param cosine: Their cosines, shape (n,).
    :param weight: The cosine's weight, 0 to 1.
    :return: Both of shape (n,), at most `1 - weight` and `weight`. A document without terms of the query has 0 of the
        first, and the farthest one 0 of the second.
    """
    largest = sparse.max(initial=0)
    scaled = sparse / largest if largest > 0 else np.zeros(len(sparse))
    return (1 - weight) * scaled, weight * unit(cosine.astype(np.float64))


def weight_in_query(sparse: Floats, weight: float, literal: bool) -> float:
    """Return what embeddings count for in one query: less where its words are decisive.

    With s1 and s2 the two best scores by terms, it is the weight times (s2 / s1) / (1 - LEAD) where that is below 1,
    and `LEAST` times the weight at least. What was measured stands in `indexing.rescoring`.

    :param sparse: Scores by terms, shape (n,); 0 for a document without terms of the query.
    :param weight: The weight that was chosen for the collection, 0 to 1.
    :param literal: Whether the index has the documents' own words.
    :return: At most `weight`: the weight itself where it has not, or no document has terms of the query. Where only one
        has, nothing is second to it.
    """
    if not literal or not sparse.any():
        return weight
    second, first = np.sort(np.append(sparse, 0))[-2:]
    return weight * max(LEAST, min(1.0, float(second / first) / (1 - LEAD)))


def by_terms(sparse: Floats) -> Floats:
    """Bring scores by terms to 0..1 as `unit` does; equal ones to 1, for none of them is worse than the best."""
    even = len(sparse) > 0 and sparse.min() == sparse.max() > 0
    return np.ones(len(sparse)) if even else unit(sparse)


def unit(scores: Floats) -> Floats:
    """Bring scores to 0..1; equal ones to 0."""
    if not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros(len(scores))


def without_embeddings(path: Path) -> IndexFolderError:
    """Return the error for an index that carries no embeddings."""
    return IndexFolderError(f"{path} carries no embeddings to rescore with: build it again without --no-embeddings")


class Rescorer:
    """Rescores the candidates of queries in one commit of an index."""

    def __init__(
        self,
        snapshot: Snapshot,
        candidates: int = CANDIDATES,
        encoder: str = NONE,
        feedback: bool = False,
        embedder: "TransformerEmbedder | None" = None,
        warm: bool = False,
    ) -> None:
        """Take the parts.

        :param snapshot: The commit.
        :param candidates: Hits that are rescored.
        :param encoder: What encodes queries: `none`; `full`, the whole embedder; `small`, its first layers and a map
            that was fitted to the collection; or `static`, vectors of its tokens and such a map.
        :param feedback: Whether the candidates most like a candidate count for it.
        :param embedder: The index's embedder, which reads queries; not needed without an encoder.
        :param warm: Whether the first query begins to load, in the background, what makes later feedback fast.
        :raises ConfigError: There are to be fewer than one candidates; unknown encoder.
        :raises IndexFolderError: The index carries no embeddings, or no such query encoder.
        """
        if encoder not in ENCODERS:
            raise ConfigError(f"unknown query encoder {encoder!r}: query encoders are {', '.join(ENCODERS)}")
        if candidates < 1:
            raise ConfigError(f"the hits to rescore must be 1 or more, not {candidates}")
        self.candidates, self.encoder, self._warm = candidates, encoder, warm
        from sparseembed.index.statistics import load_rescoring

        if not all(segment.dimension for segment in snapshot.segments):
            raise without_embeddings(snapshot.path)
        self._snapshot = snapshot
        self._literal = bool(snapshot.manifest.sparse["literal"])
        self._encoder = self._query_encoder(encoder, embedder)
        fitted = load_rescoring(snapshot.statistics_files, encoder)
        if fitted is None:
            raise without_embeddings(snapshot.path)
        self.weight = fitted.weight if self._encoder is not None else 0.0
        self.feedback = fitted.feedback if feedback else 0.0
        self._centre = fitted.centres[1]
        self._nearest = None if self._encoder is None else Nearest(snapshot, self._centre, warm)

    def _query_encoder(
        self, encoder: str, embedder: "TransformerEmbedder | None"
    ) -> "TransformerEmbedder | EarlyEncoder | StaticEncoder | None":
        if encoder == NONE or embedder is None:
            return None
        if encoder == FULL:
            return embedder
        from sparseembed.alignment.static import StaticEncoder
        from sparseembed.index.statistics import load_early, load_static

        files = self._snapshot.statistics_files
        if encoder == STATIC and (static := load_static(files)) is not None:
            return StaticEncoder(embedder, static)
        if encoder == SMALL and (early := load_early(files)) is not None:
            return EarlyEncoder(embedder, early)
        raise IndexFolderError(
            f"{self._snapshot.path} has no {encoder} query encoder, which takes 64 texts or more to be fitted to: take "
            "the full one, or fit it with sparseembed fit-query-encoder and further --queries"
        )

    def encode(self, texts: Sequence[str]) -> list[Vectors | None]:
        """Embed queries: one call for all of them.

        :param texts: The queries.
        :return: For each, shape (d,); zeros for a blank one. None without an encoder.
        """
        return [None] * len(texts) if self._encoder is None else list(self._encoder.encode(texts, "query"))

    def load(self) -> None:
        """Load now what makes many queries fast, unless it is loaded or of no use."""
        if self.feedback:
            feedback.load()
        if self._nearest is not None:
            nearest.load()

    def joined(
        self,
        hits: Sequence[Hit],
        vector: Vectors | None,
        selection: "Selection | None" = None,
        without: str | None = None,
    ) -> list[Hit]:
        """Return the candidates: the best hits, and after them the nearest documents that are not among these.

        :param hits: Hits by terms, best first.
        :param vector: The query's embedding, shape (d,), not centred; of zeros for a blank query.
        :param selection: The documents that hits were searched among; None for all.
        :param without: A document that is none, such as one that is the query itself.
        :return: At most twice as many as are rescored. What the embedding alone has found has a score of 0 by terms.
        """
        found = [hit for hit in hits[: self.candidates] if hit.id != without]
        if self._nearest is None or vector is None:
            return found
        own = {hit.id for hit in found}
        near = self._nearest.find(vector, self.candidates + (without is not None), selection)
        others = [doc_id for doc_id in near if doc_id not in own and doc_id != without][: self.candidates]
        return found + [Hit(doc_id, 0, rank) for rank, doc_id in enumerate(others, len(found) + 1)]

    def explained(
        self, hits: Sequence[Hit], doc_id: str, vector: Vectors | None, selection: "Selection | None" = None
    ) -> Rescored | None:
        """Say why a candidate has its new score.

        :param hits: Hits by terms, best first.
        :param doc_id: A document.
        :param vector: As in `joined`.
        :param selection: As in `joined`.
        :return: Its parts; None where it is no candidate.
        """
        hits = self.joined(hits, vector, selection)
        row = next((row for row, hit in enumerate(hits) if hit.id == doc_id), None)
        if row is None:
            return None
        parts = self._parts(hits, vector)
        near: list[Neighbour] = []
        if parts.weights is not None and len(hits) > 1:
            own = (parts.terms + parts.embedding) / (1 - self.feedback)
            weights = parts.weights[row]
            near = [
                Neighbour(hits[place].id, float(weights[place]), float(self.feedback * weights[place] * own[place]))
                for place in np.flatnonzero(weights).tolist()
            ]
        return Rescored(
            float(parts.scores[row]),
            float(parts.terms[row]),
            float(parts.embedding[row]),
            float(parts.neighbours[row]),
            None if parts.cosine is None else float(parts.cosine[row]),
            tuple(sorted(near, key=lambda each: (-each.weight, each.id))),
        )

    def ordered(
        self,
        hits: Sequence[Hit],
        vector: Vectors | None,
        k: int,
        selection: "Selection | None" = None,
        without: str | None = None,
    ) -> list[Hit]:
        """Put hits in their new order.

        :param hits: All hits by terms, best first; those that are no candidates stay behind, in their order, below 0.
        :param vector: As in `joined`.
        :param k: Hits wanted.
        :param selection: As in `joined`.
        :param without: As in `joined`.
        :return: At most k hits with their new scores; equal ones by ascending id.
        """
        candidates = self.joined(hits, vector, selection, without)
        scores = self._parts(candidates, vector).scores.tolist()
        found = [(score, hit.id) for score, hit in zip(scores, candidates, strict=True)]
        found.sort(key=lambda item: (-item[0], item[1]))
        taken = {without, *(hit.id for hit in candidates)}
        rest = [hit for hit in hits[self.candidates :] if hit.id not in taken]
        if rest:
            low, high = hits[self.candidates - 1].score, hits[0].score
            step = 1 / (high - low) if high > low else 1.0
            found += [((hit.score - low) * step - 1, hit.id) for hit in rest]
        del found[k:]
        return ranked([doc_id for _, doc_id in found], [score for score, _ in found])

    def _parts(self, hits: Sequence[Hit], vector: Vectors | None) -> _Parts:
        rows, sparse = (
            self._snapshot.embeddings([hit.id for hit in hits]),
            np.array([hit.score for hit in hits], dtype=np.float64),
        )
        cosine = None if vector is None else cosines(rows, vector, self._centre)
        if cosine is not None and vector is not None:
            # A long document is as near to a query as its nearest passage.
            for row, passages in self._snapshot.passage_embeddings([hit.id for hit in hits]).items():
                cosine[row] = cosines(passages, vector, self._centre).max(initial=-1.0)
        nothing = np.zeros(len(hits))
        if cosine is None:
            terms, embedding = by_terms(sparse), nothing
        else:
            terms, embedding = shares(sparse, cosine, weight_in_query(sparse, self.weight, self._literal))
        if not self.feedback:
            return _Parts(terms, embedding, nothing, cosine, None)
        weights, kept = neighbour_weights(rows, int((sparse > 0).sum()), self._warm), 1 - self.feedback
        return _Parts(kept * terms, kept * embedding, self.feedback * (weights @ (terms + embedding)), cosine, weights)
