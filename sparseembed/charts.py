"""Charts as SVG, drawn by matplotlib: text stays text, one file suits light and dark, the bytes can be made again."""

import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from sparseembed.extras import extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 420, 290  # points, so few that text can be read at a phone's width
INK, MUTED, GRID, PAGE = "#1f2328", "#57606a", "#d8dee4", "#ffffff"
COLOURS = ("#0068b3", "#b84a00", "#007a5e", "#a3498a")  # told apart by the colour-blind too, as is what follows
MARKERS = ("o", "s", "^", "D")
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (8, 2, 2, 2)))
# Light -> dark. Text and marks in any of them have a contrast of at least 4.5 with the page; GRID alone is faint.
DARK = {
    INK: "#f0f6fc",
    MUTED: "#a7b0ba",
    GRID: "#30363d",
    PAGE: "#0d1117",
    **dict(zip(COLOURS, ("#56b4e9", "#f08c4a", "#2fc79a", "#dd94c1"), strict=True)),
}
_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a token may hold dollars
    "font.family": "DejaVu Sans",  # comes with matplotlib: texts are measured alike everywhere
    "font.size": 12,
    "figure.facecolor": PAGE,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 12,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.borderaxespad": 0,
    "lines.linewidth": 2,
    "lines.markersize": 4,
}


class Series(NamedTuple):
    """A named line: (x, y) points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@contextmanager
def styled() -> Iterator[None]:
    """Let matplotlib draw as all charts here are drawn, whatever a user's own settings say.

    :raises MissingPackageError: matplotlib is not installed.
    """
    style = extra("matplotlib.style", "plot", "drawing charts")
    with style.context(("default", _STYLE)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # the reader's fonts are what counts
        yield


def need_charts() -> None:
    """Say at once, before long work, that charts cannot be drawn.

    :raises MissingPackageError: matplotlib is not installed.
    """
    extra("matplotlib", "plot", "drawing charts")


@styled()
def lines(series: Sequence[Series], x_name: str, y_name: str, *, log: str = "") -> str:
    """Draw lines over one pair of axes.

    :param series: The lines, at most four.
    :param x_name: What x is.
    :param y_name: What y is.
    :param log: The axes on a logarithmic scale: `x`, `y` or `xy`; values of 0 are then left out.
    :return: An `<svg>` element, which may also be a file.
    """
    figure = canvas()
    axes = figure.subplots()
    for place, one in enumerate(series[: len(COLOURS)]):
        mark = MARKERS[place] if len(one.x) <= 15 else ""
        axes.plot(one.x, one.y, color=COLOURS[place], linestyle=DASHES[place], marker=mark, label=one.name)
    for name in log:
        getattr(axes, f"set_{name}scale")("log", nonpositive="mask")
    frame(axes, x_name, y_name)
    _legend(figure, series)
    return svg(figure, f"{y_name} by {x_name}", _told(series))


@styled()
def bars(series: Sequence[Series], x_name: str, y_name: str) -> str:
    """Draw bars, those of several series side by side.

    :param series: The series, at most four, with the same whole-numbered x.
    :param x_name: What x is.
    :param y_name: What y is.
    :return: An `<svg>` element, which may also be a file.
    """
    figure = canvas()
    axes = figure.subplots()
    width = 0.8 / max(len(series), 1)
    for place, one in enumerate(series[: len(COLOURS)]):
        lefts = [x - 0.4 + place * width for x in one.x]
        axes.bar(lefts, one.y, width, align="edge", color=COLOURS[place], label=one.name)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    frame(axes, x_name, y_name)
    _legend(figure, series)
    return svg(figure, f"{y_name} by {x_name}", _told(series))


@styled()
def named_bars(names: Sequence[str], values: Sequence[float], value_name: str) -> str:
    """Draw one horizontal bar a name.

    :param names: The names, from the top.
    :param values: Their values.
    :param value_name: What the values are.
    :return: An `<svg>` element, which may also be a file.
    """
    figure = canvas(height=40 + 18 * len(names))
    lay_bars(figure.subplots(), names, values, [COLOURS[0]] * len(names), value_name)
    return svg(figure, value_name, "; ".join(f"{name}: {value:.3g}" for name, value in zip(names, values, strict=True)))


def lay_bars(
    axes: "Axes",
    names: Sequence[str],
    values: Sequence[float],
    colours: Sequence[str],
    title: str,
    form: str = ".3g",
) -> None:
    """Draw one horizontal bar a name, with its value at its end.

    :param axes: Where to.
    :param names: The names, from the top.
    :param values: Their values.
    :param colours: Their colours.
    :param title: What stands above.
    :param form: How values are written.
    """
    rows = range(len(names))
    drawn = axes.barh(rows, values, 0.72, color=list(colours))
    axes.bar_label(drawn, [format(value, form) for value in values], padding=3, fontsize=11)
    axes.set_yticks(rows, [name if len(name) <= 16 else name[:15] + "…" for name in names], color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.16)  # for the values
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.set_title(title)


def canvas(width: float = WIDTH, height: float = HEIGHT) -> "Figure":
    """Return an empty figure, of a width and a height in points; call it within `styled`."""
    from matplotlib.figure import Figure

    return Figure((width / 72, height / 72), dpi=72, layout="constrained")


def frame(axes: "Axes", x_name: str, y_name: str) -> None:
    """Name the axes, the upright one above it, and write their numbers in full."""
    from matplotlib.ticker import LogLocator

    axes.set_xlabel(x_name)
    axes.set_title(y_name)
    axes.grid(axis="y")
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            low, high = axis.get_view_interval()
            subs = (1,) if high > 100 * low else (1, 2, 5) if high > 8 * low else (1, 2, 3, 5, 7)
            axis.set_major_locator(LogLocator(subs=subs))
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.minorticks_off()


def svg(figure: "Figure", title: str, description: str) -> str:
    """Write a figure.

    :param figure: A figure, as `canvas` makes it; call this within `styled`.
    :param title: Its title, for those who do not see it; it also tells the ids of several in one page apart.
    :param description: What it shows.
    :return: An `<svg>` element. Colours of `DARK` change with the reader's scheme, on a screen.
    """
    from matplotlib import rc_context

    out = StringIO()
    with rc_context({"svg.hashsalt": title}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _LINK)
    root = ET.fromstring(out.getvalue())
    for each in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}defs"):  # the date's place, and a rule for all elements of a page
        for found in [one for one in root.findall(each) if one.find("*") is not None]:
            if each.endswith("metadata") or found.find(f"{{{_SVG}}}style") is not None:
                root.remove(found)
    for shape in root.findall(f".//{{{_SVG}}}defs/{{{_SVG}}}path"):  # its colours are those of each use
        shape.attrib.pop("style", None)
    used = set(re.findall(r"#([\w.-]+)", " ".join(str(each.attrib) for each in root.iter())))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
    for place, (tag, text) in enumerate((("title", title), ("desc", description), ("style", _css()))):
        made = ET.Element(f"{{{_SVG}}}{tag}")
        made.text = text
        root.insert(place, made)
    root.attrib |= {"class": "chart", "role": "img"}
    return ET.tostring(root, encoding="unicode") + "\n"


def _css() -> str:
    rules = "".join(
        f'.chart [style*="{kind}: {light}"]{{{kind}:{dark}!important}}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    )
    return (
        ".chart *{stroke-linejoin:round;stroke-linecap:butt}"
        ".chart text{font-family:system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif!important}"
        f"@media screen and (prefers-color-scheme:dark){{{rules}}}"
    )


def _legend(figure: "Figure", series: Sequence[Series]) -> None:
    if series:
        figure.legend(loc="outside upper left", ncols=min(2, len(series)), columnspacing=1.5)


def _told(series: Sequence[Series]) -> str:
    """Say where each line begins, ends, and is highest."""
    told = []
    for one in series:
        ends = dict.fromkeys((0, max(range(len(one.y)), key=one.y.__getitem__), len(one.y) - 1)) if one.y else ()
        told.append(f"{one.name}: " + (", ".join(f"{one.y[at]:.3g} at {one.x[at]:,.10g}" for at in ends) or "nothing"))
    return "; ".join(told)
