"""Bytes a document against nDCG@10: which aligned terms become postings, with how many bits, on train and dev splits.

    python benchmarks/bytes.py pydocs:train path/to/nfcorpus:dev path/to/scifact:train

Builds an index for each choice from stored embeddings and asks it with plain words. The table goes to
benchmarks/results/bytes.md. Nothing here may look at a test split.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from script import RESULTS, called, publish, status

from sparseembed.data.qrels import Qrels
from sparseembed.data.resolve import open_collection
from sparseembed.embedders.load import load_embedder
from sparseembed.errors import ConfigError
from sparseembed.evaluation.bench import as_run
from sparseembed.evaluation.measures import evaluate
from sparseembed.evaluation.systems import searched_bytes
from sparseembed.indexing.build import BuiltIndex, build_index
from sparseembed.progress import ConsoleReporter, set_reporter
from sparseembed.retrieval.searcher import Searcher

BEFORE: dict[str, Any] = {"kept": 0, "composed": 1, "bits": 8}
VARIANTS: dict[str, dict[str, Any]] = {
    "all 1,024, 8 bits": BEFORE,
    "default": {},
    "6 bits": {"bits": 6},
    "4 bits": {"bits": 4},
    "kept 256 (small)": {"kept": 256},
    "kept 192": {"kept": 192},
    "kept 128": {"kept": 128},
    "least 3, kept 256": {"least": 3, "kept": 256},
}
DEPTH = 101  # hits a query: a query's own document may be among them
LUCENE = (".doc", ".tim", ".tip")


class Figure(NamedTuple):
    """What one index is and finds: postings and bytes a document, and nDCG@10 of each query."""

    postings: float
    native: float
    lucene: float
    per_query: np.ndarray


def measured(built: BuiltIndex, queries: Mapping[str, str], qrels: Qrels) -> Figure:
    """Search an index, and weigh it."""
    with Searcher.open(built.path) as searcher:
        hits = searcher.engine.search_batch([searcher.encode_query(text) for text in queries.values()], DEPTH)
    found = evaluate(as_run(queries, hits), qrels).per_query["nDCG@10"]
    count = built.manifest.counts
    lucene = sum(file.stat().st_size for file in (built.path / "lucene").iterdir() if file.suffix in LUCENE)
    documents = max(1, count["documents"])
    values = np.array([found[query] for query in sorted(found)])
    return Figure(count["postings"] / documents, searched_bytes(built) / documents, lucene / documents, values)


def row(name: str, figures: list[Figure], before: list[Figure]) -> str:
    """Return a line of the table: each collection's nDCG@10 less that of before with its standard error, and means."""
    cells, differences = [], []
    for now, then in zip(figures, before, strict=True):
        each = now.per_query - then.per_query
        differences.append(each.mean())
        error = each.std() / max(1, len(each)) ** 0.5
        cells.append(f"{now.per_query.mean():.4f} ({each.mean():+.4f} ± {error:.4f})")
    means = [np.mean([getattr(each, field) for each in figures]) for field in ("postings", "native", "lucene")]
    told = " | ".join(f"{value:,.0f}" for value in means)
    return f"| {name} | {' | '.join(cells)} | {np.mean(differences):+.4f} | {told} |"


def run(arguments: argparse.Namespace) -> None:
    """Measure all variants."""
    embedder = load_embedder(arguments.embedder)
    tasks = []
    for asked in arguments.collections:
        name, _, split = asked.rpartition(":")
        if split not in ("train", "dev", "validation") or not name:
            raise ConfigError(f"{asked!r}: name a collection and its train or dev split, as in pydocs:train")
        collection = open_collection(name)
        qrels = collection.qrels(split)
        queries = {query: text for query, text in collection.queries(split).items() if query in qrels}
        tasks.append((collection, queries, qrels))
    figures: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, choices in VARIANTS.items():
            figures[name] = []
            for collection, queries, qrels in tasks:
                place = Path(folder) / "index"
                built = build_index(collection.corpus, place, embedder, overwrite=True, carried=False, **choices)
                figures[name].append(measured(built, queries, qrels))
    names = [f"{collection.corpus.name} {asked.rpartition(':')[2]}" for asked, (collection, _, _) in
             zip(arguments.collections, tasks, strict=True)]  # fmt: skip
    head = ["choice", *names, "mean difference", "postings", "bytes", "of Lucene"]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    before = next(iter(figures.values()))
    lines += [row(name, each, before) for name, each in figures.items()]
    page = (
        "# Bytes a document\n\n"
        f"`{called('bytes.py')}`\n\n"
        "nDCG@10 of plain words in the one index, less that with all 1,024 aligned terms in 8 bits, ± a standard "
        "error; means over the collections of postings and bytes a document: the native engine's files but texts and "
        "embeddings, and Lucene's postings and terms. A line is the default with what its name says.\n\n"
    )
    content = {name: [each._replace(per_query=each.per_query.tolist())._asdict() for each in some] for name, some in
               figures.items()}  # fmt: skip
    publish(arguments.out, page + "\n".join(lines) + "\n", content)


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", nargs="+", metavar="NAME:SPLIT", help="a collection and its train or dev split")
    parser.add_argument("--embedder", help="a preset or model folder (default: the default embedder)")
    parser.add_argument("--out", type=Path, default=RESULTS / "bytes", help="results, without an ending")
    arguments = parser.parse_args()
    set_reporter(ConsoleReporter(sys.stderr))
    return status("bytes.py", lambda: run(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
