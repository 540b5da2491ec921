"""How it works: what becomes of documents, and of a query."""

from typing import TYPE_CHECKING, NamedTuple

from sparseembed.charts import COLOURS, INK, MUTED, WIDTH, canvas, styled, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 400  # points
TITLE = "How it works"
TOLD = """\
Building an index, from the top: each document is embedded by the LLM; the embedding is adjusted and decoded with the LM
head; its best terms are weighed. Beside them the document's own words have their BM25 impacts. Both go into one impact
index. Searching it: the query's own words go straight to the index, without a model; query weight times impact is
summed for each document, and the best are the hits. Optional: hits are put in a new order by embeddings."""


class Box(NamedTuple):
    """A step.

    :param at: Left, top, width and height, in points.
    :param name: What it is.
    :param note: More of it, in a line.
    :param kind: `step`, `store`, or `maybe` where it can be left out.
    """

    at: tuple[float, float, float, float]
    name: str
    note: str
    kind: str = "step"


BOXES = (
    Box((8, 30, 266, 46), "documents", "title and text"),
    Box((8, 100, 144, 46), "embed", "prompt, LLM, pooling"),
    Box((8, 170, 144, 46), "adjust, decode", "h → h′ → E · h′"),
    Box((8, 240, 144, 46), "weigh", "best K terms, idf"),
    Box((166, 170, 108, 46), "own words", "BM25 impacts"),
    Box((8, 310, 266, 46), "one index", "impacts 1..31, native and Lucene", "store"),
    Box((304, 30, 108, 46), "query", "plain text"),
    Box((304, 100, 108, 46), "its own words", "no model call"),
    Box((304, 170, 108, 46), "sum", "weight × impact"),
    Box((304, 310, 108, 46), "hits", "id, score, rank"),
    Box((304, 240, 108, 46), "rescore", "by embeddings", "maybe"),
)
# From where to where, in points.
ARROWS = (
    ((80, 76), (80, 100)),
    ((80, 146), (80, 170)),
    ((80, 216), (80, 240)),
    ((80, 286), (80, 310)),
    ((220, 76), (220, 170)),
    ((220, 216), (220, 310)),
    ((358, 76), (358, 100)),
    ((358, 146), (358, 170)),
    ((358, 216), (358, 240)),
    ((358, 286), (358, 310)),
)
FROM_INDEX = ((274, 333), (289, 333), (289, 193), (304, 193))


@styled()
def flow() -> str:
    """Draw the steps of building and of searching.

    :return: An `<svg>` element, which may also be a file.
    """
    figure = canvas(height=HEIGHT)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    for x, text in ((8, "Building an index"), (304, "Searching it")):
        axes.text(x, 16, text, color=MUTED, fontweight="bold", va="center")
    for box in BOXES:
        _box(axes, box)
    for start, end in ARROWS:
        _arrow(axes, start, end)
    xs, ys = zip(*FROM_INDEX[:-1], strict=True)
    axes.plot(xs, ys, color=MUTED, linewidth=1.3)
    _arrow(axes, *FROM_INDEX[-2:])
    axes.plot([8, 32], [378, 378], color=MUTED, linewidth=1.3, linestyle=(0, (4, 3)))
    axes.text(40, 378, "can be left out: hits are then ordered by the sum alone", color=MUTED, va="center", fontsize=11)
    return svg(figure, TITLE, " ".join(TOLD.split()))


def _box(axes: "Axes", box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    left, top, width, height = box.at
    style = "round,pad=0,rounding_size=5"
    edge, line = (COLOURS[0], 2.0) if box.kind == "store" else (MUTED, 1.3)
    dashes = (0, (4, 3)) if box.kind == "maybe" else "-"
    patch = FancyBboxPatch((left, top), width, height, style, fill=False, edgecolor=edge, linewidth=line)
    patch.set_linestyle(dashes)
    axes.add_patch(patch)
    middle = left + width / 2
    axes.text(middle, top + 16, box.name, ha="center", va="center", fontweight="bold", fontsize=12.5, color=INK)
    axes.text(middle, top + 33, box.note, ha="center", va="center", fontsize=11, color=MUTED)


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 1}
    axes.annotate("", end, start, arrowprops=style)
