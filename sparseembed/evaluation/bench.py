"""What the systems of one evaluation share: collection, embeddings, adjustments, and the indexes of the baselines."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparseembed.alignment.adjustment import Adjustment, fit_adjustment
from sparseembed.analyzers.registry import DEFAULT
from sparseembed.arrays import Vectors
from sparseembed.data.collection import Collection
from sparseembed.data.sampling import stepped_places
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.engines.base import Hit, Run
from sparseembed.engines.bm25 import Bm25Engine, Bm25Index
from sparseembed.errors import DataError
from sparseembed.evaluation.anserini import index_with_terms
from sparseembed.evaluation.dense import DenseIndex
from sparseembed.evaluation.packed import PackedRun
from sparseembed.evaluation.runs import drop_self
from sparseembed.files import atomic_folder, write_json
from sparseembed.indexing.encoding import EncodedCorpus, encode_corpus, encode_queries
from sparseembed.indexing.fit import sample_vectors
from sparseembed.progress import note

DEPTH = 1000  # hits of a run
TUNING_SPLITS = ("train", "dev", "validation")
TUNING_QUERIES = 500
DENSE_KINDS = {"cosine": "none", "centred": "centred"}  # variant -> adjustment


class Tuning(NamedTuple):
    """Queries that something may be chosen on.

    :param split: The split they are from.
    :param label: The split's name, or another where they are only a sample of it.
    :param queries: id -> text.
    """

    split: str
    label: str
    queries: dict[str, str]


class Bench:
    """One collection, split and embedder, and what is built from them once and used by several systems."""

    def __init__(
        self,
        collection: Collection,
        split: str | None,
        embedder: TransformerEmbedder,
        folder: Path,
        reencode: bool,
        analyzer: str = DEFAULT,
    ) -> None:
        """Check the split; nothing is built yet.

        :param collection: The collection.
        :param split: Split to report; `test`, or the only one, when None.
        :param embedder: The embedder of dense and sparse systems.
        :param folder: Where the indexes of this evaluation go.
        :param reencode: Encode anew what has changed.
        :param analyzer: What finds words, in BM25 and in the indexes.
        :raises DataError: There is no such split.
        """
        self.collection = collection
        self.corpus = collection.corpus
        self.embedder = embedder
        self.folder = folder / self.corpus.name
        self.reencode = reencode
        self.analyzer = analyzer
        self.split = split or default_split(collection)
        self.queries = collection.queries(self.split)
        self.qrels = collection.qrels(self.split)
        self._vectors: dict[str, dict[str, Vectors]] = {}
        self._runs: dict[tuple[str, str], Run] = {}

    @cached_property
    def encoded(self) -> EncodedCorpus:
        """The corpus's embeddings."""
        return encode_corpus(self.corpus, self.embedder, redo=self.reencode)

    @cached_property
    def tuning(self) -> "Tuning | None":
        """The queries that fusion weights are chosen on; None where there is no split for it."""
        for name in TUNING_SPLITS:
            if name in self.collection.splits and name != self.split:
                queries = list(self.collection.queries(name).items())
                places = stepped_places(len(queries), TUNING_QUERIES)
                label = name if len(places) == len(queries) else f"{name}-sample"
                return Tuning(name, label, dict(queries[place] for place in places))
        return None

    def query_vectors(self, split: str, queries: Mapping[str, str]) -> dict[str, Vectors]:
        """Return the embeddings of queries, each of shape (d,), not adjusted."""
        if split not in self._vectors:
            store = encode_queries(self.corpus, queries, split, self.embedder, self.reencode)
            self._vectors[split] = dict(zip(store.ids, store.matrix(), strict=True))
        return self._vectors[split]

    @cached_property
    def bm25(self) -> Bm25Engine:
        """The BM25 engine."""
        recipe = {"corpus": self.corpus.fingerprint, "engine": "bm25", "analyzer": self.analyzer}
        texts = ((document.id, document.contents) for document in self.corpus)
        path = self.cached("bm25", recipe, lambda folder: Bm25Index.build(folder / "lucene", texts, self.analyzer))
        return Bm25Engine(path / "lucene", analyzer=self.analyzer)

    @cached_property
    def with_terms(self) -> Path:
        """Anserini's own index, which keeps each document's terms."""
        recipe = {"corpus": self.corpus.fingerprint, "engine": "anserini, with terms", "analyzer": self.analyzer}
        texts = ((document.id, document.contents) for document in self.corpus)
        return (
            self.cached("bm25-terms", recipe, lambda folder: index_with_terms(folder / "lucene", texts, self.analyzer))
            / "lucene"
        )

    def adjustment(self, kind: str, side: str) -> Adjustment:
        """Fit an adjustment on one side's texts."""
        vectors = sample_vectors(self.encoded.documents) if side == "document" else self.encoded.query_like.matrix()
        return fit_adjustment(kind, vectors)

    def dense(self, variant: str) -> DenseIndex:
        """The FAISS index of a dense variant."""
        kind = DENSE_KINDS[variant]
        recipe = {"corpus": self.corpus.fingerprint, "embedder": self.embedder.identity(), "adjustment": kind}

        def build(folder: Path) -> None:
            vectors = self.adjustment(kind, "document").apply(self.encoded.documents.matrix())
            index = DenseIndex.build(vectors, self.corpus.ids, self.encoded.documents.blank())
            index.save(folder / "faiss")

        return DenseIndex.open(self.cached(f"dense-{variant}", recipe, build) / "faiss")

    def cached(self, name: str, recipe: dict[str, Any], build: Callable[[Path], object]) -> Path:
        """Return a folder that was built from a recipe, building it where there is none or of another recipe."""
        path = self.folder / name
        try:
            if json.loads((path / "recipe.json").read_text(encoding="utf-8")) == recipe:
                return path
        except (OSError, ValueError, RecursionError):
            pass
        with atomic_folder(path) as part:
            build(part)
            write_json(part / "recipe.json", recipe)
        note(f"wrote {path}")
        return path

    def bm25_run(self, split: str, queries: Mapping[str, str]) -> Run:
        """Return the BM25 run of a split's queries."""
        return self._run("bm25", split, lambda: self.bm25.search_batch(list(queries.values()), DEPTH + 1), queries)

    def dense_run(self, variant: str, split: str, queries: Mapping[str, str]) -> Run:
        """Return the dense run of a split's queries."""

        def search() -> list[list[Hit]]:
            known = self.query_vectors(split, queries)
            vectors = np.stack([known[query] for query in queries])
            adjusted = self.adjustment(DENSE_KINDS[variant], "query").apply(vectors)
            return self.dense(variant).search(adjusted, DEPTH + 1)

        return self._run(f"dense {variant}", split, search, queries)

    def _run(self, name: str, split: str, search: Callable[[], list[list[Hit]]], queries: Mapping[str, str]) -> Run:
        if (name, split) not in self._runs:
            self._runs[name, split] = PackedRun(as_run(queries, search()))
        return self._runs[name, split]


def as_run(queries: Mapping[str, str], hits: list[list[Hit]]) -> Run:
    """Pair queries with their hits, leave out a hit whose id is the query's own, and cut at the depth."""
    return drop_self(dict(zip(queries, hits, strict=True)), DEPTH)


def default_split(collection: Collection) -> str:
    """Return the split that is reported when the user names none.

    :raises DataError: The collection has no judgements, or several splits and none is called test.
    """
    if "test" in collection.splits:
        return "test"
    if len(collection.splits) == 1:
        return collection.splits[0]
    if not collection.splits:
        raise DataError(
            f"{collection.corpus.name} has no judgements (qrels/SPLIT.tsv), so it cannot be evaluated; it can be "
            "indexed and searched"
        )
    raise DataError(f"{collection.corpus.name} has no split test: name one of {', '.join(collection.splits)}")
