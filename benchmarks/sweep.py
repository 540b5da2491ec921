"""The sweep that chose the defaults of `SparseConfig` and of expanded queries, on a train split.

    python benchmarks/sweep.py scifact --split train
    python benchmarks/sweep.py pydocs --split train

Each choice is varied alone around the defaults, from stored embeddings, with exact integer scoring; the table goes to
benchmarks/results/sweep-DATASET-SPLIT.md. Nothing here may look at a test split.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Aligned, Decoder
from sparseembed.alignment.matrix import decoding_matrix
from sparseembed.data.resolve import open_collection
from sparseembed.embedders.load import load_embedder
from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError, SparseEmbedError
from sparseembed.evaluation.bench import Bench, as_run
from sparseembed.evaluation.measures import evaluate
from sparseembed.indexing.build import sample
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.retrieval.query import Expanded, InferenceFree
from sparseembed.sparse.config import DEFAULTS, SparseConfig
from sparseembed.sparse.quantize import fit_quantizer
from sparseembed.sparse.sparsify import Sparsifier
from sparseembed.sparse.terms import BUILDERS

DEPTH = 100
LARGEST_K = 2048
GRID: dict[str, tuple[Any, ...]] = {
    "k": (64, 128, 256, 512, 1024, 2048),
    "adjustment": ("none", "pc1", "pc1:1", "centred"),
    "floor": ("zero", "kth"),
    "weighting": ("linear", "log1p", "sqrt"),
    "scale": ("none", "document"),
    "idf": (True, False),
    "bits": (4, 6, 8),
}
MIXES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
# Choices of `word` that may go well together, tried on every train split.
COMBINATIONS: tuple[dict[str, Any], ...] = tuple(
    {"k": 512, "floor": floor, "weighting": weighting, "mix": mix}
    for floor, weighting in (("kth", "log1p"), ("kth", "sqrt"), ("zero", "log1p"), ("zero", "linear"))
    for mix in (0.2, 0.3, 0.4, 0.8)
)
EXPANSIONS = (5, 10, 20)
EXPANSION_WEIGHTS = (0.25, 0.5, 1.0)


class Space:
    """One term space of one collection, decoded once an adjustment."""

    def __init__(self, bench: Bench, terms: str) -> None:
        """Analyse the collection and compose the rows."""
        self.bench = bench
        matrix = decoding_matrix(bench.embedder)
        contents = [document.contents for document in bench.corpus]
        self.analysed = BUILDERS[terms](contents, bench.embedder, len(matrix))
        self.decoder = Decoder(self.analysed.space.rows(matrix, bench.embedder.tokenizer), bench.embedder.device)
        self._aligned: dict[str, Aligned] = {}
        self.free = InferenceFree(self.analysed.space.literal, counted=terms == "word")
        self._number = {term: number for number, term in enumerate(self.analysed.space.terms)}

    def documents(self, config: SparseConfig) -> Any:
        """Return the quantised impacts of all documents, scipy CSR, shape (N, T)."""
        from scipy.sparse import csr_array

        if config.adjustment not in self._aligned:
            note(f"decoding {config.terms}, {config.adjustment}")
            fitted = fit_adjustment(config.adjustment, sample(self.bench.encoded.documents))
            vectors = fitted.apply(self.bench.encoded.documents.matrix())
            self._aligned[config.adjustment] = self.decoder.top(vectors, LARGEST_K)
        whole = self._aligned[config.adjustment]
        rows = np.arange(len(whole.terms), dtype=np.int64)
        aligned = Aligned(whole.terms[:, : config.k], whole.scores[:, : config.k])
        sparsifier = Sparsifier(config, self.analysed.counts, self.decoder, fit_adjustment("none", np.zeros((0, 1))))
        block = sparsifier.weigh(rows, aligned)
        quantizer = fit_quantizer(float(block.weights.max(initial=0.0)), config.bits)
        impacts = quantizer.apply(block.weights, block.literal).astype(np.float64)
        return csr_array((impacts, block.terms, block.indptr), shape=(len(rows), len(self.decoder)))

    def figure(self, documents: Any, queries: Mapping[str, dict[str, int]]) -> dict[str, float]:
        """Return the means of queries (id -> impact query) against documents' impacts."""
        from scipy.sparse import csr_array

        ids = self.bench.corpus.ids
        order = np.argsort(np.asarray(ids), kind="stable")
        entries = [
            (row, self._number[term], weight)
            for row, query in enumerate(queries.values())
            for term, weight in query.items()
            if term in self._number
        ]
        at_row, at_term, weights = (np.asarray(part) for part in zip(*entries, strict=True))
        shape = (len(queries), len(self.decoder))
        scores = (csr_array((weights.astype(float), (at_row, at_term)), shape=shape) @ documents[order].T).toarray()
        run = as_run(dict.fromkeys(queries, ""), [_hits(row, ids, order) for row in scores])
        qrels = {query: self.bench.qrels[query] for query in queries}
        return evaluate(run, qrels).means

    def expanded(self, config: SparseConfig, m: int, weight: float) -> dict[str, dict[str, int]]:
        """Encode the queries with M aligned terms."""
        fitted = fit_adjustment(config.adjustment, self.bench.encoded.query_like.matrix())
        encoder = Expanded(self.free, self.analysed.space, self.bench.embedder, self.decoder, fitted, m, weight)
        vectors = self.bench.query_vectors(self.bench.split, self.bench.queries)
        return {key: encoder.encode_with(text, vectors[key]) for key, text in self.bench.queries.items()}

    def literal(self) -> dict[str, dict[str, int]]:
        """Encode the queries without a model."""
        return {key: self.free.encode(text) for key, text in self.bench.queries.items()}


def _hits(scores: np.ndarray, ids: list[str], order: np.ndarray) -> list[Hit]:
    best = np.argsort(-scores, kind="stable")[: DEPTH + 1]
    return [Hit(ids[order[place]], float(scores[place]), rank) for rank, place in enumerate(best, 1) if scores[place]]


def variants(terms: str) -> Iterator[tuple[str, SparseConfig]]:
    """Yield the default choices of a term space and each choice varied alone."""
    default = DEFAULTS[terms]
    yield "default", default
    for field, values in GRID.items():
        for value in values:
            if value != getattr(default, field):
                yield f"{field} = {value}", replace(default, **{field: value})
    if default.literal:
        yield "literal = False", replace(default, literal=False)
        for mix in MIXES:
            if mix != default.mix:
                yield f"mix = {mix}", replace(default, mix=mix)
        for choices in COMBINATIONS:
            yield ", ".join(f"{field} = {value}" for field, value in choices.items()), replace(default, **choices)


def sweep(space: Space, terms: str, tell: Callable[[str], None]) -> None:
    """Write one line a variant, as a Markdown table."""
    tell(f"\n## {terms}\n\nDefault: `{DEFAULTS[terms]}`\n")
    tell("| variant | nDCG@10 | R@100 | RR@10 | postings a document |\n| --- | --- | --- | --- | --- |")
    literal = space.literal()

    def line(name: str, documents: Any, queries: Mapping[str, dict[str, int]]) -> None:
        means = space.figure(documents, queries)
        figures = " | ".join(f"{means[measure]:.4f}" for measure in ("nDCG@10", "R@100", "RR@10"))
        tell(f"| {name} | {figures} | {(documents.data > 0).sum() / documents.shape[0]:.0f} |")

    for name, config in variants(terms):
        line(name, space.documents(config), literal)
    default = DEFAULTS[terms]
    documents = space.documents(default)
    for m in EXPANSIONS:
        for weight in EXPANSION_WEIGHTS:
            line(f"M = {m}, expansion weight = {weight}", documents, space.expanded(default, m, weight))


def main() -> int:
    """Run the sweep and write its table.

    :return: 0, or 2 for a user's mistake.
    """
    try:
        run()
        return 0
    except SparseEmbedError as error:
        sys.stderr.write(f"sweep: {error}\n")
        return 2


def run() -> None:
    """Read the arguments, run the sweep and write its table.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--split", default="train")
    parser.add_argument("--embedder")
    parser.add_argument("--terms", nargs="+", default=["word", "folded", "token"])
    options = parser.parse_args()
    if options.split == "test":
        raise ConfigError("defaults are never chosen on a test split")
    set_reporter(ConsoleReporter())
    bench = Bench(
        open_collection(options.dataset), options.split, load_embedder(options.embedder), Path("indexes/eval"), False
    )
    out = Path(__file__).parent / "results" / f"sweep-{bench.corpus.name}-{bench.split}.md"
    out.parent.mkdir(exist_ok=True)
    with out.open("w", encoding="utf-8") as file:

        def tell(text: str) -> None:
            file.write(text + "\n")
            file.flush()
            sys.stdout.write(text + "\n")

        tell(f"# Sweep on {bench.corpus.name}, split {bench.split}\n")
        tell(f"{len(bench.queries)} queries, {len(bench.corpus):,} documents, embedder {bench.embedder.spec.name}.")
        for terms in options.terms:
            sweep(Space(bench, terms), terms, tell)
    note(f"wrote {out}")


if __name__ == "__main__":
    sys.exit(main())
