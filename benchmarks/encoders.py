"""What feedback and each query encoder bring, and what they cost: a table and pictures from reports of `eval`.

    python benchmarks/encoders.py
    python benchmarks/encoders.py path/to/reports --out DIR

Reads NAME.json of each collection in a folder (default: results/encoders) and writes encoders.md,
encoders-ms.svg and encoders-bytes.svg. Figures are nDCG@10; milliseconds are medians of a query of the collection that
--times names; bytes a document are means.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from compare import MEAN, MEASURE
from drawn.levels import Point, levels
from script import RESULTS, status

from sparseembed.errors import DataError
from sparseembed.evaluation.harness import read_report
from sparseembed.evaluation.table import row_name
from sparseembed.progress import note

DEFAULT = RESULTS / "encoders"
GROUPS = ("baselines", "one index", "one index with pieces")
CALLS = "open: a model reads the query"
# Name in the table, group, whether a model reads the query.
SYSTEMS = {
    "bm25 flat": ("bm25", 0, False),
    "bm25 rm3": ("bm25 + RM3", 0, False),
    "bm25 rocchio": ("bm25 + Rocchio", 0, False),
    "dense centred": ("dense", 0, True),
    "fusion weighted": ("fusion", 0, True),
    "fusion weighted-feedback": ("fusion + feedback", 0, True),
    "sparse one-index": ("one index", 1, False),
    "sparse one-index-feedback": ("+ feedback", 1, False),
    "sparse one-index-static": ("+ static encoder", 1, False),
    "sparse one-index-small": ("+ small encoder", 1, True),
    "sparse one-index-full": ("+ full encoder", 1, True),
    "sparse one-index-pieces": ("pieces", 2, False),
    "sparse one-index-pieces-feedback": ("pieces + feedback", 2, False),
    "sparse one-index-pieces-static": ("pieces + static encoder", 2, False),
    "sparse one-index-pieces-small": ("pieces + small encoder", 2, True),
    "sparse one-index-pieces-full": ("pieces + full encoder", 2, True),
}
FUSIONS = ("fusion rrf", "fusion weighted")


class Line(NamedTuple):
    """A system over all collections.

    :param group: Number of its group.
    :param model: Whether a model reads the query.
    :param figures: Collection -> nDCG@10.
    :param mean: Over the collections that means are over.
    :param lead: `mean` less that of the better fusion of each collection.
    :param encode: Milliseconds to encode a query of one collection.
    :param search: Milliseconds to search with it.
    :param bytes: A document.
    """

    name: str
    group: int
    model: bool
    figures: dict[str, float]
    mean: float
    lead: float
    encode: float
    search: float
    bytes: float


def main() -> int:
    """Write the page.

    :return: 0, or 2 for a user's mistake.
    """
    return status("encoders", run)


def run() -> None:
    """Read the reports and write the page and its pictures."""
    parser = argparse.ArgumentParser("encoders", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("reports", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    parser.add_argument("--times", default="pydocs", metavar="NAME", help="collection whose milliseconds are shown")
    options = parser.parse_args()
    contents = [read_report(path).content for path in sorted(options.reports.glob("*.json"))]
    if not contents:
        raise DataError(f"{options.reports}: no reports of sparseembed eval")
    if options.times not in {content["dataset"] for content in contents}:
        raise DataError(f"{options.reports}: no report of {options.times}, whose times are to be shown: name another")
    found = lines(contents, options.times)
    options.out.mkdir(parents=True, exist_ok=True)
    for file, svg in drawings(found).items():
        (options.out / file).write_text(svg, encoding="utf-8")
    text = page(found, [content["dataset"] for content in contents])
    (options.out / "encoders.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    note(f"wrote {options.out / 'encoders.md'}")


def drawings(found: Sequence[Line]) -> dict[str, str]:
    """Draw the systems by milliseconds and by bytes: file -> SVG.

    :param found: The systems.
    """
    costs = {
        "encoders-ms.svg": ("milliseconds a query", [each.encode + each.search for each in found]),
        "encoders-bytes.svg": ("bytes a document", [each.bytes for each in found]),
    }
    drawn = {}
    for file, (title, xs) in costs.items():
        points = [Point(each.name, x, each.mean, each.group, each.model) for each, x in zip(found, xs, strict=True)]
        drawn[file] = levels(points, GROUPS, CALLS, title, MEASURE)
    return drawn


def lines(contents: Sequence[Mapping[str, Any]], times: str, names: Sequence[str] = MEAN) -> list[Line]:
    """Sum up each system that all reports have.

    :param contents: The reports.
    :param times: The collection whose milliseconds are taken.
    :param names: Collections that means are over; all, where one of them was not measured.
    """
    rows = {content["dataset"]: {row_name(row): row for row in content["rows"]} for content in contents}
    over = list(names) if set(names) <= rows.keys() else list(rows)
    documents = {content["dataset"]: content["documents"] for content in contents}

    def figure(name: str, system: str) -> float:
        return float(rows[name][system]["measures"][MEASURE])

    fusion = mean(max(figure(name, each) for each in FUSIONS if each in rows[name]) for name in over)
    found = []
    for system, (title, group, model) in SYSTEMS.items():
        if all(system in each for each in rows.values()):
            own = {name: rows[name][system] for name in rows}
            level = mean(figure(name, system) for name in over)
            found.append(
                Line(
                    title,
                    group,
                    model,
                    {name: figure(name, system) for name in rows},
                    level,
                    level - fusion,
                    own[times]["query_encode_ms"],
                    own[times]["search_ms"],
                    mean(row["index_bytes"] / documents[name] for name, row in own.items()),
                )
            )
    return found


def page(found: Sequence[Line], names: Sequence[str]) -> str:
    """Return the page as Markdown."""
    best = {name: max(each.figures[name] for each in found) for name in names}
    head = ["system", *names, "mean", "less the better fusion", "encode ms", "search ms", "bytes a document"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for each in found:
        figures = [
            f"**{value:.4f}**" if value == best[name] else f"{value:.4f}"
            for name, value in ((name, each.figures[name]) for name in names)
        ]
        costs = [f"{each.encode:.2f}", f"{each.search:.2f}", f"{each.bytes:,.0f}"]
        rows.append([each.name, *figures, f"{each.mean:.4f}", f"{each.lead:+.4f}", *costs])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    pictures = (
        "![nDCG@10 against milliseconds a query, all systems](encoders-ms.svg)\n"
        "![nDCG@10 against bytes a document, all systems](encoders-bytes.svg)"
    )
    about = f"{(__doc__ or '').split(chr(10) * 2)[0]} Made by `python benchmarks/encoders.py`."
    return f"# Query encoders\n\n{about}\n\n{table}\n\n{pictures}\n"


if __name__ == "__main__":
    sys.exit(main())
