"""Systems by what they cost and how well they find: named points, and the front of those that nothing beats."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from drawn.labels import Field
from sparseembed.charts import COLOURS, MARKERS, MUTED, PAGE, canvas, frame, styled, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

HEIGHT = 440  # points


class Point(NamedTuple):
    """A system.

    :param name: What it is.
    :param x: What it costs, above 0.
    :param y: How well it finds.
    :param group: Number of its colour and mark, 0 to 3.
    :param open: Whether its mark is open.
    """

    name: str
    x: float
    y: float
    group: int = 0
    open: bool = False


def front(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats: cheaper ones are worse.

    >>> [each.name for each in front([Point("a", 1, 5), Point("b", 2, 4), Point("c", 3, 6), Point("d", 3, 5)])]
    ['a', 'c']
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda each: (each.x, -each.y)):
        if not kept or point.y > kept[-1].y:
            kept.append(point)
    return kept


@styled()
def levels(points: Sequence[Point], groups: Sequence[str], opened: str, x_name: str, y_name: str) -> str:
    """Draw systems over a logarithmic axis of costs.

    :param points: The systems, at least one; names of near ones are moved apart.
    :param groups: Names of the colours, at most four.
    :param opened: What an open mark says.
    :param x_name: What they cost.
    :param y_name: How well they find.
    :return: An `<svg>` element, which may also be a file.
    """
    figure = canvas(height=HEIGHT)
    axes = figure.subplots()
    axes.set_xscale("log")
    low, high = min(point.x for point in points), max(point.x for point in points)
    room = max((high / low) ** 0.17, 1.2)
    axes.set_xlim(low / room, high * room)
    spread = max(point.y for point in points) - min(point.y for point in points) or 0.1
    axes.set_ylim(min(point.y for point in points) - spread / 8, max(point.y for point in points) + spread / 5)
    best = front(points)
    xs = [*[x for each in best for x in (each.x, each.x)][1:], high * room]
    ys = [y for each in best for y in (each.y, each.y)]
    (line,) = axes.plot(xs, ys, color=MUTED, linewidth=1, linestyle=(0, (3, 2)), zorder=1)
    for point in points:
        face = PAGE if point.open else COLOURS[point.group]
        axes.scatter(point.x, point.y, 38, face, marker=MARKERS[point.group], edgecolors=COLOURS[point.group], zorder=3)
    frame(axes, x_name, y_name)
    handles = [*_marks(groups, opened)]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, columnspacing=1, labelspacing=0.3, fontsize=11)
    figure.draw_without_rendering()
    axes.set_autoscale_on(False)
    _name(axes, points, best, line)
    order = sorted(points, key=lambda each: -each.y)
    told = "; ".join(f"{each.name}: {each.y:.3f} at {each.x:,.3g}" for each in order)
    beaten = f"nothing cheaper is as good as {', '.join(each.name for each in best)}"
    return svg(figure, f"{y_name} by {x_name}", f"{told}; {beaten}")


def _marks(groups: Sequence[str], opened: str) -> "Iterator[Line2D]":
    from matplotlib.lines import Line2D

    for place, name in enumerate(groups):
        yield Line2D([], [], color=COLOURS[place], marker=MARKERS[place], markersize=6.5, linestyle="none", label=name)
    yield Line2D([], [], color=MUTED, marker="o", markersize=6.5, markerfacecolor=PAGE, linestyle="none", label=opened)
    label = "best for its cost (bold)"
    yield Line2D([], [], color=MUTED, linewidth=1, linestyle=(0, (3, 2)), label=label)


def _name(axes: "Axes", points: Sequence[Point], best: Sequence[Point], line: "Line2D") -> None:
    """Write each name near its point, where it covers neither a point nor another name, and best no line either."""
    notes = [axes.annotate(each.name, (each.x, each.y), (0, 0), textcoords="offset points") for each in points]
    for point, note in zip(points, notes, strict=True):
        note.set(fontsize=11, fontweight="bold" if point in best else "normal", color=COLOURS[point.group])
        note.set_in_layout(False)
    centres = axes.transData.transform([(each.x, each.y) for each in points])
    sizes = [(note.get_window_extent().width, note.get_window_extent().height - 2) for note in notes]
    field = Field(axes.get_window_extent().padded(1), line.get_path().transformed(line.get_transform()))
    ups, downs = (sorted(range(len(points)), key=lambda at, by=by: by * centres[at][1]) for by in (1, -1))
    rights, lefts = (sorted(range(len(points)), key=lambda at, by=by: by * centres[at][0]) for by in (1, -1))
    cost, places = min(
        (field.place(centres, sizes, order) for order in (downs, ups, rights, lefts)), key=lambda each: each[0]
    )
    if math.isinf(cost):
        raise AssertionError("no room for all names")
    for point, note, (right, up) in zip(points, notes, places, strict=True):
        note.set(position=(right, up), va="center", ha="center" if not right else "left" if right > 0 else "right")
        if math.hypot(right, up) > 13:
            style = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 4}
            end = (right, up if right else up - math.copysign(6, up))
            lead = axes.annotate("", (point.x, point.y), end, textcoords="offset points", arrowprops=style)
            lead.set_in_layout(False)
