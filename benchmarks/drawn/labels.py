"""Where names of near points may stand: none on another, each as near to its point as can be."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib.path import Path
from matplotlib.transforms import Bbox

MARK = 10  # width and height of a point's mark
CROSSED, OVER = (
    40.0,
    20.0,
)  # what it costs, in points of distance, that a lead is crossed, or a line runs through a name

Place = tuple[float, float]


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
        names: list[Bbox] = []
        leads: list[Path] = []
        total, places = 0.0, [(0.0, 0.0)] * len(centres)
        for at in order:
            (x, y), taken = centres[at], [mark for place, mark in enumerate(marks) if place != at] + names
            least = math.inf
            for right, up in around():
                far = math.hypot(right, up)
                if far >= least:
                    continue
                box = _box(x + right, y + up, right, *sizes[at])
                if not self._holds(box) or any(box.overlaps(each) for each in taken):
                    continue
                lead = Path([(x, y), (x + right, y + up)])
                crossed = sum(lead.intersects_bbox(each) for each in taken if not each.contains(x, y))
                crossed += sum(each.intersects_path(lead) or each.intersects_bbox(box) for each in leads)
                cost = far + CROSSED * crossed + OVER * self.line.intersects_bbox(box, filled=False)
                if cost < least:
                    least, places[at], chosen = cost, (right, up), (box, lead)
            total += least
            if math.isinf(least):
                break
            names.append(chosen[0])
            leads.append(chosen[1])
        return total, places

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
