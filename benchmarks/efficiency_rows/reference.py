"""A plain reference for searches in large indexes: sums over all postings of a query's terms, nothing pruned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.engines.base import Hit
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.snapshot import Snapshot, open_snapshot
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
    slices = np.arange(arrays.starts[number], arrays.starts[number + 1])
    begin, end = arrays.begins[slices[0]], arrays.begins[slices[-1] + 1]
    counts = np.diff(arrays.begins[slices[0] : slices[-1] + 2])
    chunks = np.repeat(arrays.chunks[slices].astype(np.int64), counts)
    documents = (chunks << arrays.chunk_bits) + arrays.docs[begin:end]
    return documents, arrays.impacts[begin:end].astype(np.int64)


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
