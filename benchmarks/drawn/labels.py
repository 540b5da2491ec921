"""Where names of near points may stand: none on another, each as near to its point as can be."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib.path import Path
from matplotlib.transforms import Bbox

MARK = 10  # width and height of a point's mark
# What it costs, in points of distance, that a lead is crossed, and that the line runs through a name.
CROSSED, OVER = 60.0, 20.0
ROUNDS = 3

Place = tuple[float, float]


class Put(NamedTuple):
    """A name that was put somewhere.

    :param cost: What that costs.
    :param place: How far it is right of and above its point.
    :param box: What it covers.
    :param lead: From its point to it.
    """

    cost: float
    place: Place
    box: Bbox
    lead: Path


class Field(NamedTuple):
    """Where names are put.

    :param inside: What they must not leave.
    :param line: A line that they had better not cover.
    """

    inside: Bbox
    line: Path

    def place(
        self, centres: Sequence[Place], sizes: Sequence[Place], order: Sequence[int]
    ) -> tuple[float, list[Place]]:
        """Put one name after the other where it then costs the least.

        :param centres: The points.
        :param sizes: Width and height of each name.
        :param order: Which name is put first, and so on.
        :return: What all cost, infinite where there is no room, and how far each name is right of and above its point.
        """
        marks = [Bbox.from_bounds(x - MARK / 2, y - MARK / 2, MARK, MARK) for x, y in centres]
        put: dict[int, Put] = {}
        for at in [*order] * ROUNDS:  # those that were put first are then moved out of the way of the last
            put.pop(at, None)
            others = [mark for place, mark in enumerate(marks) if place != at] + [each.box for each in put.values()]
            best = self._best(centres[at], sizes[at], others, [each.lead for each in put.values()])
            if best is None:
                return math.inf, []
            put[at] = best
        return sum(each.cost for each in put.values()), [put[at].place for at in range(len(centres))]

    def _best(self, centre: Place, size: Place, others: Sequence[Bbox], leads: Sequence[Path]) -> "Put | None":
        (x, y), best = centre, None
        for right, up in around():
            far = math.hypot(right, up)
            box = _box(x + right, y + up, right, *size)
            if (best is not None and far >= best.cost) or not self._holds(box) or any(map(box.overlaps, others)):
                continue
            lead = Path([(x, y), (x + right, y + up)])
            crossed = sum(lead.intersects_bbox(each) for each in others if not each.contains(x, y))
            crossed += sum(each.intersects_path(lead) or each.intersects_bbox(box) for each in leads)
            cost = far + CROSSED * crossed + OVER * self.line.intersects_bbox(box, filled=False)
            if best is None or cost < best.cost:
                best = Put(cost, (right, up), box, lead)
        return best

    def _holds(self, box: Bbox) -> bool:
        inside = self.inside
        return bool(inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1)


def around() -> Iterator[Place]:
    """Give places for a name, right of and above its point: beside it, and then around it."""
    yield from ((8, 0), (-8, 0), (0, 12), (0, -12))
    for up in range(12, 100, 6):
        for right in (0, 8, 20, 40, 60, 80):
            yield from ((right, up), (-right, up), (right, -up), (-right, -up))


def _box(x: float, y: float, right: float, width: float, height: float) -> Bbox:
    left = x - width / 2 if not right else x if right > 0 else x - width
    return Bbox.from_bounds(left, y - height / 2, width, height)
