"""Row 4: one query after the other, with each engine, on made vectors; and a flat dense index beside them."""

from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from efficiency_rows.measure import Spread, each
from efficiency_rows.row import Row
from efficiency_rows.workplace import QUERY_TERMS, Workplace
from sparseembed.engines.exact import ExactEngine
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.engines.native import NativeEngine
from sparseembed.index.block import Block
from sparseembed.index.lucene_writer import LuceneStore
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.segment.writer import SegmentWriter
from sparseembed.progress import note, track

POSTINGS = 316
VOCABULARY = 30_000
DIMENSION = 576
BLOCK = 1000
WANTED = {10: 0.3, 1000: 1.0}  # ms


class MadeVectors:
    """Impact vectors: the term of rank r is drawn with probability ~ 1 / r, each of a document's once."""

    def __init__(self, documents: int, seed: int = 3) -> None:
        """Choose how many there are."""
        self.documents = documents
        self._seed = seed
        self.vocabulary = [f"t{number}" for number in range(VOCABULARY)]
        self._log = np.log(1 / np.arange(1, VOCABULARY + 1)).astype(np.float32)

    def terms(self, first: int, count: int) -> Any:
        """Return the terms of some documents, shape (count, 316): the largest of log p + Gumbel noise."""
        rng = np.random.default_rng([self._seed, first])
        drawn = rng.standard_exponential((count, VOCABULARY), dtype=np.float32)
        noisy = self._log - np.log(np.maximum(drawn, 1e-30))
        return np.argpartition(noisy, VOCABULARY - POSTINGS, axis=1)[:, -POSTINGS:].astype(np.int32)

    @cached_property
    def blocks(self) -> list[Block]:
        """All documents; impacts fall as a half-normal distribution does."""
        return list(self._made())

    def _made(self) -> Iterator[Block]:
        for first in range(0, self.documents, BLOCK):
            count = min(BLOCK, self.documents - first)
            terms = self.terms(first, count)
            rng = np.random.default_rng([self._seed, first, 1])
            impacts = np.clip(np.abs(rng.normal(0, 60, terms.shape)), 1, 255).astype(np.uint16)
            ids = [f"d{number}" for number in range(first, first + count)]
            indptr = np.arange(0, terms.size + 1, POSTINGS, dtype=np.int64)
            yield Block(ids, [""] * count, indptr, terms.ravel(), impacts.ravel(), self.vocabulary, [])

    def queries(self, count: int) -> list[dict[str, int]]:
        """Return queries of 20 terms, each of a document that is not among them."""
        drawn = self.terms(-(-self.documents // BLOCK) * BLOCK, count)
        rng = np.random.default_rng([self._seed, 2])
        return [{self.vocabulary[term]: 1 for term in rng.permutation(terms)[:QUERY_TERMS].tolist()} for terms in drawn]


def measure(place: Workplace) -> list[Row]:
    """Measure the row."""
    import faiss

    made = MadeVectors(600 if place.quick else 50_000)
    folder = place.folder / "vectors"
    write(made, folder)
    queries = made.queries(5 if place.quick else 100)
    rng = np.random.default_rng(4)
    dense, asked = (rng.standard_normal((n, DIMENSION), dtype=np.float32) for n in (made.documents, len(queries)))
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(dense)
    exact = ExactEngine.from_pairs(_pairs(made))
    rows = []
    with NativeEngine([SegmentReader(folder / "segment")], [None]) as native, LuceneEngine(folder / "lucene") as lucene:
        native.load()  # what is timed is what a process that goes on searching has
        for k, wanted in WANTED.items():
            if any(not native.search(one, k) == lucene.search(one, k) == exact.search(one, k) for one in queries):
                raise RuntimeError(f"the engines differ at k = {k}")
            note(f"searching with k = {k}")
            faiss.omp_set_num_threads(1)
            dense_search = lambda row, k=k: flat.search(asked[row : row + 1], k)  # noqa: E731
            things = {name: partial(_search, engine, queries, k)
                      for name, engine in (("native", native), ("Lucene", lucene), ("exact", exact))}  # fmt: skip
            took = each({**things, "FAISS flat": dense_search}, range(len(queries)), place.repeats)
            found = {name: one.times(1000) for name, one in took.items()}
            rows += [_row(made, k, wanted, name, found["native"], other)
                     for name, other in found.items() if name != "native"]  # fmt: skip
    return rows


def _search(engine: Any, queries: list[dict[str, int]], k: int, row: int) -> None:
    engine.search(queries[row], k)


def _row(made: MadeVectors, k: int, wanted: float, name: str, ours: Spread, other: Spread) -> Row:
    flat = f"FAISS flat, d = {DIMENSION}, one thread, query not encoded"
    against = flat if name == "FAISS flat" else f"{name} engine"
    return Row(
        "query", f"p50 of a query, {made.documents:,} documents x {POSTINGS} postings, k = {k:,}", ours, against, other,
        "ms", f"{wanted} ms", ours.median <= wanted, {"k": k, "against": name},
    )  # fmt: skip


def write(made: MadeVectors, folder: Path) -> None:
    """Write made vectors for the native engine and for Lucene."""
    with (
        SegmentWriter(folder / "segment") as segment,
        LuceneStore.create(folder / "lucene") as store,
        track("writing made vectors", made.documents, "documents") as bar,
    ):
        for block in made.blocks:
            segment.add(block)
            store.add(block)
            bar.update(len(block.ids))
        segment.finish()
        store.merge()
        store.commit()


def _pairs(made: MadeVectors) -> Any:
    for block in made.blocks:
        terms, impacts = block.terms.tolist(), block.impacts.tolist()
        for row, doc_id in enumerate(block.ids):
            span = slice(block.indptr[row], block.indptr[row + 1])
            names = [made.vocabulary[term] for term in terms[span]]
            yield doc_id, dict(zip(names, impacts[span], strict=True))
