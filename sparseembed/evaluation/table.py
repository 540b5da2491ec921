"""Result tables: plain text for a terminal, Markdown for a page."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Literal

from sparseembed.errors import ConfigError
from sparseembed.evaluation.significance import LEVEL, Comparison

Kind = Literal["text", "figure", "signed", "p", "count", "ms", "bytes"]
Style = Literal["plain", "markdown"]

WIDTH = 100
"""Columns of a terminal that a table should fit: where it would be wider, headings take two lines."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the key of its values in a row (or in the row's ``measures``), its heading, and what they are."""

    key: str
    title: str
    kind: Kind = "text"


RESULT_COLUMNS = (
    Column("system", "system"),
    Column("variant", "variant"),
    Column("nDCG@10", "nDCG@10", "figure"),
    Column("R@100", "R@100", "figure"),
    Column("RR@10", "RR@10", "figure"),
    Column("query_encode_ms", "encode ms", "ms"),
    Column("search_ms", "search ms", "ms"),
    Column("index_bytes", "size", "bytes"),
    Column("query_model_calls", "model calls", "count"),
)
COMPARISON_COLUMNS = (
    Column("row", "row"),
    Column("baseline", "against"),
    Column("measure", "measure"),
    Column("difference", "difference", "signed"),
    Column("better", "better", "count"),
    Column("worse", "worse", "count"),
    Column("tied", "tied", "count"),
    Column("p_value", "p", "p"),
    Column("p_corrected", "p, corrected", "p"),
)


def row_name(row: Mapping[str, object]) -> str:
    """Name a row as comparisons do: its system and variant.

    :param row: a row with ``system`` and, where there are several, ``variant``.
    :return: ``"bm25 flat"``, or ``"bm25"`` without a variant.
    """
    return " ".join(str(row[key]) for key in ("system", "variant") if row.get(key))


def format_table(
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[Column] = RESULT_COLUMNS,
    comparisons: Sequence[Comparison] = (),
    style: Style = "plain",
) -> str:
    """Lay rows out as a table.

    With comparisons, the figures of their measure carry a mark for each baseline that the row differs from
    significantly, ``+b`` (better) or ``-b`` (worse), and a legend under the table says what the marks mean. In Markdown
    the best figure of each column is bold.

    :param rows: what the columns' keys are looked up in; a value that is missing or None shows as ``-``.
    :param columns: the columns, from the left.
    :param comparisons: significance tests, whose ``row`` and ``baseline`` are the :func:`row_name` of rows.
    :param style: ``plain`` (aligned by spaces) or ``markdown``.
    :return: the table's lines, without a last newline.
    :raises ConfigError: if the style is unknown or a comparison names a row that the table has not.
    """
    if style not in ("plain", "markdown"):
        raise ConfigError(f"unknown table style {style!r}: use plain or markdown")
    letters = _letters(comparisons)
    marks = _marks(rows, comparisons, letters)
    marked = {comparison.measure for comparison in comparisons}
    cells = []
    for column in columns:
        shown = [_show(_value(row, column.key), column.kind) for row in rows]
        if style == "markdown":
            shown = [text.replace("|", "\\|") for text in shown]
            shown = _bold_best(rows, column, shown)
        if column.key in marked:
            shown = _with_marks(shown, [marks.get((row_name(row), column.key), "") for row in rows], style)
        cells.append(shown)
    lay_out = _plain if style == "plain" else _markdown
    lines = lay_out(columns, cells)
    if comparisons:
        legend = _legend(comparisons, letters)
        lines += ["", *(fill(line, WIDTH) for line in legend)] if style == "plain" else ["", *legend]
    return "\n".join(lines)


def _value(row: Mapping[str, object], key: str) -> object:
    measures = row.get("measures")
    return row[key] if key in row else measures.get(key) if isinstance(measures, Mapping) else None


def _show(value: object, kind: Kind) -> str:
    if value is None:
        return "-"
    return str(value) if kind == "text" or not isinstance(value, int | float) else _SHOW[kind](value)


def _show_bytes(value: float) -> str:
    step = 0
    # 999.5 kB has three digits as 1.00 MB: round before choosing the unit.
    while value >= (999.5 if step else 1000) and step < len(_UNITS) - 1:
        value, step = value / 1000, step + 1
    return f"{_three_digits(value) if step else f'{value:.0f}'} {_UNITS[step]}"


def _show_p(value: float) -> str:
    return "<.0001" if value < 0.0001 else f"{value:.4f}"


def _three_digits(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    whole = math.floor(math.log10(float(f"{abs(value):.2e}")))
    return f"{value:,.{min(3, max(0, 2 - whole))}f}"


_SHOW: Mapping[Kind, Callable[[float], str]] = {
    "figure": lambda value: f"{value:.4f}",
    "signed": lambda value: f"{value:+.4f}",
    "p": _show_p,
    "count": lambda value: f"{value:,}",
    "ms": _three_digits,
    "bytes": _show_bytes,
}


def _bold_best(rows: Sequence[Mapping[str, object]], column: Column, shown: Sequence[str]) -> list[str]:
    """Print the best figures of a column in bold; those that look equal are equally good."""
    if column.kind != "figure":
        return list(shown)
    figures = [value for row in rows if isinstance(value := _value(row, column.key), int | float) and value == value]
    best = _show(max(figures), "figure") if len(figures) > 1 else None
    return [f"**{text}**" if text == best else text for text in shown]


def _letters(comparisons: Sequence[Comparison]) -> dict[str, str]:
    """Give each baseline the first letter of its name that is free, or else a number."""
    letters: dict[str, str] = {}
    for baseline in dict.fromkeys(comparison.baseline for comparison in comparisons):
        choices = [*(sign for sign in baseline.lower() if sign.isalpha()), *map(str, range(1, len(letters) + 2))]
        letters[baseline] = next(sign for sign in choices if sign not in letters.values())
    return letters


def _marks(
    rows: Sequence[Mapping[str, object]], comparisons: Sequence[Comparison], letters: Mapping[str, str]
) -> dict[tuple[str, str], str]:
    known = {row_name(row) for row in rows} if comparisons else set()
    marks: dict[tuple[str, str], str] = {}
    for test in comparisons:
        for name in (test.row, test.baseline):
            if name not in known:
                raise ConfigError(f"a comparison names the row {name!r}, which the table has not")
        if test.significant:
            cell = (test.row, test.measure)
            marks[cell] = marks.get(cell, "") + ("+" if test.difference > 0 else "-") + letters[test.baseline]
    return marks


def _with_marks(shown: Sequence[str], marks: Sequence[str], style: Style) -> list[str]:
    if style == "markdown":
        return [f"{text} <sup>{mark}</sup>" if mark else text for text, mark in zip(shown, marks, strict=True)]
    width = max(map(len, marks), default=0)
    # Padded to one width, so that the figures stay in line under each other.
    return [f"{text} {mark:<{width}}" if width else text for text, mark in zip(shown, marks, strict=True)]


def _legend(comparisons: Sequence[Comparison], letters: Mapping[str, str]) -> list[str]:
    tests = len({frozenset((test.row, test.baseline)) for test in comparisons})
    names = ", ".join(f"+{letter} -{letter}: {baseline}" for baseline, letter in letters.items())
    return [
        f"significantly better (+) or worse (-) than {names}",
        f"(paired sign-flip randomisation test, Holm-corrected over {tests} test{'s' * (tests != 1)}, p < {LEVEL})",
    ]


def _plain(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> list[str]:
    heads = [[column.title] for column in columns]
    if sum(max(map(len, (*head, *shown))) + 2 for head, shown in zip(heads, cells, strict=True)) - 2 > WIDTH:
        heads = [column.title.rsplit(" ", 1) for column in columns]  # in two lines
    depth = max(map(len, heads))
    heads = [[""] * (depth - len(head)) + head for head in heads]
    widths = [max(map(len, (*head, *shown))) for head, shown in zip(heads, cells, strict=True)]
    table = [*zip(*heads, strict=True), ["-" * width for width in widths], *zip(*cells, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if column.kind == "text" else text.rjust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in table
    ]


def _markdown(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> list[str]:
    sides = ["---" if column.kind == "text" else "---:" for column in columns]
    table = [[column.title for column in columns], sides, *zip(*cells, strict=True)]
    return [f"| {' | '.join(line)} |" for line in table]
