"""A plain reference for searches in large indexes: sums over all postings of a query's terms, nothing pruned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from efficiency_rows.stub import stub_embedder
from sparseembed.data.resolve import open_corpus
from sparseembed.data.sampling import even_places
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.engines.base import Hit
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.segment.slices import read
from sparseembed.index.snapshot import Snapshot, open_snapshot
from sparseembed.indexing.fit import sparsifier_of
from sparseembed.indexing.write import quantised
from sparseembed.progress import track
from sparseembed.retrieval.searcher import Searcher

DEEP = 10  # each tenth query is compared to 1,000 hits


class Reference:
    """Scores all documents of a commit."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take an open commit."""
        self._snapshot = snapshot
        self._ids = [np.array([raw.decode() for raw in one.raw_ids()]) for one in snapshot.segments]

    def search(self, query: dict[str, int], k: int) -> list[Hit]:
        """Return the k best documents by (-score, id)."""
        ids, scores = [], []
        for segment, dead, names in zip(self._snapshot.segments, self._snapshot.deleted, self._ids, strict=True):
            total = np.zeros(segment.documents, dtype=np.int64)
            numbers = segment.lookup(list(query)).tolist()
            for number, weight in zip(numbers, query.values(), strict=True):
                if number >= 0:
                    documents, impacts = postings(segment, number)
                    total[documents] += weight * impacts
            if dead is not None:
                total[dead] = 0
            found = np.flatnonzero(total)
            least = np.partition(total[found], len(found) - k)[len(found) - k] if len(found) > k else 1
            found = found[total[found] >= least]
            ids.append(names[found])
            scores.append(total[found])
        every, scored = np.concatenate(ids), np.concatenate(scores)
        best = np.lexsort((every, -scored))[:k]
        return [Hit(str(every[at]), float(scored[at]), rank) for rank, at in enumerate(best.tolist(), start=1)]


def postings(segment: SegmentReader, number: int) -> tuple[Any, Any]:
    """Return the documents and impacts of a term, both int64."""
    arrays = segment.arrays
    slices = np.arange(int(arrays.starts[number]), int(arrays.starts[number + 1]))
    found = read(arrays, slices)
    return (arrays.chunks[slices].astype(np.int64)[found.rows] << arrays.chunk_bits) + found.docs, found.impacts


def compare(index: Path, texts: Sequence[str], deleted: set[str], words: int = 20) -> dict[str, Any]:
    """Compare the native engine with the reference, and Lucene with both.

    :param index: The index.
    :param texts: Texts that queries are taken from.
    :param deleted: Ids that must not be found.
    :param words: Words of a query.
    """
    snapshot = open_snapshot(index)
    reference, rng = Reference(snapshot), np.random.default_rng(7)
    lucene = LuceneEngine(index / "lucene", snapshot.manifest.lucene["commit"], verify=False)
    differences: list[str] = []
    hits = 0
    with Searcher.open(index) as searcher, track("comparing", len(texts), "queries") as bar:
        for number, text in enumerate(texts):
            query = searcher.encode_query(" ".join(rng.permutation(text.split())[:words].tolist()))
            k = 1000 if number % DEEP == 0 else 10
            ours, plain = searcher.engine.search(query, k), reference.search(query, k)
            if ours != plain:
                differences.append(f"query {number}: native")
            if number % DEEP == 0 and lucene.search(query, k) != plain:
                differences.append(f"query {number}: Lucene")
            if deleted & {hit.id for hit in ours}:
                differences.append(f"query {number}: a deleted document")
            hits += len(ours)
            bar.update(1)
    lucene.close()
    return {"queries": len(texts), "hits": hits, "differences": differences, "segments": len(snapshot.segments)}


def computed_anew(index: Path, corpus: Path, store: Path, embedder: str | None, count: int) -> dict[str, Any]:
    """Compare stored impacts of documents with those of their texts and embeddings, computed one by one.

    :param index: The index.
    :param corpus: Its corpus, none of whose documents was replaced.
    :param store: The embeddings.
    :param embedder: Whose stub made them.
    :param count: Documents to compare.
    """
    snapshot = open_snapshot(index)
    statistics = snapshot.statistics()
    sparsifier = sparsifier_of(statistics, stub_embedder(embedder))
    opened, vectors = open_corpus(str(corpus)), EmbeddingStore(store / "documents")
    rows = even_places(len(opened), count)
    different, compared = [], 0
    for row, document in zip(rows.tolist(), opened.take(rows), strict=True):
        place = snapshot.find(document.id)
        if place is None:
            continue
        counted = statistics.space.count([document.contents])
        weighted = sparsifier.block(counted.counts, vectors.take(np.array([row])))
        _, terms, impacts = quantised(weighted, statistics)
        names = [*statistics.space.terms, *counted.unknown]
        expected = dict(zip([names[term] for term in terms.tolist()], impacts.tolist(), strict=True))
        stored = snapshot.segments[place.segment].vector(place.number)
        compared += 1
        # Products of blocks of other sizes may round otherwise, which moves a weight by a quantum.
        near = all(abs(stored.get(term, 0) - expected.get(term, 0)) <= 1 for term in {*stored, *expected})
        if not near or snapshot.text(document.id) != document.contents:
            different.append(document.id)
    return {"compared": compared, "different": different}
