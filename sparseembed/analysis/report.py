"""The report: one HTML page that needs nothing else, the same figures as JSON, and the charts as SVG files."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sparseembed.analysis.demonstrations.page import CSS as SAYS_CSS
from sparseembed.analysis.demonstrations.page import says
from sparseembed.charts import Series, bars, lines, named_bars
from sparseembed.files import write_json

SHOWN_COMPONENTS = 30
KS = (1, 5, 10, 50, 100)
CSS = """
:root{color-scheme:light dark;--line:#ccc;--soft:#f3f4f6;--mark:#bbf7d0}
@media(prefers-color-scheme:dark){:root{--line:#444;--soft:#222;--mark:#14532d}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;overflow-wrap:break-word}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}
.verdict{border:1px solid var(--line);background:var(--soft);border-radius:.5rem;padding:.75rem 1rem}
.verdict strong{font-size:1.25rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:right;white-space:nowrap}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
svg{width:100%;max-width:38rem;height:auto;display:block;margin:.5rem 0}
.tokens span{display:inline-block;border:1px solid var(--line);border-radius:.3rem;padding:0 .35rem;margin:.1rem}
.tokens .literal{background:var(--mark)}
figure{margin:1rem 0}figcaption,.note{font-size:.9rem;opacity:.85}
"""


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
    about, verdict = report["about"], report["verdict"]
    title = f"Does {about['embedder']['name']} align?"
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<div class="verdict"><strong>{escape(verdict["verdict"])}</strong><p>{escape(verdict["reason"])}.</p>'
        f"<p>What to do: {escape(verdict['advice'])}.</p>"
        f'<p class="note">Chance: the same aligned tokens against other texts\' tokens. Threshold: '
        f"{escape(verdict['threshold_source'])}.</p></div>",
        f'<p class="note">{escape(_what(about))}</p>',
        "<h2>Hit@K, local and global alignment rate</h2>",
        _table(report["measured"]),
        _figure(drawn["hit-at-k"], "Share of texts with one of their own tokens among the K best aligned ones."),
        _figure(drawn["lambda"], "Effect of shifting the first principal component (PC1)."),
        "<h2>Where the change is</h2>",
    ]
    if "variation" in drawn:
        sections.append(_figure(drawn["variation"], "Change of each principal component from backbone to embedder."))
    sections += [
        _figure(drawn["contribution"], "What each component adds to the scores of key and of frequent tokens."),
        _figure(drawn["pc1-tokens"], "The tokens that the embedder's PC1 feeds."),
        "<h2>Spectrum of the decoding matrix</h2>",
        _figure(drawn["singular-values"], "Singular values; the bulk filter keeps the middle ones."),
        says(report["demonstrations"]) if "demonstrations" in report else "",
        "<h2>Examples</h2>",
        '<p class="note">Aligned tokens, best first; those that stand in the text are filled; ␣ is a space.</p>',
        *(_example(entry) for entry in report["examples"]),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}{SAYS_CSS}</style></head><body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def visible(token: str) -> str:
    """Return a token with its leading space and control characters shown."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in token)
    return "␣" + shown[1:] if shown.startswith(" ") else shown


def _what(about: Mapping[str, Any]) -> str:
    left_out = f" ({about['left_out']:,} without a token left out)" if about["left_out"] else ""
    backbone = about["backbone"]
    return (
        f"{about['count']:,} texts of {about['texts']}{left_out}; tokens as {about['terms']}; backbone "
        f"{backbone['name']} with {backbone['pooling']} pooling of {backbone['document_prompt']}. Metrics of "
        "A Text is Worth Several Tokens (arXiv 2406.17378); intervals are 95%, by bootstrap over texts."
    )


def _table(measured: Sequence[Mapping[str, Any]]) -> str:
    heads = ["side", "adjustment", *(f"Hit@{k}" for k in KS), "LAR", "GAR", "chance Hit@10", "chance LAR", "aligned"]
    rows = []
    for row in measured:
        evidence = row["evidence"]
        hits = [_with_ends(row["hit"][k - 1], row["hit_low"][k - 1], row["hit_high"][k - 1]) for k in KS]
        rates = [_with_ends(**row[key]) for key in ("lar", "gar")]
        chance = [f"{evidence['hit_chance']:.3f}", f"{evidence['lar_chance']:.3f}"]
        yes = "yes" if evidence["aligned"] else "no"
        rows.append([row["side"], row["adjustment"], *hits, *rates, *chance, yes])
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>" for cells in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _with_ends(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _example(entry: Mapping[str, Any]) -> str:
    lists = []
    for name, tokens in entry["tokens"].items():
        shown = "".join(
            f'<span class="literal">{escape(visible(each["token"]))}</span>'
            if each["literal"]
            else f"<span>{escape(visible(each['token']))}</span>"
            for each in tokens
        )
        lists.append(f'<p class="tokens"><small>{escape(name)}</small><br>{shown}</p>')
    return f"<details><summary>{escape(entry['text'])}</summary>{''.join(lists)}</details>"
