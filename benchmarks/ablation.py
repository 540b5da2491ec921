"""The method, taken apart: each choice alone, the mix, a combination, and what that is worth on the test split.

    python benchmarks/ablation.py path/to/scifact
    python benchmarks/ablation.py pydocs --quick

From stored embeddings (`sparseembed encode` makes them), in minutes. Everything is tuned on a train or dev split; what
is chosen is reported once, on test. The page goes to benchmarks/results/ablation/NAME.md, with drawings, and all
figures to NAME.json beside it.
"""

import argparse
import sys
from pathlib import Path

from apart.choices import (
    BITS,
    BOTH,
    FOLDED,
    JOINED,
    MIXES,
    MS,
    ONE_INDEX,
    PRUNING,
    QUICK,
    SOUGHT,
    TOKEN,
    WORDS_ALONE,
    Choices,
    Grid,
    grid_of,
)
from apart.dense import measure_dense
from apart.meter import Meter, Row, ascend, measure_alone
from apart.mixing import BLIND, compare_mixes
from apart.page import Result, write
from apart.reported import baselines, report, significance
from apart.space import Space, Task
from apart.stored import check_stored, task_of, tuning_split
from script import RESULTS, called, status

from sparseembed.data.resolve import open_collection
from sparseembed.embedders.load import load_embedder
from sparseembed.evaluation.bench import Bench
from sparseembed.progress import ConsoleReporter, note, set_reporter

QUERIES = 1000


class Ablation:
    """One run over one collection."""

    def __init__(self, bench: Bench, tuning: Task, test: Task | None, result: Result, quick: bool) -> None:
        """Take the collection and its queries; `result` is filled."""
        self.bench, self.tuning, self.test, self.result, self.quick = bench, tuning, test, result, quick

    def run(self) -> None:
        """Take the method apart, one term space after the other, so that only one is in memory."""
        result = self.result
        if self.test is not None:
            result.reported += baselines(self.bench, self.tuning, self.test)
        result.rows += measure_dense(self.bench, self.tuning)
        self.words(Space(self.bench, "word"))
        self.both(Space(self.bench, "word+folded", max(JOINED["k"])))
        self.folded(Space(self.bench, "folded"))
        space = Space(self.bench, "token")
        result.rows.append(Meter(space, self.tuning).measure("term spaces", "default", "pieces alone (token)", TOKEN))
        result.rows.sort(key=lambda row: row.section == "dense")  # the sort is stable: dense goes last
        if self.test is not None:
            result.comparisons += significance(result.reported)

    def words(self, space: Space) -> None:
        """Take apart the one index, and analysed words alone."""
        meter, result = Meter(space, self.tuning), self.result
        spaces = [("one index (word, literal terms)", ONE_INDEX), ("words alone (word)", WORDS_ALONE)]
        result.rows += [meter.measure("term spaces", "default", name, start) for name, start in spaces]
        result.rows += measure_alone(meter, "one index", ONE_INDEX, self.grid(ONE_INDEX, BITS, PRUNING))
        result.rows += measure_alone(meter, "words alone", WORDS_ALONE, self.grid(WORDS_ALONE, BITS))
        mixes = QUICK["mix"] if self.quick else MIXES
        result.mixes, curves = compare_mixes(meter, ONE_INDEX, mixes)
        result.rows += curves
        blind = ONE_INDEX.but(mix=next(mix.chosen for mix in result.mixes if mix.way == BLIND))
        best, result.steps["one-index"] = ascend(meter, "one-index", blind, self.grid(blind))
        self.report(space, {"one-index, defaults": blind, "one-index, combination": best})

    def both(self, space: Space) -> None:
        """Take apart the one index with pieces beside its words."""
        meter, result, name = Meter(space, self.tuning), self.result, "one index with pieces"
        result.rows.append(meter.measure("term spaces", "default", f"{name} (word+folded, literal terms)", BOTH))
        grid = {field: QUICK[field] for field in JOINED} if self.quick else JOINED
        result.rows += measure_alone(meter, name, BOTH, grid)
        blind = BOTH.but(mix=space.choose_mix(BOTH.sparse).mix)
        result.rows.append(meter.measure(name, "mix", f"mix = {blind.sparse.mix:g}, chosen without labels", blind))
        self.report(space, {"one-index with pieces, defaults": blind})

    def folded(self, space: Space) -> None:
        """Take apart the paper's method: folded pieces alone, queries without a model and expanded ones."""
        meter, result = Meter(space, self.tuning), self.result
        result.rows.append(meter.measure("term spaces", "default", "folded pieces alone (folded)", FOLDED))
        expanded: Grid = {"m": (0, *(MS[1::2] if self.quick else MS))}
        result.rows += measure_alone(meter, "folded alone", FOLDED, self.grid(FOLDED, BITS, PRUNING) | expanded)
        best, result.steps["aligned alone"] = ascend(meter, "aligned alone", FOLDED, self.grid(FOLDED))
        found: list[Row] = measure_alone(meter, "folded alone, combination, expanded", best, expanded)
        result.rows += found
        m = max((row for row in found if row.choices["m"]), key=lambda row: row.ndcg).choices["m"]
        self.report(
            space,
            {
                "aligned alone, defaults": FOLDED,
                "aligned alone, combination": best,
                f"aligned alone, combination, M = {m}": best.but(m=m),
            },
        )

    def grid(self, start: Choices, *more: Grid) -> Grid:
        """Return the choices to vary."""
        return grid_of(start, SOUGHT, *more, quick=self.quick)

    def report(self, space: Space, systems: dict[str, Choices]) -> None:
        """Measure on test what was chosen."""
        if self.test is not None:
            self.result.reported += report(Meter(space, self.test), systems)


def main() -> int:
    """Run the ablation and write its page.

    :return: 0, or 2 for a user's mistake.
    """
    return status("ablation", lambda: run(_options()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", metavar="DATASET", help="a collection with a split to tune on")
    parser.add_argument("--split", help="split to tune on (default: train, else dev); never test")
    parser.add_argument("--embedder", help="a preset, model folder, GGUF file or Hugging Face id")
    parser.add_argument(
        "--queries", type=int, default=QUERIES, help=f"queries to tune on, at most (default: {QUERIES})"
    )
    parser.add_argument("--quick", action="store_true", help="at most three values of a choice")
    parser.add_argument("--encode", action="store_true", help="encode the documents where they are not stored")
    parser.add_argument("--out", type=Path, default=RESULTS / "ablation", metavar="DIR")
    parser.add_argument(
        "--indexes", type=Path, default=Path("indexes/eval"), metavar="DIR", help="the baselines' indexes"
    )
    parser.add_argument("--name", help="name of the result's files (default: the collection's)")
    options = parser.parse_args()
    if options.queries < 1:
        parser.error("--queries must be at least 1")
    return options


def run(options: argparse.Namespace) -> None:
    """Run the ablation that was asked for.

    :raises SparseEmbedError: A user's mistake.
    """
    set_reporter(ConsoleReporter())
    collection = open_collection(options.dataset)
    split = tuning_split(collection, options.split)
    bench = Bench(collection, split, load_embedder(options.embedder), options.indexes, False)
    if not options.encode:
        check_stored(bench, options.dataset, options.embedder)
    tuning = task_of(collection, split, options.queries)
    test = task_of(collection, "test") if "test" in collection.splits else None
    head = {
        "name": options.name or bench.corpus.name,
        "command": called("ablation.py"),
        "dataset": bench.corpus.name,
        "documents": len(bench.corpus),
        "corpus_fingerprint": bench.corpus.fingerprint,
        "embedder": bench.embedder.spec.name,
        "embedder_identity": bench.embedder.identity(),
        "tuning": split,
        "tuning_queries": len(tuning.queries),
        "test_queries": len(test.queries) if test else 0,
    }
    result = Result(head)
    Ablation(bench, tuning, test, result, options.quick).run()
    page = write(result, options.out)
    sys.stdout.write(page.read_text(encoding="utf-8"))
    note(f"wrote {page}")


if __name__ == "__main__":
    sys.exit(main())
