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
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from apart.sampled import Judged, ndcg_of, units
from script import called, status

from sparseembed.alignment.head import decoding_head
from sparseembed.data.resolve import open_collection
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.pseudo.pairs import Source, read_sources
from sparseembed.training.batch import Batch, State, Texts, Vocabulary
from sparseembed.training.lexical import WordStatistics
from sparseembed.training.recipe import Recipe
from sparseembed.training.run import train

AT_ONCE = 64  # queries whose words are scored at once
SYSTEMS = ("dense", "dense, centred", "aligned, no model")

Scores = npt.NDArray[np.float32]


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
    page = [f"Written by `{called('recipes.py')}`.\n", *head(options.on)]
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
    return Judged(collection.corpus, collection.queries(split), collection.qrels(split))


def head(on: Sequence[str]) -> list[str]:
    """Return the head of the table.

    :param on: What `--on` names.
    """
    sides = [f"{Path(each).name}: {system}" for each in on for system in SYSTEMS]
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
    :param judged: Documents, queries and judgements.
    :return: System -> nDCG@10.
    """
    queries, texts = list(judged.queries.values()), [document.contents for document in judged.corpus]
    documents, asked = embedder.encode(texts), embedder.encode(queries, "query")
    scores = {
        "dense": units(asked) @ units(documents).T,
        "dense, centred": units(asked - asked.mean(axis=0)) @ units(documents - documents.mean(axis=0)).T,
        "aligned, no model": np.concatenate(list(_aligned(embedder, queries, texts, documents))),
    }
    return {system: ndcg_of(scores[system].astype(np.float64), judged) for system in SYSTEMS}


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
            yield Batch(Texts(some, texts), vectors[:1], vectors, State(), vocabulary).aligned.cpu().numpy()


if __name__ == "__main__":
    sys.exit(main())
