"""Print one table of all reports: a row a collection and embedder, its systems side by side.

    python benchmarks/compare.py
    python benchmarks/compare.py path/to/results

`results/EMBEDDER/NAME.json` are published, `results/NAME.json` are what `make eval` wrote here last. Means are over the
collections named by --mean, for each embedder that was measured on all of them.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from script import status

from sparseembed.errors import DataError
from sparseembed.evaluation.harness import read_report
from sparseembed.evaluation.table import Column, format_table, row_name

LATEST = "latest"
OTHERS = (
    "ablation",
    "alignment",
    "encoders",
    "passages",
    "prompts",
    "texts",
    "worked",
)  # folders of other scripts' results
MEAN = ("scifact", "nfcorpus", "arguana")
MEASURE = "nDCG@10"
SHOWN = {
    "bm25": "bm25 flat",
    "cosine": "dense cosine",
    "centred": "dense centred",
    "rrf": "fusion rrf",
    "weighted": "fusion weighted",
    "free": "sparse aligned-inference-free",
    "expanded": "sparse aligned-expanded",
    "one": "sparse one-index",
    "pieces": "sparse one-index-pieces",
}
TITLES = {
    "bm25": "bm25",
    "cosine": "dense",
    "centred": "dense, centred",
    "rrf": "rrf",
    "weighted": "weighted",
    "free": "aligned, no model",
    "expanded": "aligned, expanded",
    "one": "one index",
    "pieces": "one index with pieces",
    "gain": "less bm25",
    "lead": "less the better fusion",
    "kept": "no model / dense",
}
MARKED = ("one", "pieces")
# Figures come as text: the best of a row is bold here, not that of a column.
COLUMNS = (
    Column("dataset", "collection"),
    Column("embedder", "embedder"),
    *(Column(key, title, "count") for key, title in TITLES.items()),
)


def main() -> int:
    """Print the table.

    :return: 0, or 2 for a user's mistake.
    """
    return status("compare", run)


def run() -> int:
    """Read the reports and print them."""
    parser = argparse.ArgumentParser("compare", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--mean", nargs="+", default=MEAN, metavar="NAME", help="collections that means are over")
    options = parser.parse_args()
    rows = read_rows(options.results)
    shown = [_shown(row) for row in (*rows, *means(rows, options.mean))]
    sys.stdout.write(format_table(shown, COLUMNS, style="markdown") + "\n")
    return 0


def _shown(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a row as text: the best system in bold, each one index with its marks of significance."""
    best = max(row[key] for key in SHOWN if row[key] is not None)
    told = {key: str(row[key]) for key in ("dataset", "embedder")}
    for key in TITLES:
        if row[key] is None:
            told[key] = "-"
        elif key in SHOWN:
            told[key] = f"**{row[key]:.4f}**" if row[key] == best else f"{row[key]:.4f}"
        else:
            told[key] = f"{row[key]:.2f}" if key == "kept" else f"{row[key]:+.4f}"
    for key, marks in row["marks"].items():
        told[key] += f" <sup>{marks}</sup>" if marks else ""
    return told


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Return one row a report, by collection.

    :param folder: Of the reports.
    :raises DataError: There is none.
    """
    rows = [_row(embedder, read_report(path).content) for embedder, path in report_paths(folder)]
    return sorted(rows, key=lambda row: str(row["dataset"]))


def report_paths(folder: Path) -> list[tuple[str, Path]]:
    """Return each report with its embedder's name: that of its folder, or LATEST.

    :param folder: Of the reports; folders in it are of one embedder each.
    :raises DataError: There is none.
    """
    found = [(LATEST, path) for path in sorted(folder.glob("*.json"))]
    found += [(path.parent.name, path) for path in sorted(folder.glob("*/*.json")) if path.parent.name not in OTHERS]
    if not found:
        raise DataError(f"{folder}: no reports of sparseembed eval")
    return found


def _row(embedder: str, content: Mapping[str, Any]) -> dict[str, Any]:
    found = {row_name(row): row["measures"][MEASURE] for row in content["rows"]}
    row: dict[str, Any] = {"dataset": content["dataset"], "embedder": embedder}
    row |= {key: found.get(name) for key, name in SHOWN.items()}
    return {**row, **_derived(row), "marks": {key: _marks(content, SHOWN[key]) for key in MARKED}}


def _marks(content: Mapping[str, Any], name: str) -> str:
    """Return what a system is significantly above (+) and below (-), by the first letters of the baselines."""
    return "".join(
        ("+" if test["difference"] > 0 else "-") + test["baseline"].split()[0][0]
        for test in content["significance"]
        if test["row"] == name and test["significant"]
    )


def _derived(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the goals are about: the one index against BM25 and fusion, and what is kept without a model."""
    fusions = [row[key] for key in ("rrf", "weighted") if row[key] is not None]
    denses = [row[key] for key in ("cosine", "centred") if row[key] is not None]
    one, free = row["one"], row["free"]
    return {
        "gain": None if one is None else one - row["bm25"],
        "lead": None if one is None or not fusions else one - max(fusions),
        "kept": None if free is None or not denses else free / max(denses),
    }


def means(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row of means for each embedder that has all the collections.

    :param rows: Rows of `read_rows`.
    :param names: The collections.
    """
    found = []
    for embedder in dict.fromkeys(row["embedder"] for row in rows):
        own = [row for row in rows if row["embedder"] == embedder and row["dataset"] in names]
        if len(own) == len(set(names)):
            mean = {
                key: None if any(row[key] is None for row in own) else sum(row[key] for row in own) / len(own)
                for key in TITLES
            }
            found.append({"dataset": f"mean of {len(own)}", "embedder": embedder, **mean, "marks": {}})
    return found


if __name__ == "__main__":
    sys.exit(main())
