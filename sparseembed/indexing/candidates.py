"""Sentences that were taken out of documents, each with the hits that it finds: what rescoring is chosen on."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

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
from sparseembed.retrieval.nearest import Nearest, best, closeness_to, row_lengths
from sparseembed.retrieval.query import InferenceFree
from sparseembed.retrieval.rescoring import CANDIDATES
from sparseembed.sparse.sparsify import Sparsifier


class Candidates(NamedTuple):
    """The best documents for a sentence by terms, and those nearest to it by embedding; its own is among them.

    :param sentence: Number of the sentence.
    :param own: Place of its document among the n candidates.
    :param documents: What each of them is called, numbers or ids, shape (n,).
    :param scores: Their scores by terms, shape (n,), falling; 0 for what the embedding alone has found.
    :param rows: Their embeddings in 8 bits, shape (n, d).
    """

    sentence: int
    own: int
    documents: npt.NDArray[Any]
    scores: Floats
    rows: npt.NDArray[np.int8]

    def gain(self, scores: Floats) -> float:
        """Return nDCG@10 with new scores; the sentence's document comes after others of the same score."""
        rank = int((scores >= scores[self.own]).sum())
        return float(1 / np.log2(1 + rank)) if rank <= DEPTH else 0.0


def candidates(
    asked: Asked,
    mix: float,
    sample: Sample,
    store: EmbeddingStore,
    centres: Vectors,
    queries: Vectors | None = None,
) -> Iterator[Candidates]:
    """Yield the candidates of each sentence whose document is among them.

    :param asked: The sentences, and their scores.
    :param mix: The index's mix.
    :param sample: The documents that were searched.
    :param store: The collection's embeddings.
    :param centres: As in `Statistics`.
    :param queries: Embeddings of the sentences, shape (q, d), whose nearest documents are candidates too.
    """
    places = np.asarray(list(asked.pairs))
    vectors = np.array(store.take(sample.rows))
    vectors[places] = asked.rests  # as they were searched: without their sentence
    rows = eight_bits(vectors, centres[0])
    lengths = row_lengths(rows) if queries is not None else None
    for sentence, place in enumerate(places.tolist()):
        scores = asked.literal[:, sentence] + mix * asked.expanded[:, sentence]
        found = np.argsort(-scores, kind="stable")[:CANDIDATES]
        found = found[scores[found] > 0]
        given = scores[found]
        if queries is not None and lengths is not None:
            near = best(closeness_to(rows, lengths, queries[sentence] - centres[1]), CANDIDATES)
            near = near[~np.isin(near, found)]
            found, given = np.concatenate([found, near]), np.concatenate([given, np.zeros(len(near))])
        own = np.flatnonzero(found == place)
        if len(own):
            yield Candidates(sentence, int(own[0]), found, given, rows[found])


def candidates_in_index(
    snapshot: Snapshot,
    statistics: Statistics,
    sparsifier: Sparsifier,
    taken: Mapping[str, Pair],
    rests: Vectors,
    queries: Vectors | None = None,
) -> list[Candidates]:
    """Return the candidates of sentences that are searched in an index, as `candidates` does for those of a sample.

    A document that gave a sentence stands there whole; it has the score and the embedding of its rest all the same.

    :param snapshot: The index.
    :param statistics: What was fitted to it.
    :param sparsifier: What weighs documents by it.
    :param taken: Document id -> a sentence of the document, and the rest of it; q of them.
    :param rests: Embeddings of the rests, shape (q, d).
    :param queries: Embeddings of the sentences, shape (q, d), whose nearest documents are candidates too.
    :return: Those of each sentence whose document is among them.
    """
    impacts = _impacts([pair.positive for pair in taken.values()], rests, statistics, sparsifier)
    rows = eight_bits(rests, statistics.centres[0])
    # Not closed: that would close the snapshot's segments.
    engine, free = open_engine(DEFAULT_ENGINE, snapshot, warm=False), InferenceFree(statistics.space.literal)
    near = Nearest(snapshot, statistics.centres[1])
    given = []
    encoded = [free.encode(pair.query) for pair in taken.values()]
    found = engine.search_batch(encoded, CANDIDATES + 1)
    for number, (own_id, query, hits) in enumerate(zip(taken, encoded, found, strict=True)):
        score = sum(weight * impacts[number].get(term, 0) for term, weight in query.items())
        scored = [(hit.id, hit.score) for hit in hits if hit.id != own_id][:CANDIDATES]
        before = sum(value >= score for _, value in scored)  # the sentence's own after others of the same score
        if score and before < CANDIDATES:
            scored = [*scored[:before], (own_id, score), *scored[before : CANDIDATES - 1]]
        if queries is not None:
            ids = _nearest(snapshot, near, queries[number], own_id, rows[number])
            known = {doc_id for doc_id, _ in scored}
            scored += [(doc_id, 0) for doc_id in ids if doc_id not in known]
        own = next((place for place, (doc_id, _) in enumerate(scored) if doc_id == own_id), None)
        if own is not None:
            stored = snapshot.embeddings([doc_id for doc_id, _ in scored])
            stored[own] = rows[number]
            documents = np.array([doc_id for doc_id, _ in scored], dtype=object)
            scores = np.array([value for _, value in scored], dtype=np.float64)
            given.append(Candidates(number, own, documents, scores, stored))
    return given


def _nearest(snapshot: Snapshot, near: Nearest, query: Vectors, own_id: str, row: npt.NDArray[np.int8]) -> list[str]:
    """Return the documents nearest to a sentence, of which its own has the embedding of its rest."""
    others = [doc_id for doc_id in near.find(query, CANDIDATES + 1) if doc_id != own_id][:CANDIDATES]
    if len(others) < CANDIDATES:
        return [*others, own_id]
    rows = np.concatenate([snapshot.embeddings(others[-1:]), row[None]])
    last, own = closeness_to(rows, row_lengths(rows), query - near.centre).tolist()
    return [*others[:-1], own_id] if own > last else others


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
