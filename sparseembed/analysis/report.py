"""The report: one HTML page that needs nothing else, the same figures as JSON, and the charts as SVG files."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparseembed.analysis.demonstrations.page import printable, says
from sparseembed.charts import Series, bars, lines, named_bars
from sparseembed.files import write_json
from sparseembed.pages import templates

if TYPE_CHECKING:
    from jinja2 import Environment

SHOWN_COMPONENTS = 30
KS = (1, 5, 10, 50, 100)
_HEADS = ("side", "adjustment", *(f"Hit@{k}" for k in KS), "LAR", "GAR", "chance Hit@10", "chance LAR", "aligned")


def write_report(report: Mapping[str, Any], folder: Path) -> None:
    """Write report.html, report.json and the charts.

    :param report: The findings, as `findings.find` returns them.
    :param folder: An existing folder.
    """
    drawn = charts(report)
    for name, svg in drawn.items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    write_json(folder / "report.json", report)
    (folder / "report.html").write_text(page(report, drawn), encoding="utf-8")


def charts(report: Mapping[str, Any]) -> dict[str, str]:
    """Draw the charts of a report.

    :param report: The findings.
    :return: Name -> `<svg>` element.
    """
    measured = report["measured"]
    curves = [
        Series(f"{row['side']}, {row['adjustment']}", range(1, len(row["hit"]) + 1), row["hit"])
        for row in measured
        if row["adjustment"] in ("none", "pc1")
    ]
    drawn = {"hit-at-k": lines(curves[:4], "K", "Hit@K"), "lambda": _by_lambda(measured)}
    spectrum = report["spectrum"]
    first = range(1, 1 + min(SHOWN_COMPONENTS, len(report["matrix"]["singular_values"])))
    if spectrum["variation"]:
        change = Series("embedder - backbone", first, spectrum["variation"][: len(first)])
        drawn["variation"] = bars([change], "component of the backbone", "change of the mean coordinate")
    of = spectrum["sides"]["embedder"]["contribution"]
    parts = [Series(f"{kind} tokens", first, of[kind][: len(first)]) for kind in ("key", "frequent")]
    drawn["contribution"] = bars(parts, "component of the embedder", "lift of the score above the average token's")
    fed = spectrum["sides"]["embedder"]["pc1_tokens"]
    drawn["pc1-tokens"] = named_bars(
        [visible(each["token"]) for each in fed], [each["score"] for each in fed], "score per unit along PC1"
    )
    values = report["matrix"]["singular_values"]
    drawn["singular-values"] = lines(
        [Series("decoding matrix", range(1, len(values) + 1), values)], "component", "singular value", log="y"
    )
    return drawn


def _by_lambda(measured: Sequence[Mapping[str, Any]]) -> str:
    """Draw Hit@10 and LAR by how far PC1 is shifted; `none` is a shift of 0."""
    found = []
    for side in dict.fromkeys(row["side"] for row in measured):
        shifts = {
            float(row["adjustment"].partition(":")[2] or 0): row
            for row in measured
            if row["side"] == side and (row["adjustment"] == "none" or row["adjustment"].startswith("pc1:"))
        }
        order = sorted(shifts)
        found.append(Series(f"Hit@10, {side}", order, [shifts[each]["hit"][9] for each in order]))
        found.append(Series(f"LAR, {side}", order, [shifts[each]["lar"]["value"] for each in order]))
    return lines(found, "λ: PC1 shifted by λ times the mean coordinate", "rate")


def page(report: Mapping[str, Any], drawn: Mapping[str, str]) -> str:
    """Return the HTML page of a report.

    :param report: The findings.
    :param drawn: The charts.
    :return: A whole page; it loads nothing.
    """
    said = report.get("demonstrations")
    rendered: str = (
        _templates()
        .get_template("report.html")
        .render(
            report=report,
            drawn=drawn,
            what=_what(report["about"]),
            heads=_HEADS,
            rows=_rows(report["measured"]),
            said=None if said is None else says(said),
        )
    )
    return rendered


@cache
def _templates() -> "Environment":
    made = templates(Path(__file__).parent / "templates")
    made.filters["visible"] = visible
    made.filters["printable"] = printable
    return made


def visible(token: str) -> str:
    """Return a token with its leading space and control characters shown."""
    shown = printable(token)
    return "␣" + shown[1:] if shown.startswith(" ") else shown


def _what(about: Mapping[str, Any]) -> str:
    left_out = f" ({about['left_out']:,} without a token left out)" if about["left_out"] else ""
    backbone = about["backbone"]
    return (
        f"{about['count']:,} texts of {about['texts']}{left_out}; tokens as {about['terms']}; backbone "
        f"{backbone['name']} with {backbone['pooling']} pooling of {backbone['document_prompt']}. Metrics of "
        "A Text is Worth Several Tokens (arXiv 2406.17378); intervals are 95%, by bootstrap over texts."
    )


def _rows(measured: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    rows = []
    for row in measured:
        evidence = row["evidence"]
        hits = [_with_ends(row["hit"][k - 1], row["hit_low"][k - 1], row["hit_high"][k - 1]) for k in KS]
        rates = [_with_ends(**row[key]) for key in ("lar", "gar")]
        chance = [f"{evidence['hit_chance']:.3f}", f"{evidence['lar_chance']:.3f}"]
        yes = "yes" if evidence["aligned"] else "no"
        rows.append([row["side"], row["adjustment"], *hits, *rates, *chance, yes])
    return rows


def _with_ends(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
