"""One term space of one collection, decoded once an adjustment, and what is measured in it."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.adjustment import Adjustment, fit_adjustment
from sparseembed.alignment.decoding import Aligned, Decoder, Vectors
from sparseembed.alignment.head import decoding_head
from sparseembed.embedders.adapters import held_out_documents
from sparseembed.engines.base import Hit
from sparseembed.evaluation.bench import Bench, as_run
from sparseembed.evaluation.measures import Evaluation, Qrels, evaluate
from sparseembed.indexing.fit import sample_vectors
from sparseembed.indexing.mixing import MixChoice, ask, choose_mix
from sparseembed.indexing.sample import Sample, decode_sample
from sparseembed.progress import note
from sparseembed.retrieval.query import Expanded, InferenceFree
from sparseembed.sparse.config import DEFAULTS, SparseConfig
from sparseembed.sparse.quantize import fit_quantizer
from sparseembed.sparse.spaces import SPACES, Backbone
from sparseembed.sparse.sparsify import Decoded, Sparsifier

from .exact import query_matrix
from .postings import confidence

DEPTH = 100
BLOCK = 256  # queries scored at once
LARGEST_K, LARGEST_M = 4000, 50
CONFIDENT_TERMS = 32  # best aligned terms that tell how far an embedding knows its own text
KEPT_BYTES = 2 << 30  # of decoded terms, over all adjustments
MEASURES = ("nDCG@10", "R@100", "RR@10")
_FIELDS = ("adjustment", "k", "floor", "weighting", "scale", "idf", "pieces")  # what aligned weights depend on

Queries = Mapping[str, Mapping[str, int]]  # query id -> impact query


class Task(NamedTuple):
    """Judged queries.

    :param label: Under what name their embeddings are kept.
    :param queries: id -> text.
    :param qrels: id -> document id -> grade; of these queries alone.
    """

    label: str
    queries: dict[str, str]
    qrels: Qrels


class Space:
    """A term space: impacts of all documents, queries and their figures. Documents stand in ascending order of id."""

    def __init__(self, bench: Bench, kind: str, largest_k: int = LARGEST_K) -> None:
        """Analyse the collection and make the decoding rows.

        :param bench: Collection and embedder.
        :param kind: `word`, `folded`, `token` or `word+folded`.
        :param largest_k: Aligned terms of a document that are decoded.
        """
        self.bench, self.kind, self._largest_k = bench, kind, largest_k
        self._matrix, self._inputs = decoding_head(bench.embedder)
        contents = [document.contents for document in bench.corpus]
        backbone = Backbone(bench.embedder.tokenizer, len(self._matrix))
        least = DEFAULTS[kind].least
        fitted = SPACES[kind]([contents], least if isinstance(least, int) else None, backbone)
        self.space, self.collection = fitted.space, fitted.collection
        self.counts, unknown = self.space.count(contents)
        self.decoder = Decoder(self.space.rows(self._matrix, backbone.tokenizer), bench.embedder.device)
        self.free = InferenceFree(self.space.literal)
        # Of W terms the first T are known; the others stand in too few documents to be decoded onto.
        self.number = {term: number for number, term in enumerate([*self.space.terms, *unknown])}
        self.idf = self.collection.idf_of(len(self.number))
        self._filled = np.flatnonzero([bool(text) for text in contents])
        ids = bench.corpus.ids
        self.order = np.asarray(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
        self._ids = [ids[row] for row in self.order]
        self._aligned: OrderedDict[str, list[Aligned]] = OrderedDict()
        self._expansion: tuple[tuple[Any, ...], Any] | None = None
        self._queries_aligned: dict[tuple[str, str], _Decoded] = {}

    def adjustment(self, kind: str, side: str) -> Adjustment:
        """Fit an adjustment on one side's texts, as an index is built with it."""
        stored = self.bench.encoded
        vectors = sample_vectors(stored.documents) if side == "document" else stored.query_like.matrix()
        return fit_adjustment(kind, self._inputs(vectors), self._matrix).after(self._inputs)

    def aligned(self, kind: str) -> list[Aligned]:
        """Return the best aligned terms of all documents under an adjustment, of each part of the space."""
        if kind not in self._aligned:
            note(f"decoding onto {self.kind}, adjustment {kind}")
            vectors = self.adjustment(kind, "document").apply(self.bench.encoded.documents.take(self.order))
            self._aligned[kind] = self.decoder.top_of_parts(vectors, self._largest_k)
            while len(self._aligned) > 1 and self._kept_bytes() > KEPT_BYTES:
                self._aligned.popitem(last=False)
        self._aligned.move_to_end(kind)
        return self._aligned[kind]

    def _kept_bytes(self) -> int:
        return sum(8 * part.terms.size for parts in self._aligned.values() for part in parts)

    def documents(self, config: SparseConfig, confident: bool = False) -> Any:
        """Return the quantised impacts of all documents, scipy CSR, shape (N, W), no stored zeros.

        :param config: The choices.
        :param confident: Scale `mix` for each document by its confidence over the mean one.
        """
        weights, literal = self._weights(config, confident)
        quantizer = fit_quantizer(float(weights.data.max(initial=0.0)), config.bits)
        weights.data = quantizer.apply(weights.data, literal).astype(np.float64)
        weights.eliminate_zeros()
        return weights

    def _weights(self, config: SparseConfig, confident: bool) -> tuple[Any, npt.NDArray[np.bool_] | None]:
        """Return what `Sparsifier` makes of all documents, and which entries are literal."""
        if not config.literal:
            expansion = self._expansions(config).copy()
            expansion.resize((len(self.order), len(self.number)))
            return expansion, None
        counts = self.counts.take(self.order)
        literal = self.collection.impacts(counts)
        if config.weight == 0:
            return literal, np.ones(len(literal.data), dtype=np.bool_)
        mixed = self._expansions(config).copy()
        mixed.data *= np.float32(config.weight)
        mixed.resize(literal.shape)
        if confident:
            sure = confidence(self.aligned(config.adjustment)[0].terms[:, :CONFIDENT_TERMS], counts.matrix)
            factors = sure / max(float(sure.mean()), 1e-9)
            mixed.data *= np.repeat(factors.astype(np.float32), np.diff(mixed.indptr))
            mixed.eliminate_zeros()
        total = (literal + mixed).tocsr()
        total.sort_indices()
        literal.data, mixed.data = np.full(len(literal.data), 2, np.int8), np.ones(len(mixed.data), np.int8)
        which = (literal + mixed).tocsr()
        which.sort_indices()
        return total, which.data >= 2

    def choose_mix(self, config: SparseConfig) -> MixChoice:
        """Choose the mix as an index does, without a query or a judgement."""
        bench, adjustment = self.bench, self.adjustment(config.adjustment, "document")
        sparsifier = Sparsifier(config, self.collection, self.decoder, adjustment)
        embedder, store = bench.embedder, bench.encoded.documents
        sample = Sample.of(bench.corpus, self._filled, held_out_documents(embedder.adapters, bench.corpus.has_id))
        aligned = decode_sample(sample, store, sparsifier)
        return choose_mix(ask(bench.corpus.name, sample, aligned, store, embedder, self.space, sparsifier))

    def _expansions(self, config: SparseConfig) -> Any:
        """Return the weights of aligned terms, scipy CSR, shape (N, T)."""
        key = tuple(getattr(config, field) for field in _FIELDS)
        if self._expansion is None or self._expansion[0] != key:
            self._expansion = None  # before the next is made: two of them may not fit
            parts = self.aligned(config.adjustment)
            aligned = [Aligned(part.terms[:, : config.k], part.scores[:, : config.k]) for part in parts]
            none = Adjustment("none", np.zeros(0, dtype=np.float32))
            alone = Sparsifier(config, self.collection, self.decoder, none)
            self._expansion = (key, alone.expansion(Decoded(aligned, {})))
        return self._expansion[1]

    def literal(self, queries: Mapping[str, str]) -> dict[str, dict[str, int]]:
        """Encode queries without a model."""
        return {key: self.free.encode(text) for key, text in queries.items()}

    def expanded(self, adjustment: str, task: Task, m: int, weight: float) -> dict[str, dict[str, int]]:
        """Encode queries with M aligned terms, M at most 50."""
        vectors = self.bench.query_vectors(task.label, task.queries)
        key = (adjustment, task.label)
        if key not in self._queries_aligned:
            stacked = np.stack([vectors[query] for query in task.queries])
            adjusted = self.adjustment(adjustment, "query").apply(stacked)
            self._queries_aligned[key] = _Decoded(stacked, self.decoder.top(adjusted, LARGEST_M + 1))
        decoded = cast(Decoder, self._queries_aligned[key])
        none = Adjustment("none", np.zeros(0, dtype=np.float32))
        encoder = Expanded(self.free, self.space, self.bench.embedder, decoded, none, m, weight)
        return {
            key: encoder.encode_with(text, vectors[key] if text.strip() else None) for key, text in task.queries.items()
        }

    def figure(self, documents: Any, queries: Queries, qrels: Qrels) -> Evaluation:
        """Measure queries against documents' impacts, by exact integer sums; equal scores by document id."""
        asked = query_matrix(queries.values(), self.number)
        hits = []
        for start in range(0, len(queries), BLOCK):
            scores = (documents @ asked[start : start + BLOCK].T).toarray().T
            hits += [self._hits(row) for row in scores]
        return evaluate(as_run(dict.fromkeys(queries, ""), hits), qrels, MEASURES)

    def _hits(self, scores: Vectors) -> list[Hit]:
        best = np.argsort(-scores, kind="stable")[: DEPTH + 1]
        return [Hit(self._ids[row], float(scores[row]), rank) for rank, row in enumerate(best, 1) if scores[row] > 0]


class _Decoded:
    """Aligned terms of known vectors, asked for in a decoder's way."""

    def __init__(self, vectors: Vectors, aligned: Aligned) -> None:
        self._row = {vector.tobytes(): row for row, vector in enumerate(vectors)}
        self._aligned = aligned

    def top(self, vectors: Vectors, k: int) -> Aligned:
        """Return the best k of what was decoded."""
        rows = [self._row[vector.tobytes()] for vector in vectors]
        return Aligned(self._aligned.terms[rows, :k], self._aligned.scores[rows, :k])
