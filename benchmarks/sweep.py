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

from apart.space import Space, Task
from apart.stored import task_of
from script import status

from sparseembed.data.resolve import open_collection
from sparseembed.embedders.load import load_embedder
from sparseembed.errors import ConfigError
from sparseembed.evaluation.bench import Bench
from sparseembed.indexing.mixing import USUAL
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.sparse.config import DEFAULTS, SparseConfig

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


def variants(terms: str) -> Iterator[tuple[str, SparseConfig]]:
    """Yield the default choices of a term space and each choice varied alone."""
    default = DEFAULTS[terms].with_changes(mix=USUAL)
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


def sweep(space: Space, task: Task, tell: Callable[[str], None]) -> None:
    """Write one line a variant, as a Markdown table."""
    terms = space.kind
    tell(f"\n## {terms}\n\nDefault: `{DEFAULTS[terms].with_changes(mix=USUAL)}`\n")
    tell("| variant | nDCG@10 | R@100 | RR@10 | postings a document |\n| --- | --- | --- | --- | --- |")
    literal = space.literal(task.queries)

    def line(name: str, documents: Any, queries: Mapping[str, dict[str, int]]) -> None:
        means = space.figure(documents, queries, task.qrels).means
        figures = " | ".join(f"{means[measure]:.4f}" for measure in ("nDCG@10", "R@100", "RR@10"))
        tell(f"| {name} | {figures} | {documents.nnz / documents.shape[0]:.0f} |")

    for name, config in variants(terms):
        line(name, space.documents(config), literal)
    default = DEFAULTS[terms].with_changes(mix=USUAL)
    documents = space.documents(default)
    for m in EXPANSIONS:
        for weight in EXPANSION_WEIGHTS:
            line(
                f"M = {m}, expansion weight = {weight}", documents, space.expanded(default.adjustment, task, m, weight)
            )


def main() -> int:
    """Run the sweep and write its table.

    :return: 0, or 2 for a user's mistake.
    """
    return status("sweep", run)


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
    task = task_of(bench.collection, bench.split)
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
            sweep(Space(bench, terms, LARGEST_K), task, tell)
    note(f"wrote {out}")


if __name__ == "__main__":
    sys.exit(main())
