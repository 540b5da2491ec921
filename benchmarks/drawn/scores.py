"""How scores are put together: the terms of the first hit one after the other, and the first hits beside each other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparseembed.charts import COLOURS, GRID, INK, MUTED, PAGE, canvas, styled, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORIGINS = {"literal": COLOURS[0], "expansion": COLOURS[1]}
WEIGHTS = {"literal": "bold", "expansion": "normal"}
MEANS = {"literal": "literal: stands in the document (bold)", "expansion": "expansion: its embedding brought it"}
HEIGHT = 400  # points


@styled()
def scores(found: Mapping[str, Any]) -> str:
    """Draw the scores of a query's hits.

    :param found: What worked.py wrote to scores.json.
    :return: An `<svg>` element, which may also be a file.
    """
    hits = found["hits"]
    figure = canvas(height=HEIGHT)
    first, all_hits = figure.subplots(2, 1, height_ratios=(len(hits[0]["terms"]) + 2, len(hits) + 1), sharex=True)
    first.set_xlim(0, 1.14 * max(hit["score"] for hit in hits))
    _steps(first, hits[0])
    _hits(all_hits, hits)
    figure.suptitle(f"“{found['query']}”", x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.legend(handles=_marks(), loc="outside lower left", ncols=1, labelspacing=0.3)
    return svg(figure, f"How the score of a hit is put together: {found['query']}", ". ".join(map(_told, hits)))


def _steps(axes: "Axes", hit: Mapping[str, Any]) -> None:
    """Draw each term's part from where the one before ended."""
    done = 0
    names = []
    for row, term in enumerate(hit["terms"]):
        axes.barh(row, term["score"], 0.7, done, color=ORIGINS[term["origin"]])
        if row:
            axes.plot([done, done], [row - 0.65, row + 0.35], color=MUTED, linewidth=0.8)
        product = f"{term['query_weight']} × {term['impact']}"
        before = done > 0.3 * hit["score"]  # where there is room
        at = done - 1 if before else done + term["score"] + 1
        axes.text(at, row, product, va="center", ha="right" if before else "left", fontsize=11)
        names.append(term["term"])
        done += term["score"]
    axes.barh(len(names), done, 0.7, color=MUTED)
    axes.text(done + 1, len(names), f"{done:,}", va="center", fontweight="bold")
    axes.set_title(f"{hit['id']}: query weight × impact, summed")
    _rows(axes, [*names, "score"])
    for label, term in zip(axes.get_yticklabels(), hit["terms"], strict=False):
        label.set_fontweight(WEIGHTS[term["origin"]])


def _hits(axes: "Axes", hits: list[Any]) -> None:
    """Draw each hit's score as its terms, joined."""
    for row, hit in enumerate(hits):
        done = 0
        for term in hit["terms"]:
            axes.barh(row, term["score"], 0.7, done, color=ORIGINS[term["origin"]], edgecolor=PAGE, linewidth=1.5)
            if term["score"] > 1.9 * len(term["term"]):
                middle = done + term["score"] / 2
                axes.text(middle, row, term["term"], ha="center", va="center", fontsize=10, color=PAGE)
            done += term["score"]
        axes.text(done + 1, row, f"{hit['score']:,}", va="center", fontweight="bold")
    axes.set_title("the first hits")
    _rows(axes, [hit["id"] for hit in hits])


def _rows(axes: "Axes", names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=GRID, linewidth=1)


def _marks() -> list[Any]:
    from matplotlib.patches import Patch

    return [Patch(color=colour, label=MEANS[origin]) for origin, colour in ORIGINS.items()]


def _told(hit: Mapping[str, Any]) -> str:
    terms = " + ".join(
        f"{each['term']} ({each['origin']}) {each['query_weight']} × {each['impact']}" for each in hit["terms"]
    )
    return f"{hit['id']}: {terms} = {hit['score']:,}"
