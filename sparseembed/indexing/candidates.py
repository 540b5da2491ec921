"""Sentences that were taken out of documents, each with the hits that it finds: what rescoring is chosen on."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Floats, Vectors
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.engines.registry import DEFAULT_ENGINE, open_engine
from sparseembed.index.eight_bits import eight_bits
from sparseembed.index.snapshot import Snapshot
from sparseembed.index.statistics import Statistics
from sparseembed.indexing.mixing import DEPTH, Asked
from sparseembed.indexing.sample import Sample
from sparseembed.indexing.write import quantised
from sparseembed.pseudo.pairs import Pair
from sparseembed.retrieval.query import InferenceFree
from sparseembed.retrieval.rescoring import CANDIDATES
from sparseembed.sparse.sparsify import Sparsifier


class Candidates(NamedTuple):
    """The best documents for a sentence, that it was taken out of among them.

    :param sentence: Number of the sentence.
    :param own: Place of its document among the n candidates.
    :param scores: Their scores by terms, shape (n,), falling.
    :param rows: Their embeddings in 8 bits, shape (n, d).
    """

    sentence: int
    own: int
    scores: Floats
    rows: npt.NDArray[np.int8]

    def gain(self, scores: Floats) -> float:
        """Return nDCG@10 with new scores; the sentence's document comes after others of the same score."""
        rank = int((scores >= scores[self.own]).sum())
        return float(1 / np.log2(1 + rank)) if rank <= DEPTH else 0.0


def candidates(
    asked: Asked, mix: float, sample: Sample, store: EmbeddingStore, centre: Vectors
) -> Iterator[Candidates]:
    """Yield the candidates of each sentence whose document is among them.

    :param asked: The sentences, and their scores.
    :param mix: The index's mix.
    :param sample: The documents that were searched.
    :param store: The collection's embeddings.
    :param centre: The mean of the documents', shape (d,).
    """
    places = np.asarray(list(asked.pairs))
    vectors = np.array(store.take(sample.rows))
    vectors[places] = asked.rests  # as they were searched: without their sentence
    rows = eight_bits(vectors, centre)
    for sentence, place in enumerate(places.tolist()):
        scores = asked.literal[:, sentence] + mix * asked.expanded[:, sentence]
        best = np.argsort(-scores, kind="stable")[:CANDIDATES]
        best = best[scores[best] > 0]
        own = np.flatnonzero(best == place)
        if len(own):
            yield Candidates(sentence, int(own[0]), scores[best], rows[best])


def candidates_in_index(
    snapshot: Snapshot, statistics: Statistics, sparsifier: Sparsifier, taken: Mapping[str, Pair], rests: Vectors
) -> list[Candidates]:
    """Return the candidates of sentences that are searched in an index, as `candidates` does for those of a sample.

    A document that gave a sentence stands there whole; it has the score and the embedding of its rest all the same.

    :param snapshot: The index.
    :param statistics: What was fitted to it.
    :param sparsifier: What weighs documents by it.
    :param taken: Document id -> a sentence of the document, and the rest of it; q of them.
    :param rests: Embeddings of the rests, shape (q, d).
    :return: Those of each sentence whose document is among them.
    """
    impacts = _impacts([pair.positive for pair in taken.values()], rests, statistics, sparsifier)
    rows = eight_bits(rests, statistics.centres[0])
    # Not closed: that would close the snapshot's segments.
    engine, free = open_engine(DEFAULT_ENGINE, snapshot, warm=False), InferenceFree(statistics.space.literal)
    given = []
    queries = [free.encode(pair.query) for pair in taken.values()]
    found = engine.search_batch(queries, CANDIDATES + 1)
    for number, (own_id, query, hits) in enumerate(zip(taken, queries, found, strict=True)):
        score = sum(weight * impacts[number].get(term, 0) for term, weight in query.items())
        others = [hit for hit in hits if hit.id != own_id][:CANDIDATES]
        own = sum(hit.score >= score for hit in others)  # after others of the same score
        if score and own < CANDIDATES:
            others = others[: CANDIDATES - 1]
            scores = np.insert(np.array([hit.score for hit in others], dtype=np.float64), own, score)
            stored = snapshot.embeddings([hit.id for hit in others])
            given.append(Candidates(number, own, scores, np.insert(stored, own, rows[number], axis=0)))
    return given


def _impacts(
    texts: Sequence[str], vectors: Vectors, statistics: Statistics, sparsifier: Sparsifier
) -> list[dict[str, int]]:
    """Return the impacts of texts by term, as they would stand in the index."""
    counted = statistics.space.count(texts)
    indptr, terms, impacts = quantised(sparsifier.block(counted.counts, vectors), statistics)
    names = [*statistics.space.terms, *counted.unknown]
    numbers, values = terms.tolist(), impacts.tolist()
    return [
        {names[number]: value for number, value in zip(numbers[begin:end], values[begin:end], strict=True)}
        for begin, end in pairwise(indptr.tolist())
    ]
