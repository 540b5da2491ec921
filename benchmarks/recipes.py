"""Recipes of a training beside each other: each is trained on the same pairs, then searched with on train splits.

    python benchmarks/recipes.py pairs/ --recipes benchmarks/reference/recipes.json --on path/to/scifact:train \\
        path/to/nfcorpus:dev --out adapters/tried

It needs no JVM, and so runs where a GPU is: dense retrieval, and aligned words as the training scores them (no query
goes through the model). Adapters that are there already are not trained again. The table goes to OUT/recipes.md;
nothing here may look at a test split.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from script import called, status

from sparseembed.alignment.head import decoding_head
from sparseembed.data.collection import Collection
from sparseembed.data.resolve import open_collection
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError
from sparseembed.evaluation.measures import evaluate
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.training.lexical import WordStatistics
from sparseembed.training.objectives import Batch, State, Texts, Vocabulary
from sparseembed.training.pairs import Source, read_sources
from sparseembed.training.recipe import Recipe
from sparseembed.training.run import train

MEASURE = "nDCG@10"
DEPTH = 10
AT_ONCE = 64  # queries whose words are scored at once
SYSTEMS = ("dense", "dense, centred", "aligned, no model")

Scores = npt.NDArray[np.float32]


class Judged(NamedTuple):
    """A collection's split that recipes are compared on."""

    collection: Collection
    split: str


def main() -> int:
    """Train and search.

    :return: 0, or 2 for a user's mistake.
    """
    return status("recipes", run)


def run() -> None:
    """Read the arguments, train what is not there yet, search with each, and write the table.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="JSONL files of pairs, or folders of them")
    parser.add_argument(
        "--recipes", metavar="FILE", type=Path, required=True, help="JSON object, name -> choices that differ"
    )
    parser.add_argument("--on", metavar="DATASET:SPLIT", nargs="+", required=True, help="judged queries, of no test")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder of the adapters and the table")
    parser.add_argument("--embedder", default="smollm2-135m")
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    recipes, judged = read_recipes(options.recipes), [read_judged(each) for each in options.on]
    sources, base = read_sources(options.files), load_embedder(options.embedder)
    page = [f"Written by `{called('recipes.py')}`.\n", *head(judged)]
    for name, recipe in recipes.items():
        page.append(row(name, sources, base, options.out / name, recipe, judged))
        note(page[-1])
    target = options.out / "recipes.md"
    target.write_text("\n".join(page) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(page) + "\n")
    note(f"wrote {target}")


def read_recipes(file: Path) -> dict[str, Recipe]:
    """Read recipes.

    :param file: A JSON object, name -> the choices that differ from `Recipe`'s defaults.
    :return: Name -> recipe.
    :raises ConfigError: It is none, or a choice is none.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {name: Recipe().with_changes(**changes) for name, changes in found.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f'{file} holds no recipes ({error}): write {{"long": {{"document_length": 256}}}}') from None


def read_judged(named: str) -> Judged:
    """Open what `DATASET:SPLIT` names.

    :param named: A collection and a split of it.
    :raises ConfigError: It names no split, or the test split.
    :raises DataError: There is no such collection or split.
    """
    dataset, _, split = named.rpartition(":")
    if not dataset or split == "test":
        raise ConfigError(f"--on {named}: write DATASET:SPLIT, and a split that is not test: nothing is tuned on that")
    collection = open_collection(dataset)
    collection.qrels(split)
    return Judged(collection, split)


def head(judged: Sequence[Judged]) -> list[str]:
    """Return the head of the table."""
    sides = [f"{each.collection.corpus.name} {each.split}: {system}" for each in judged for system in SYSTEMS]
    cells = ["recipe", "held-out loss at the first point, the middle, the last", "held-out MRR: dense, aligned", *sides]
    return [f"| {' | '.join(cells)} |", f"| --- | --- | --- |{' ---: |' * len(sides)}"]


def row(
    name: str,
    sources: Sequence[Source],
    base: TransformerEmbedder,
    out: Path,
    recipe: Recipe,
    judged: Sequence[Judged],
) -> str:
    """Train one recipe and search with it.

    :param name: What it is called.
    :param sources: The pairs.
    :param base: The embedder to start from.
    :param out: The adapter's folder; one that is there is taken.
    :param recipe: The recipe.
    :param judged: Where to search.
    :return: A row of the table.
    """
    trained = train(sources, base, out, recipe)
    points = [point for point in trained.about["about"]["curve"] if point["validation"]]
    chosen = [points[place]["validation"] for place in (0, len(points) // 2, -1)] if points else []
    losses = "; ".join(", ".join(f"{kind} {loss:.3f}" for kind, loss in each.items()) for each in chosen)
    gains = trained.about["check"]["mrr"]
    cells = [name, losses or "-", ", ".join(f"{gains[kind]['after']:.3f}" for kind in ("dense", "aligned"))]
    embedder = TransformerEmbedder(replace(base.spec, adapters=(*base.spec.adapters, str(out))))
    for each in judged:
        cells += [f"{figure:.4f}" for figure in figures(embedder, each).values()]
    return f"| {' | '.join(cells)} |"


def figures(embedder: TransformerEmbedder, judged: Judged) -> dict[str, float]:
    """Search a collection's queries in its documents.

    :param embedder: By what.
    :param judged: The collection and split.
    :return: System -> nDCG@10.
    """
    collection, split = judged
    qrels, ids = collection.qrels(split), collection.corpus.ids
    queries = {key: text for key, text in collection.queries(split).items() if key in qrels}
    texts = [document.contents for document in collection.corpus]
    documents, asked = embedder.encode(texts), embedder.encode(list(queries.values()), "query")
    scores = {
        "dense": _unit(asked) @ _unit(documents).T,
        "dense, centred": _unit(asked - asked.mean(axis=0)) @ _unit(documents - documents.mean(axis=0)).T,
        "aligned, no model": np.concatenate(list(_aligned(embedder, list(queries.values()), texts, documents))),
    }
    return {system: _ndcg(scores[system], list(queries), ids, qrels) for system in SYSTEMS}


def _aligned(
    embedder: TransformerEmbedder, queries: Sequence[str], texts: Sequence[str], documents: Scores
) -> Iterator[Scores]:
    """Yield the aligned scores of all documents for some queries at a time, as the objective computes them."""
    import torch

    head = decoding_head(embedder)
    vectors = torch.from_numpy(head.inputs(documents)).to(embedder.device)
    vocabulary = Vocabulary(head.matrix, embedder.tokenizer, WordStatistics(texts), embedder.device)
    with torch.no_grad():
        for start in range(0, len(queries), AT_ONCE):
            some = queries[start : start + AT_ONCE]
            yield Batch(Texts(some, texts), vectors[:1], vectors, State(), vocabulary).aligned().cpu().numpy()


def _ndcg(scores: Scores, queries: Sequence[str], ids: Sequence[str], qrels: Mapping[str, Mapping[str, int]]) -> float:
    found: dict[str, Any] = {}
    for query, line in zip(queries, scores, strict=True):
        best = np.argsort(-line, kind="stable")[:DEPTH]
        found[query] = [Hit(ids[place], float(line[place]), rank) for rank, place in enumerate(best, start=1)]
    return evaluate(found, qrels, [MEASURE]).means[MEASURE]


def _unit(vectors: Scores) -> Scores:
    result: Scores = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return result


if __name__ == "__main__":
    sys.exit(main())
