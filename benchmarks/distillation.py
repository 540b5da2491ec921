"""Objectives of a training beside each other, on the top layers alone: an hour on a busy CPU in place of a day.

    python benchmarks/distillation.py pairs/ --on path/to/scifact:train:120:300 pydocs:train:93:300 --work work/top

Each of `ARMS` goes on from the embedder for the same steps, with the same batches, each pair with a hard negative of
BM25's. The layers below the top ones are run once for all (`apart/layers.py`). DATASET:SPLIT:Q:D takes Q of a split's
queries, what is judged relevant for them, and others up to D documents; nothing here may look at a test split. The
folder of the work holds states, adapters and each query's figures: what is there is not made again.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from apart.layers import States, Text, UpperEncoder, lower_states
from apart.sampled import DEPTH, Judged, units
from script import called, status

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Decoder, Vectors
from sparseembed.alignment.head import decoding_head
from sparseembed.data.corpus import Corpus
from sparseembed.data.resolve import open_collection
from sparseembed.data.sampling import even_places
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.presets import DEFAULT
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError
from sparseembed.evaluation.measures import evaluate
from sparseembed.files import read_json, write_json
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.pseudo.pairs import Source, read_sources
from sparseembed.sparse.config import default_config
from sparseembed.sparse.spaces import SPACES, Backbone
from sparseembed.sparse.sparsify import Sparsifier, Weighted
from sparseembed.training.batches import BatchPlan
from sparseembed.training.hard import with_hard_negatives
from sparseembed.training.objectives import MIX
from sparseembed.training.recipe import Recipe
from sparseembed.training.run import hold_out
from sparseembed.training.trainer import Job, as_texts, train_adapter

ARMS: dict[str, tuple[str, ...]] = {
    "dense + aligned": ("dense", "aligned"),
    "dense + distilled": ("dense", "distilled"),
    "dense + fused": ("dense", "fused"),
    "dense + searched": ("dense", "searched"),
    "dense + aligned + distilled": ("dense", "aligned", "distilled"),
}
"""Name -> objectives. The first is what `train` has by default."""

SYSTEMS = ("dense, centred", "aligned, no model", "one index")
LENGTHS = {"query": 36, "document": 64}  # tokens of a prompted text
LAYERS = 26  # of 30 that are run once
OF_EACH = 600  # pairs of a file, at most
HELD_OUT = 96  # pairs of the curve's held-out batch

Figures = dict[str, dict[str, float]]  # system -> query -> nDCG@10


@dataclass(frozen=True)
class Part:
    """A part of a collection.

    :param name: `DATASET:SPLIT`.
    :param judged: Documents, queries and judgements.
    """

    name: str
    judged: Judged

    @property
    def documents(self) -> list[str]:
        """Texts of the documents."""
        return [document.contents for document in self.judged.corpus]

    @property
    def texts(self) -> list[Text]:
        """All texts, with their sides."""
        return [
            *(("query", query) for query in self.judged.queries.values()),
            *(("document", document) for document in self.documents),
        ]


def main() -> int:
    """Train and search.

    :return: 0, or 2 for a user's mistake.
    """
    return status("distillation", run)


def run() -> None:
    """Read the arguments, train the arms, search with each, and write the table.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="files of pairs, or folders of them")
    parser.add_argument("--on", metavar="DATASET:SPLIT:Q:D", nargs="+", required=True, help="of no test split")
    parser.add_argument("--work", metavar="DIR", type=Path, required=True, help="folder of all that is made")
    parser.add_argument("--arms", metavar="ARM", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--rate", type=float, default=1e-4)
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    recipe = Recipe(steps=options.steps, batch=options.batch, layers=1.0, learning_rate=options.rate)
    embedder, parts = load_embedder(DEFAULT), [read_part(each) for each in options.on]
    sources = [Source(each.name, _even(each.pairs, OF_EACH)) for each in read_sources(options.files)]
    job, trained_on = plan(sources, recipe)
    folder = options.work / "states"
    made = [lower_states(embedder, texts, LAYERS, LENGTHS, folder) for texts in (trained_on, *(p.texts for p in parts))]
    states = joined(made)
    found: dict[str, dict[str, Figures]] = {}
    for arm in ("start", *options.arms):
        file = options.work / f"{arm.replace(' + ', '+')}-{recipe.steps}-{recipe.learning_rate:g}.json"
        if not file.exists():
            write_json(file, figures_of(arm, embedder, job, recipe, states, parts, options.work))
        found[arm] = read_json(file, ConfigError, "remove it")
        note(row(arm, found))
    page = [f"Written by `{called('distillation.py')}`.", "", *head(parts), *(row(arm, found) for arm in found)]
    (options.work / "distillation.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(page) + "\n")


def read_part(named: str) -> Part:
    """Open what `DATASET:SPLIT:Q:D` names.

    :param named: A collection, a split of it, a number of queries and one of documents.
    :raises ConfigError: It names the test split, or is of another form.
    :raises DataError: There is no such collection or split.
    """
    try:
        dataset, split, *numbers = named.rsplit(":", 3)
        queries, size = map(int, numbers)
    except ValueError:
        raise ConfigError(f"--on {named}: write DATASET:SPLIT:QUERIES:DOCUMENTS, such as pydocs:train:93:300") from None
    if split == "test":
        raise ConfigError(f"--on {named}: nothing is tuned on a test split: name another")
    collection = open_collection(dataset)
    corpus, asked = collection.corpus, collection.queries(split)
    qrels = {
        query: {document: grade for document, grade in judged.items() if corpus.has_id(document)}
        for query, judged in collection.qrels(split).items()
        if any(grade > 0 for grade in judged.values())
    }
    chosen = _even(sorted(qrels), queries)
    wanted = {corpus.index_of(document) for query in chosen for document in qrels[query]}
    others = [number for number in range(len(corpus)) if number not in wanted]
    wanted |= set(_even(others, max(0, size - len(wanted))))
    small = Corpus([corpus[number] for number in sorted(wanted)], corpus.name, f"{corpus.identity}, {len(wanted)}")
    judged = Judged(small, {query: asked[query] for query in chosen}, {query: qrels[query] for query in chosen})
    return Part(f"{Path(dataset).name}:{split}", judged)


def _even(items: Sequence[object], count: int) -> tuple[object, ...]:
    return tuple(items[int(place)] for place in even_places(len(items), min(count, len(items))))


def plan(sources: Sequence[Source], recipe: Recipe) -> tuple[Job, list[Text]]:
    """Return what is trained on, and all its texts."""
    kept, aside = hold_out(sources, HELD_OUT)
    bare = [Source(each.name, tuple(pair._replace(negative=None) for pair in each.pairs)) for each in kept]
    batches = BatchPlan(with_hard_negatives(bare, recipe.seed), recipe.batch, recipe.seed, recipe.alike)
    documents = [pair.positive for source in kept for pair in source.pairs]
    texts: list[Text] = []
    for pairs in (aside, *map(batches.batch, range(recipe.steps))):
        queries, found = as_texts(pairs)
        texts += [*(("query", query) for query in queries), *(("document", text) for text in found)]
    return Job(batches, aside, documents, f"{LAYERS} layers once, {LENGTHS}"), texts


def joined(made: Sequence[States]) -> States:
    """Return the states of several sets of texts as those of one."""
    places: dict[Text, tuple[int, int]] = {}
    end = 0
    for states in made:
        places |= {text: (start + end, stop + end) for text, (start, stop) in states.places.items()}
        end += len(states.table)
    return States(made[0].depth, torch.cat([states.table for states in made]), places)


def figures_of(
    arm: str,
    embedder: TransformerEmbedder,
    job: Job,
    recipe: Recipe,
    states: States,
    parts: Sequence[Part],
    work: Path,
) -> dict[str, Figures]:
    """Train an arm, or none for `start`, and search all parts.

    :return: Part -> figures.
    """
    recipe = recipe.with_changes(objectives=ARMS.get(arm))
    encoder = UpperEncoder(embedder, recipe, states)
    if arm in ARMS:
        out = work / f"{arm.replace(' + ', '+')}-{recipe.steps}-{recipe.learning_rate:g}"
        out.mkdir(exist_ok=True)
        curve = train_adapter(embedder, job, recipe, work / f".{out.name}", out, encoder)
        write_json(out / "curve.json", [point._asdict() for point in curve])
    return {part.name: search(part, embedder, encoder) for part in parts}


def search(part: Part, embedder: TransformerEmbedder, encoder: UpperEncoder) -> Figures:
    """Search a part, densely and by words, as an index of it would be searched."""
    queries, documents = list(part.judged.queries.values()), part.documents
    with torch.inference_mode():
        asked = encoder.embed_all(encoder.tokenize(queries, "query")).numpy()
        vectors = encoder.embed_all(encoder.tokenize(documents, "document")).numpy()
    scores = {SYSTEMS[0]: units(asked - asked.mean(axis=0)) @ units(vectors - vectors.mean(axis=0)).T}
    matrix = decoding_head(embedder).matrix
    fitted = SPACES["word"]([documents], None, Backbone(embedder.tokenizer, len(matrix)))
    decoder = Decoder(fitted.space.rows(matrix, embedder.tokenizer))
    adjustment = fit_adjustment("centred", vectors)
    counts = fitted.space.count(documents).counts
    wanted = (fitted.space.count(queries).counts.matrix[:, : len(decoder)]).astype(np.float32)
    for system, literal in ((SYSTEMS[1], False), (SYSTEMS[2], True)):
        config = default_config("word", mix=MIX, literal=literal, least=fitted.least)
        weighted = Sparsifier(config, fitted.collection, decoder, adjustment).block(counts, vectors)
        scores[system] = _dot(wanted, weighted, len(documents))
    return {system: ndcg(scores[system], part.judged) for system in SYSTEMS}


def _dot(queries: object, weighted: Weighted, count: int) -> Vectors:
    from scipy.sparse import csr_array

    width = queries.shape[1]
    columns = max(width, int(weighted.terms.max(initial=0)) + 1)
    documents = csr_array((weighted.weights, weighted.terms, weighted.indptr), shape=(count, columns))
    return (queries @ documents[:, :width].T).toarray()


def ndcg(scores: Vectors, judged: Judged) -> dict[str, float]:
    """Return each query's nDCG@10; of equal scores the first document, and what scores 0 or less by words not found."""
    ids = judged.corpus.ids
    found = {}
    for query, line in zip(judged.queries, scores, strict=True):
        best = np.argsort(-line, kind="stable")[:DEPTH]
        found[query] = [Hit(ids[place], float(line[place]), rank) for rank, place in enumerate(best, 1) if line[place]]
    return evaluate(found, judged.qrels, ["nDCG@10"]).per_query["nDCG@10"]


def head(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the head of the table."""
    cells = ["arm", *(f"{part.name}: {system}" for part in parts for system in SYSTEMS), *(f"mean: {s}" for s in SYSTEMS)]
    yield f"| {' | '.join(cells)} |"
    yield f"| --- |{' ---: |' * (len(cells) - 1)}"


def row(arm: str, found: dict[str, dict[str, Figures]]) -> str:
    """Return a row: nDCG@10, and what it has more than at the start, with the standard error of that."""
    cells, gains = [arm], {system: [] for system in SYSTEMS}
    for part, figures in found[arm].items():
        for system, each in figures.items():
            before = found["start"][part][system]
            gain = np.asarray([each[query] - before[query] for query in each])
            gains[system].append((gain.mean(), gain.std(ddof=1) / len(gain) ** 0.5))
            cells.append(f"{np.mean(list(each.values())):.4f}{_told(*gains[system][-1]) if arm != 'start' else ''}")
    for system in SYSTEMS:
        mean = np.mean([np.mean(list(figures[system].values())) for figures in found[arm].values()])
        errors = np.asarray([error for _, error in gains[system]])
        told = _told(np.mean([gain for gain, _ in gains[system]]), np.sqrt((errors**2).sum()) / len(errors))
        cells.append(f"{mean:.4f}{told if arm != 'start' else ''}")
    return f"| {' | '.join(cells)} |"


def _told(gain: float, error: float) -> str:
    return f" ({gain:+.4f} ± {error:.4f})"


if __name__ == "__main__":
    sys.exit(main())
