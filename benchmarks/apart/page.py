"""The result as a Markdown page with drawings, and as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sparseembed.charts import Series, lines
from sparseembed.evaluation.significance import Comparison
from sparseembed.files import write_json

from .meter import Row, Step
from .mixing import Mix
from .reported import Reported

TABLE = "| variant | nDCG@10 | R@100 | postings a document | bytes a document |\n| --- | ---: | ---: | ---: | ---: |"
ALTS = {
    "k": "nDCG@10 by K, the aligned terms that a document keeps",
    "m": "nDCG@10 by M, the aligned terms that a query is expanded by",
    "mix": "nDCG@10 by the mix of literal and aligned terms",
    "bytes": "nDCG@10 by bytes a document",
}
BYTES = (
    "Bytes a document are estimated: each posting costs the gap to its term's previous document as a variable-length "
    "integer (7 bits a byte) and bits / 8 bytes for its impact; the dictionary is left out, as ids are for dense."
)
CONFIDENCE = (
    "By confidence: a document's mix is the fixed one times its confidence over the collection's mean confidence. "
    "Confidence is the share of a document's 32 best aligned terms that stand in its text."
)
BLIND = (
    "Without labels: a telling sentence is taken out of up to 256 documents, whose literal terms and embedding are "
    "then those of the rest; of what the mix that finds them best exceeds the usual one by, half is taken "
    "(indexing/mixing.py). No query and no judgement is read. The best on the tuning split is, of the mixes within "
    ".0005 of the highest, the nearest to the usual one."
)


@dataclass
class Result:
    """All that was measured.

    :param head: Name -> value: command, collection, embedder, splits.
    """

    head: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    mixes: list[Mix] = field(default_factory=list)
    steps: dict[str, list[Step]] = field(default_factory=dict)
    reported: list[Reported] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    def section(self, *names: str) -> list[Row]:
        """Return the rows of some sections."""
        return [row for row in self.rows if row.section in names]

    def content(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            **self.head,
            "rows": [row._asdict() for row in self.rows],
            "mixes": [mix._asdict() for mix in self.mixes],
            "combinations": {name: [step._asdict() for step in steps] for name, steps in self.steps.items()},
            "reported": [
                {"system": each.system, "measures": each.evaluation.means, "about": each.about}
                for each in self.reported
            ],
            "significance": [asdict(each) for each in self.comparisons],
        }


def write(result: Result, folder: Path) -> Path:
    """Write NAME.md, NAME.json and the drawings of NAME; return the page."""
    name = result.head["name"]
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {f"{name}-{kind}.svg": svg for kind, svg in drawings(result).items()}
    for file, svg in drawn.items():
        (folder / file).write_text(svg, encoding="utf-8")
    write_json(folder / f"{name}.json", result.content())
    page = folder / f"{name}.md"
    page.write_text(text(result, list(drawn)), encoding="utf-8")
    return page


def text(result: Result, drawn: Sequence[str]) -> str:
    """Return the page."""
    head = result.head
    parts = [
        f"# The method, taken apart: {head['dataset']}",
        f"    {head['command']}",
        f"{head['documents']:,} documents, embedder {head['embedder']}. Everything was tuned on "
        f"{head['tuning_queries']:,} queries of the split {head['tuning']}; the split test was looked at once, for the "
        f"table that says so. Exact integer scores, queries without a model unless M is named. {BYTES}",
        _reported(result),
        "\n\n".join(f"![{ALTS[file.removesuffix('.svg').rsplit('-', 1)[-1]]}]({file})" for file in drawn),
        _mixes(result),
        *(_steps(name, steps) for name, steps in result.steps.items()),
        *(_section(name, result.section(name)) for name in dict.fromkeys(row.section for row in result.rows)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reported(result: Result) -> str:
    if not result.reported:
        return "The collection has no split test beside the one tuned on: nothing is reported."
    out = ["## Reported once, on test", "", "| system | nDCG@10 | R@100 | RR@10 |", "| --- | ---: | ---: | ---: |"]
    for each in result.reported:
        figures = " | ".join(f"{each.evaluation.means[measure]:.4f}" for measure in ("nDCG@10", "R@100", "RR@10"))
        out.append(f"| {each.system} | {figures} |")
    out += [
        "",
        "| row | against | difference | p | p, Holm | better, worse, tied |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for one in result.comparisons:
        counts = f"{one.better}, {one.worse}, {one.tied}"
        cells = (f"{one.difference:+.4f}", f"{one.p_value:.3f}", f"{one.p_corrected:.3f}")
        out.append(f"| {one.row} | {one.baseline} | {' | '.join(cells)} | {counts} |")
    return "\n".join(out)


def _mixes(result: Result) -> str:
    if not result.mixes:
        return ""
    out = [
        *("## Literal and aligned terms, mixed", "", f"{BLIND} {CONFIDENCE}", ""),
        *("| way | mix | nDCG@10 on sentences | nDCG@10 |", "| --- | ---: | ---: | ---: |"),
    ]
    for mix in result.mixes:
        cells = (f"{mix.chosen:g}", _cell(mix.on_sentences, ".4f"), f"{mix.ndcg:.4f}")
        out.append(f"| {mix.way} | {' | '.join(cells)} |")
    return "\n".join(out)


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _steps(name: str, steps: Sequence[Step]) -> str:
    out = [f"## Combination: {name}", "", "| round | change | nDCG@10 |", "| ---: | --- | ---: |"]
    out += [f"| {step.round} | {step.name} | {step.ndcg:.4f} |" for step in steps]
    return "\n".join(out)


def _section(name: str, rows: Sequence[Row]) -> str:
    table = TABLE.replace("postings", "numbers") if name == "dense" else TABLE
    out = [f"## {name[0].upper()}{name[1:]}", "", table]
    for row in rows:
        out.append(f"| {row.name} | {row.ndcg:.4f} | {row.recall:.4f} | {row.postings:.0f} | {row.bytes:,.0f} |")
    return "\n".join(out)


def drawings(result: Result) -> dict[str, str]:
    """Draw what there is: kind -> SVG."""
    alone = {name: result.section(name) for name in ("one index", "words alone", "folded alone")}
    drawn = {
        "k": _lines([_series(name, rows, "k") for name, rows in alone.items()], "K", "nDCG@10", log="x"),
        "m": _lines([_series("folded, expanded queries", alone["folded alone"], "m")], "M", "nDCG@10"),
        "mix": _lines(_mix_series(result.rows), "mix", "nDCG@10 less that of mix 0"),
        "bytes": _lines(_bytes_series(result), "bytes a document", "nDCG@10", log="x"),
    }
    return {kind: svg for kind, svg in drawn.items() if svg}


def _lines(series: Iterable[Series], x_name: str, y_name: str, log: str = "") -> str:
    filled = [one for one in series if len(one.x) > 1]
    return lines(filled, x_name, y_name, log=log) if filled else ""


def _series(name: str, rows: Sequence[Row], field: str) -> Series:
    values = {row.choices[field]: row.ndcg for row in rows if row.field == field}
    return Series(name, [float(x) for x in sorted(values)], [values[x] for x in sorted(values)])


def _mix_series(rows: Sequence[Row]) -> list[Series]:
    drawn = []
    for section in dict.fromkeys(row.section for row in rows if row.field == "mix" and row.section.startswith("mix")):
        one = _series(section, [row for row in rows if row.section == section], "mix")
        drawn.append(Series(section, one.x, [y - one.y[0] for y in one.y]))
    return drawn


def _bytes_series(result: Result) -> list[Series]:
    points = {
        name: [(row.bytes, row.ndcg) for row in result.section(section) if row.field in ("best", "default")]
        for name, section in (("one index, pruned", "one index"), ("folded alone, pruned", "folded alone"))
    }
    for kind in ("float32", "int8"):
        kept = [row for row in result.section("dense") if row.field == kind and "leading" not in row.name]
        points[f"dense, {kind}"] = [(row.bytes, row.ndcg) for row in kept]
    drawn = []
    for name, found in points.items():
        ordered = sorted((size, ndcg) for size, ndcg in found if size > 0)
        drawn.append(Series(name, [size for size, _ in ordered], [ndcg for _, ndcg in ordered]))
    return drawn
