"""The systems of the table: each a function from the bench to one row. A new system is a new entry in `SYSTEMS`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from sparseembed.arrays import Vectors
from sparseembed.engines.base import Hit, Run, ranked
from sparseembed.engines.ties import as_trec_eval_reads
from sparseembed.evaluation.anserini import FeedbackSearcher
from sparseembed.evaluation.bench import DENSE_KINDS, DEPTH, Bench, as_run
from sparseembed.evaluation.fusion import choose_weight, rrf, weighted
from sparseembed.evaluation.timing import Latency, measure_latency
from sparseembed.files import folder_bytes
from sparseembed.index.eight_bits import eight_bits
from sparseembed.index.segment.format import EMBEDDINGS, ROWS, TEXTS
from sparseembed.indexing.build import BuiltIndex, build_index
from sparseembed.progress import note
from sparseembed.retrieval.feedback import neighbour_weights
from sparseembed.retrieval.query import DEFAULT_EXPANSION_WEIGHT, Expanded
from sparseembed.retrieval.rescoring import CANDIDATES, FULL, NONE, SMALL, STATIC, unit
from sparseembed.retrieval.searcher import Searcher
from sparseembed.sparse.bm25 import K1, B

TIMED_HITS = 10  # hits asked for while timing
DEFAULT_M = 20
DEFAULT_FUSION_WEIGHT = 0.5
RRF_K = 60


@dataclass(frozen=True)
class Row:
    """One system, measured but not judged yet.

    :param query_model_calls: Model calls that one query costs, counted.
    :param about: What else the report should keep: settings chosen, the manifest.
    """

    system: str
    variant: str
    run: Run
    latency: Latency
    index_bytes: int
    query_model_calls: int
    about: dict[str, Any]


def bm25(bench: Bench) -> Row:
    """BM25 with Anserini's analyzer, k1 0.9, b 0.4, over title and text in one field.

    Ties are ordered as trec_eval reads them in Anserini's run files, so that the figures are those Pyserini publishes.
    """
    run = {query: as_trec_eval_reads(hits) for query, hits in bench.bm25_run(bench.split, bench.queries).items()}
    texts = list(bench.queries.values())
    latency = measure_latency(texts, lambda text: text, lambda text: bench.bm25.search(text, TIMED_HITS))
    about = {"k1": K1, "b": B, "analyzer": bench.analyzer}
    return Row("bm25", "flat", run, latency, folder_bytes(bench.folder / "bm25" / "lucene"), 0, about)


def dense(bench: Bench, variant: str) -> Row:
    """Exact inner product of normalised embeddings, in FAISS."""
    run = bench.dense_run(variant, bench.split, bench.queries)
    index, adjustment = bench.dense(variant), bench.adjustment(DENSE_KINDS[variant], "query")

    def encode(text: str) -> np.ndarray:
        return adjustment.apply(bench.embedder.encode([text], "query"))

    latency = measure_latency(list(bench.queries.values()), encode, lambda vector: index.search(vector, TIMED_HITS))
    calls = _model_calls(bench, encode)
    return Row("dense", variant, run, latency, index.bytes, calls, {"adjustment": adjustment.kind})


def fused(bench: Bench, variant: str, fuse: Callable[[Run, Run], Run], about: dict[str, Any]) -> Row:
    """A fusion of BM25 and centred dense."""
    first = bench.bm25_run(bench.split, bench.queries)
    second = bench.dense_run("centred", bench.split, bench.queries)
    index, adjustment = bench.dense("centred"), bench.adjustment("centred", "query")

    def search(encoded: tuple[str, np.ndarray]) -> object:
        text, vector = encoded
        return fuse({"": bench.bm25.search(text, 1000)}, {"": index.search(vector, 1000)[0]})

    def encode(text: str) -> tuple[str, np.ndarray]:
        return text, adjustment.apply(bench.embedder.encode([text], "query"))

    latency = measure_latency(list(bench.queries.values()), encode, search)
    size = folder_bytes(bench.folder / "bm25" / "lucene") + index.bytes
    return Row("fusion", variant, fuse(first, second), latency, size, _model_calls(bench, encode), about)


def fusion_rrf(bench: Bench) -> Row:
    """Reciprocal rank fusion, k = 60."""
    return fused(bench, "rrf", lambda first, second: rrf([first, second], k=RRF_K), {"k": RRF_K})


def fusion_weighted(bench: Bench) -> Row:
    """Min-max fusion, with the weight that is best on the train split, or 0.5 where there is none."""
    weight, source = DEFAULT_FUSION_WEIGHT, "default"
    if bench.tuning is not None:
        source, label, queries = bench.tuning
        qrels = {query: bench.collection.qrels(source)[query] for query in queries}
        first, second = bench.bm25_run(label, queries), bench.dense_run("centred", label, queries)
        weight, _ = choose_weight(first, second, qrels)
    about = {"dense_weight": weight, "weight_from": source}
    return fused(bench, "weighted", lambda first, second: weighted(first, second, weight), about)


def bm25_feedback(bench: Bench, kind: str) -> Row:
    """BM25 with Anserini's own pseudo-relevance feedback, as it is."""
    searcher = FeedbackSearcher(bench.with_terms, kind, bench.analyzer)
    hits = searcher.search_batch(bench.queries, 1001, threads=2)
    latency = measure_latency(
        list(bench.queries.values()), lambda text: text, lambda text: searcher.search(text, TIMED_HITS)
    )
    searcher.close()
    about = {"k1": K1, "b": B, "analyzer": bench.analyzer, "parameters": "Pyserini's defaults"}
    return Row("bm25", kind, as_run(bench.queries, hits), latency, folder_bytes(bench.with_terms), 0, about)


def fusion_feedback(bench: Bench) -> Row:
    """Weighted fusion whose best hits count for those most like them, as in our own index.

    The weight of feedback is the one index's, so that not only ours is helped.
    """
    plain = fusion_weighted(bench)
    fitted = (build_sparse(bench, "word").manifest.rescoring or {}).get(NONE)
    weight = fitted["feedback"]["weight"] if fitted is not None else 0.0
    places = {doc_id: place for place, doc_id in enumerate(bench.corpus.ids)}
    vectors = bench.encoded.documents.matrix()
    rows = eight_bits(vectors, vectors[vectors.any(axis=1)].mean(axis=0))

    def fed_back(hits: Sequence[Hit]) -> list[Hit]:
        best = hits[:CANDIDATES]
        scores = unit(np.array([hit.score for hit in best]))
        near = neighbour_weights(rows[[places[hit.id] for hit in best]])
        new = (1 - weight) * scores + weight * (near @ scores)
        order = np.argsort(-new, kind="stable").tolist()
        ids, scores = [best[place].id for place in order], new[order].tolist()
        rest = hits[CANDIDATES:]
        ids += [hit.id for hit in rest]
        return ranked(ids, scores + [hit.score - hits[0].score - 1 for hit in rest])

    start = perf_counter()
    run = {query: fed_back(hits) for query, hits in plain.run.items()}
    each = 1000 * (perf_counter() - start) / len(run)
    latency = Latency(plain.latency.encode_ms, plain.latency.search_ms + each)
    about = {**plain.about, "feedback": weight}
    size = plain.index_bytes + rows.nbytes
    return Row("fusion", "weighted-feedback", run, latency, size, plain.query_model_calls, about)


def rescored(bench: Bench, variant: str, terms: str, encoder: str) -> Row | None:
    """One of our own indexes with feedback, and its best hits compared with the query's embedding where asked for."""
    built = build_sparse(bench, terms)
    if encoder not in (built.manifest.rescoring or {}):
        note(f"left out: {bench.embedder.spec.name} has no {encoder} query encoder for {bench.corpus.name}")
        return None
    with Searcher.open(built.path, encoder=encoder, feedback=True, embedder=bench.embedder) as searcher:
        rescorer = searcher.rescorer
        assert rescorer is not None
        known = (
            bench.query_vectors(bench.split, bench.queries)
            if encoder == FULL
            else dict(zip(bench.queries, rescorer.encode(list(bench.queries.values())), strict=True))
        )
        # Without the query's own document, where it has one: its neighbours would be found as by the query's embedding.
        found = as_run(bench.queries, searcher.engine.search_batch(_impact_queries(bench, searcher), 1001, threads=2))
        run = {query: rescorer.ordered(hits, known[query], DEPTH, without=query) for query, hits in found.items()}

        def encode(text: str) -> tuple[dict[str, int], Vectors | None]:
            return searcher.encode_query(text), rescorer.encode([text])[0]

        def search(encoded: tuple[dict[str, int], Vectors | None]) -> object:
            return rescorer.ordered(searcher.engine.search(encoded[0], CANDIDATES), encoded[1], TIMED_HITS)

        latency = measure_latency(list(bench.queries.values()), encode, search)
        calls = _model_calls(bench, encode)
        about = {
            "sparse": built.manifest.sparse,
            "candidates": CANDIDATES,
            "encoder": encoder,
            "weight": rescorer.weight,
            "feedback": rescorer.feedback,
            "rescoring": (built.manifest.rescoring or {})[encoder],
        }
    return Row("sparse", variant, run, latency, searched_bytes(built, True), calls, about)


def sparse(bench: Bench, variant: str, terms: str, expand: int = 0) -> Row:
    """Retrieval from one of our own indexes."""
    built = build_sparse(bench, terms)
    with Searcher.open(built.path) as searcher:
        if expand:
            searcher.query_encoder = searcher.expander(expand, DEFAULT_EXPANSION_WEIGHT, bench.embedder)
        hits = searcher.engine.search_batch(_impact_queries(bench, searcher), 1001, threads=2)
        latency = measure_latency(
            list(bench.queries.values()),
            searcher.encode_query,
            lambda query: searcher.engine.search(query, TIMED_HITS),
        )
        calls = _model_calls(bench, searcher.encode_query)
    about = {"sparse": built.manifest.sparse, "m": expand, "counts": built.manifest.counts}
    if built.manifest.mix is not None:
        about["mix"] = built.manifest.mix
    if expand:
        about["expansion_weight"] = DEFAULT_EXPANSION_WEIGHT
    return Row("sparse", variant, as_run(bench.queries, hits), latency, searched_bytes(built), calls, about)


def searched_bytes(built: BuiltIndex, rescoring: bool = False) -> int:
    """Return the size of what the native engine searches, in bytes: the segments without their texts.

    :param built: The index.
    :param rescoring: Whether embeddings are read too.
    """
    unread = {TEXTS} if rescoring else {TEXTS, EMBEDDINGS, ROWS}
    files = [file for segment in built.manifest.segments for file in segment["files"].items()]
    return sum(int(about["bytes"]) for name, about in files if name not in unread)


def build_sparse(bench: Bench, terms: str) -> BuiltIndex:
    """Build, or reuse, the bench's index in a term space, with the default choices."""
    path = bench.folder / f"sparse-{terms}"
    _ = bench.encoded
    words: dict[str, Any] = {"analyzer": bench.analyzer} if "word" in terms else {}
    return build_index(bench.corpus, path, bench.embedder, terms, overwrite=True, **words)


def _impact_queries(bench: Bench, searcher: Searcher) -> Sequence[dict[str, int]]:
    """Encode all queries, with embeddings made in batches where a model is needed."""
    encoder = searcher.query_encoder
    if not isinstance(encoder, Expanded):
        return [encoder.encode(text) for text in bench.queries.values()]
    vectors = bench.query_vectors(bench.split, bench.queries)
    return [
        encoder.encode_with(text, vectors[query] if text.strip() else None) for query, text in bench.queries.items()
    ]


def _model_calls(bench: Bench, encode: Callable[[str], object]) -> int:
    """Count the model calls that encoding one query costs."""
    text = next((text for text in bench.queries.values() if text.strip()), "")
    before = bench.embedder.model_calls
    encode(text)
    return bench.embedder.model_calls - before


SYSTEMS: dict[tuple[str, str], Callable[[Bench], Row | None]] = {
    ("bm25", "flat"): bm25,
    ("bm25", "rm3"): lambda bench: bm25_feedback(bench, "rm3"),
    ("bm25", "rocchio"): lambda bench: bm25_feedback(bench, "rocchio"),
    ("dense", "cosine"): lambda bench: dense(bench, "cosine"),
    ("dense", "centred"): lambda bench: dense(bench, "centred"),
    ("fusion", "rrf"): fusion_rrf,
    ("fusion", "weighted"): fusion_weighted,
    ("fusion", "weighted-feedback"): fusion_feedback,
    ("sparse", "aligned-inference-free"): lambda bench: sparse(bench, "aligned-inference-free", "folded"),
    ("sparse", "aligned-expanded"): lambda bench: sparse(bench, "aligned-expanded", "folded", DEFAULT_M),
    ("sparse", "aligned-static"): lambda bench: rescored(bench, "aligned-static", "folded", STATIC),
    ("sparse", "one-index"): lambda bench: sparse(bench, "one-index", "word"),
    ("sparse", "one-index-pieces"): lambda bench: sparse(bench, "one-index-pieces", "word+folded"),
    ("sparse", "one-index-feedback"): lambda bench: rescored(bench, "one-index-feedback", "word", NONE),
    ("sparse", "one-index-static"): lambda bench: rescored(bench, "one-index-static", "word", STATIC),
    ("sparse", "one-index-small"): lambda bench: rescored(bench, "one-index-small", "word", SMALL),
    ("sparse", "one-index-full"): lambda bench: rescored(bench, "one-index-full", "word", FULL),
    ("sparse", "one-index-pieces-feedback"): lambda bench: rescored(
        bench, "one-index-pieces-feedback", "word+folded", NONE
    ),
    ("sparse", "one-index-pieces-static"): lambda bench: rescored(
        bench, "one-index-pieces-static", "word+folded", STATIC
    ),
    ("sparse", "one-index-pieces-small"): lambda bench: rescored(bench, "one-index-pieces-small", "word+folded", SMALL),
    ("sparse", "one-index-pieces-full"): lambda bench: rescored(bench, "one-index-pieces-full", "word+folded", FULL),
}
