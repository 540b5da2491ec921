"""Search manual pages in German, French, Japanese and Russian: words, and an embedder that knows English.

    python benchmarks/manpages/collect.py --out manpages
    python benchmarks/manpages/measure.py manpages

For each language: nDCG@10 and the share of queries with a right page first, of BM25 with the English analyzer, of BM25
with the language's own (Anserini's), of dense retrieval by the embedder (each side centred), and of the one index with
the language's analyzer. The embedder reads the first 96 tokens of a text, its prompt included; words are those of the
whole text. Writes benchmarks/results/manpages.md, and the figures to manpages.json beside it.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the scripts' own parts
from script import RESULTS, publish, status

from sparseembed.analyzers.languages import analyzer_of
from sparseembed.data.collection import Collection
from sparseembed.data.passages import OFF
from sparseembed.data.resolve import open_collection
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.engines.base import Run
from sparseembed.evaluation.bench import Bench
from sparseembed.evaluation.measures import evaluate
from sparseembed.indexing.build import build_index
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.retrieval.searcher import Searcher

NDCG, FIRST = "nDCG@10", "P@1"
TOKENS = 96
MIX = 0.5
NAMES = {"de": "German", "fr": "French", "ja": "Japanese", "ru": "Russian"}
TEST = "test"


class Found(NamedTuple):
    """A system on one language.

    :param ndcg: Mean nDCG@10.
    :param error: Its standard error over the queries.
    :param first: Share of queries with a right page first.
    """

    ndcg: float
    error: float
    first: float


def systems(
    code: str, collection: Collection, embedder: TransformerEmbedder, folder: Path, words: bool
) -> dict[str, Found]:
    """Measure the systems on one language.

    :param code: The language.
    :param collection: Its pages, with queries and judgements.
    :param embedder: The embedder.
    :param folder: Where indexes go.
    :param words: Whether words alone are searched: nothing is encoded then.
    """
    analyzer = analyzer_of(code)
    bench = Bench(collection, TEST, embedder, folder, False, analyzer)
    english = Bench(collection, TEST, embedder, folder / "english", False)
    runs: dict[str, Run] = {
        "bm25, English analyzer": english.bm25_run(TEST, bench.queries),
        "bm25": bench.bm25_run(TEST, bench.queries),
    }
    if not words:
        runs["dense, centred"] = bench.dense_run("centred", TEST, bench.queries)
        choices: dict[str, Any] = {"analyzer": analyzer, "passages": OFF, "carried": False, "mix": MIX}
        built = build_index(collection.corpus, folder / "one-index", embedder, **choices)
        with Searcher.open(built.path) as searcher:
            runs["one index"] = {query: searcher.search(text, 1000) for query, text in bench.queries.items()}
    return {name: _found(each, bench) for name, each in runs.items()}


def _found(run: Run, bench: Bench) -> Found:
    measured = evaluate(run, bench.qrels, [NDCG, FIRST])
    values = list(measured.per_query[NDCG].values())
    error = float(np.std(values, ddof=1) / len(values) ** 0.5)
    return Found(measured.means[NDCG], error, measured.means[FIRST])


def table(rows: Mapping[str, tuple[Collection, dict[str, Found]]], about: str) -> str:
    """Return the Markdown page."""
    lines = ["# Manual pages in four languages", "", "    python benchmarks/manpages/collect.py --out manpages"]
    lines += ["    python benchmarks/manpages/measure.py manpages", "", about, ""]
    lines += [
        "| language | pages | queries | system | nDCG@10 | right page first |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for code, (collection, found) in rows.items():
        for name, each in found.items():
            size = f"{len(collection.corpus):,} | {len(collection.qrels(TEST)):,}"
            lines.append(f"| {NAMES[code]} | {size} | {name} | {each.ndcg:.3f} ± {each.error:.3f} | {each.first:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, and write the page.

    :return: 0, or 2 for a user's mistake.
    """
    return status("manpages", run)


def run() -> None:
    """Read the arguments, measure, and write table and figures.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what collect.py has written")
    parser.add_argument("languages", nargs="*", metavar="L", help="of de, fr, ja, ru (default: those that are there)")
    parser.add_argument("--words", action="store_true", help="search by words alone: nothing is encoded")
    parser.add_argument("--embedder", help="a preset, model folder, GGUF file or Hugging Face id")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    embedder = load_embedder(options.embedder, max_length=TOKENS)
    rows = {}
    for code in options.languages or [code for code in NAMES if (options.folder / f"manpages-{code}").is_dir()]:
        collection = open_collection(str(options.folder / f"manpages-{code}"))
        with tempfile.TemporaryDirectory() as folder:
            rows[code] = collection, systems(code, collection, embedder, Path(folder), options.words)
        note(f"{code}: " + ", ".join(f"{name} {each.ndcg:.3f}" for name, each in rows[code][1].items()))
    read = (
        f" Embedder {embedder.spec.name} ({embedder.dtype}), which knows English alone, and reads the first {TOKENS} "
        f"tokens; one index with mix {MIX}."
    )
    about = (
        "**A demonstration and no benchmark**: pages of Debian's packages manpages-de, -fr, -ja and -ru (the beginning "
        "of each, 150 words or in Japanese 300 characters; of German, French and Japanese the sections 1 and 8, of "
        "Russian 1, 2, 4, 5, 7 and 8), queries and judgements written for this project "
        f"([queries](../manpages/queries)).{'' if options.words else read} ± is the standard error over queries."
    )
    content = {code: {name: each._asdict() for name, each in found.items()} for code, (_, found) in rows.items()}
    publish(options.out / "manpages", table(rows, about), content)


if __name__ == "__main__":
    sys.exit(main())
