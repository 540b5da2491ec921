"""The result as a page of Markdown, with drawings beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from efficiency_rows import machine
from efficiency_rows.row import Row
from sparseembed.charts import Series, lines, named_bars

NAME = "efficiency"
ABOUT = (
    "Each row compares two things that were measured in one run, in turns; figures are medians, with the smallest and "
    "the largest in brackets where a thing was measured several times. `ratio` is ours by theirs. Made texts have 150 "
    "words, random embeddings and the real model's tokenizer and decoding matrix."
)
ALTS = {
    "ratios": "Ours by theirs, a bar a row of the table",
    "decoding": "CPU milliseconds of decoding a document, by terms",
    "growth": "Seconds and megabytes of a build, by documents",
    "latency": "Milliseconds of a query, by documents",
}
HEADER = ["row", "what", "ours", "against", "theirs", "unit", "ratio", "to reach", "met"]


def page(content: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the page.

    :param content: All figures.
    :param rows: The rows.
    """
    parts = ["# Efficiency", "", ABOUT, "", _runs(content["runs"]), ""]
    parts += [f"Machine: {machine.line(content['machine'])}.", ""]
    if content["quick"]:
        parts += ["**A quick run at small sizes: a check that it runs, and no measurement.**", ""]
    parts += _table(HEADER, [_cells(row) for row in rows])
    parts += ["", *(f"![{ALTS[name]}]({NAME}-{name}.svg)" for name in content["drawings"])]
    if content.get("growth"):
        parts += ["", *_growth(content["growth"])]
    parts += ["", *_notes(rows)]
    return "\n".join(parts) + "\n"


def _runs(runs: dict[str, dict[str, Any]]) -> str:
    """Say which rows were measured by which command."""
    of: dict[tuple[Any, ...], list[str]] = {}
    for name, run in runs.items():
        of.setdefault((run["command"], run["minutes"], run["load"]), []).append(name)
    return " ".join(
        f"Rows {', '.join(names)}: `{command}`, {minutes:.0f} minutes, load {load} at the start."
        for (command, minutes, load), names in of.items()
    )


def _cells(row: Row) -> list[str]:
    met = {None: "", True: "yes", False: "**no**"}[row.met]
    ours, other = (
        _short(each.median) + (f" ({_short(each.low)} to {_short(each.high)})" if each.runs > 1 else "")
        for each in (row.ours, row.other)
    )
    return [row.row, row.what, ours, row.against, other, row.unit, f"{row.ratio:.3g}", row.wanted, met]


def _growth(growth: dict[str, Any]) -> list[str]:
    sizes, paper = growth["sizes"], growth["on_paper"]
    head = ["", *(f"{size:,}" for size in sizes), "exponent", "last two", *(f"{int(n):,} (on paper)" for n in paper)]
    body = [
        [
            name,
            *map(_short, values),
            f"{growth['exponents'][name]:.2f}",
            f"{growth['last_exponents'][name]:.2f}",
            *(_short(each[name]) for each in paper.values()),
        ]
        for name, values in growth["figures"].items()
    ]
    phases = [name for name in growth["builds"][-1]["phases"] if name != "encode"]
    spent = [
        [f"{name}, ms a document", *(_short(1000 * build["phases"].get(name, 0.0) / build["documents"])
                                     for build in growth["builds"])]
        for name in phases
    ]  # fmt: skip
    files = sorted({name for build in growth["builds"] for name in build["bytes"]})
    stored = [
        [name, *(_short(build["bytes"].get(name, 0) / build["documents"]) for build in growth["builds"])]
        for name in files
    ]
    head_sizes = [f"{size:,}" for size in sizes]
    about = (
        "By documents; embeddings come from a stub, so encoding is left out of times. The extrapolation goes on with "
        "the exponents of the two largest builds, and that of memory with their difference in bytes a document."
    )
    tables = {"": _table(head, body)}
    tables["Phases on the clock:"] = _table(["phase", *head_sizes], spent)
    tables["Bytes a document, by file:"] = _table(["file", *head_sizes], stored)
    parts = ["## Growth", "", about]
    for caption, table in tables.items():
        parts += ["", *([caption, ""] if caption else []), *table]
    return parts


def _notes(rows: Sequence[Row]) -> list[str]:
    noted = [row for row in rows if row.more and row.row not in ("growth",)]
    if not noted:
        return []
    return ["## Further figures", "", *(f"- {row.what}, against {row.against}: {_plain(row.more)}" for row in noted)]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return _short(value) if isinstance(value, float) else str(value)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    row = "| {} |".format
    return [row(" | ".join(each)) for each in (head, ["---"] * len(head), *body)]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def draw(content: dict[str, Any], rows: Sequence[Row], folder: Path) -> list[str]:
    """Draw the result; return the drawings' names.

    :param content: All figures.
    :param rows: The rows.
    :param folder: Where `efficiency-NAME.svg` go.
    """
    drawn = drawings(content, rows)
    for name, svg in drawn.items():
        (folder / f"{NAME}-{name}.svg").write_text(svg, encoding="utf-8")
    return list(drawn)


def drawings(content: dict[str, Any], rows: Sequence[Row]) -> dict[str, str]:
    """Draw the result: name -> SVG.

    :param content: All figures.
    :param rows: The rows.
    """
    drawn = {}
    shown = [row for row in rows if row.row not in ("growth",)]
    if shown:
        names = [f"{row.row} {place}" for place, row in enumerate(shown, start=1)]
        drawn["ratios"] = named_bars(names, [row.ratio for row in shown], "ours by theirs, in the table's order")
    decode = [row for row in rows if row.row == "decode"]
    if decode:
        terms = [row.more["terms"] / 1000 for row in decode]
        pairs = [("ours", [row.ours.median for row in decode]), ("dense rows", [row.other.median for row in decode])]
        series = [Series(name, terms, values) for name, values in pairs]
        drawn["decoding"] = lines(series, "terms, thousands", "CPU ms a document")
    growth = content.get("growth")
    if growth:
        sizes = growth["sizes"]
        chosen = [name for name in growth["figures"] if name.split(",")[0] in ("time", "index", "peak memory")][:4]
        chosen = [name for name in chosen if "without" not in name] or chosen
        series = [Series(name, sizes, growth["figures"][name]) for name in chosen]
        drawn["growth"] = lines(series, "documents", "seconds, MB", log="xy")
        latency = [name for name in growth["figures"] if name.startswith("query")]
        series = [Series(name, sizes, growth["figures"][name]) for name in latency]
        drawn["latency"] = lines(series, "documents", "ms", log="xy")
    return drawn
