"""Line and bar charts as SVG, written by hand: a report then needs no plotting library and no network."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 420, 290  # small, so that its text can be read at a phone's width
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 56, 42
COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea")
STYLE = (
    ".chart text{font:11px system-ui,sans-serif;fill:#222}.chart .grid{stroke:#ddd}.chart .axis{stroke:#888}"
    "@media(prefers-color-scheme:dark){.chart text{fill:#ddd}.chart .grid{stroke:#3a3a3a}}"
)


class Series(NamedTuple):
    """A named line: (x, y) points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


class _Scale(NamedTuple):
    """A map from values to pixels."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.stop - self.start), 2)


def lines(series: Sequence[Series], x_name: str, y_name: str, *, log: bool = False) -> str:
    """Draw lines over one pair of axes.

    :param series: The lines, at most four.
    :param x_name: What x is.
    :param y_name: What y is.
    :param log: Whether y is on a logarithmic scale; values of 0 are then left out.
    :return: An `<svg>` element.
    """
    drawn = [_logged(one) for one in series] if log else list(series)
    across = _scale([x for one in drawn for x in one.x], LEFT, WIDTH - RIGHT)
    up = _scale([y for one in drawn for y in one.y], HEIGHT - BOTTOM, TOP, zero=not log)
    parts = [_axes(across, up, x_name, y_name, log)]
    for colour, one in zip(COLOURS, drawn, strict=False):
        points = " ".join(f"{across.at(x)},{up.at(y)}" for x, y in zip(one.x, one.y, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return _svg(parts, [one.name for one in series], f"{y_name} by {x_name}")


def bars(series: Sequence[Series], x_name: str, y_name: str) -> str:
    """Draw bars, those of several series side by side.

    :param series: The series, with the same whole-numbered x.
    :param x_name: What x is.
    :param y_name: What y is.
    :return: An `<svg>` element.
    """
    xs = series[0].x
    across = _scale([min(xs, default=0) - 0.5, max(xs, default=0) + 0.5], LEFT, WIDTH - RIGHT)
    up = _scale([y for one in series for y in one.y], HEIGHT - BOTTOM, TOP, zero=True)
    width = max(1.0, 0.8 * (across.at(1) - across.at(0)) / len(series))
    parts = [_axes(across, up, x_name, y_name, False)]
    for place, (colour, one) in enumerate(zip(COLOURS, series, strict=False)):
        for x, y in zip(one.x, one.y, strict=True):
            left = across.at(x) - 0.5 * width * len(series) + place * width
            top, bottom = sorted((up.at(y), up.at(0)))
            parts.append(_bar(left, top, width, bottom - top, colour))
    return _svg(parts, [one.name for one in series], f"{y_name} by {x_name}")


class Point(NamedTuple):
    """A named point.

    :param name: What it is.
    :param x: Above 0 where x is on a logarithmic scale.
    :param y: Its height.
    :param group: Number of its colour, 0 to 3.
    """

    name: str
    x: float
    y: float
    group: int = 0


def points(given: Sequence[Point], groups: Sequence[str], x_name: str, y_name: str) -> str:
    """Draw named points over a logarithmic x axis.

    :param given: The points; names of near ones are moved apart.
    :param groups: Names of the colours, at most four.
    :param x_name: What x is.
    :param y_name: What y is.
    :return: An `<svg>` element.
    """
    exponents = [math.log10(point.x) for point in given] or [0.0]
    across = _scale([math.floor(min(exponents)), math.ceil(max(exponents))], LEFT, WIDTH - RIGHT)
    heights = [point.y for point in given] or [0.0]
    spread = (max(heights) - min(heights)) or 1.0
    up = _scale([min(heights) - spread / 12, max(heights) + spread / 12], HEIGHT - BOTTOM, TOP)
    parts = []
    for y in ticks(up.low, up.high):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up.at(y)}" y2="{up.at(y)}"/>')
        parts.append(_text(LEFT - 6, up.at(y) + 4, _number(y), "end"))
    for power in range(int(across.low), int(across.high) + 1):
        parts.append(_text(across.at(power), HEIGHT - BOTTOM + 16, _number(10.0**power), "middle"))
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 34, x_name, "middle"))
    parts.append(_text(LEFT, TOP - 8, y_name, "start"))
    taken: list[tuple[float, float]] = []
    for point in sorted(given, key=lambda each: -each.y):
        x, y = across.at(math.log10(point.x)), up.at(point.y)
        parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{COLOURS[point.group]}"/>')
        left = x > (LEFT + WIDTH - RIGHT) / 2
        beside, height = x + (-7 if left else 7), y + 4
        while any(abs(height - other) < 11 and abs(beside - there) < 150 for there, other in taken):
            height += 1
        taken.append((beside, height))
        parts.append(_text(beside, height, point.name, "end" if left else "start"))
    return _svg(parts, list(groups), f"{y_name} by {x_name}")


def named_bars(names: Sequence[str], values: Sequence[float], value_name: str) -> str:
    """Draw one horizontal bar a name.

    :param names: The names, from the top.
    :param values: Their values.
    :param value_name: What the values are.
    :return: An `<svg>` element.
    """
    step, start = 18, 30
    height = start + step * len(names) + 8
    across = _scale(list(values), 110, WIDTH - 50, zero=True)
    parts = []
    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        top = start + row * step
        left, right = sorted((across.at(0), across.at(value)))
        parts.append(_bar(left, top, right - left, step - 4, COLOURS[0]))
        parts.append(_text(104, top + 11, name if len(name) <= 16 else name[:15] + "…", "end"))
        parts.append(_text(right + 4, top + 11, _number(value), "start"))
    return _svg(parts, [], value_name, height)


def _svg(parts: Sequence[str], names: Sequence[str], title: str, height: int = HEIGHT) -> str:
    legend = []
    for place, (colour, name) in enumerate(zip(COLOURS, names, strict=False)):
        x, y = LEFT + 185 * (place % 2), 4 + 16 * (place // 2)
        legend += [_bar(x, y, 11, 11, colour), _text(x + 16, y + 10, name, "start")]
    if not names:
        legend = [_text(LEFT, 18, title, "start")]
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<style>{STYLE}</style>{''.join(legend)}{''.join(parts)}</svg>"
    )


def _axes(across: _Scale, up: _Scale, x_name: str, y_name: str, log: bool) -> str:
    parts = []
    for y in ticks(up.low, up.high):
        label = _number(10**y if log else y)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up.at(y)}" y2="{up.at(y)}"/>')
        parts.append(_text(LEFT - 6, up.at(y) + 4, label, "end"))
    for x in ticks(across.low, across.high):
        parts.append(_text(across.at(x), HEIGHT - BOTTOM + 16, _number(x), "middle"))
    base = up.at(min(max(0.0, up.low), up.high))
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 34, x_name, "middle"))
    parts.append(_text(LEFT, TOP - 8, y_name, "start"))
    return "".join(parts)


def standalone(svg: str) -> str:
    """Return an `<svg>` element as it must stand in a file of its own: with the namespace that HTML implies."""
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def ticks(low: float, high: float) -> list[float]:
    """Return the round numbers of a range, four to ten of them, a step of 1, 2 or 5 times a power of ten apart.

    :param low: Lower end.
    :param high: Upper end, above `low`.
    :return: Multiples of the step from `low` to `high`.

    >>> ticks(-23.9, 8.6), ticks(0.5, 30.5)
    ([-20.0, -15.0, -10.0, -5.0, 0.0, 5.0], [5.0, 10.0, 15.0, 20.0, 25.0, 30.0])
    """
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= (high - low) / 4 * (1 + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) + 0.0 for number in range(first, last + 1)]


def _scale(values: Sequence[float], start: float, stop: float, zero: bool = False) -> _Scale:
    known = [*values, *([0.0] if zero else [])] or [0.0]
    low, high = min(known), max(known)
    return _Scale(low, high if high > low else low + 1.0, start, stop)


def _logged(one: Series) -> Series:
    kept = [(x, math.log10(y)) for x, y in zip(one.x, one.y, strict=True) if y > 0]
    return Series(one.name, [x for x, _ in kept], [y for _, y in kept])


def _bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{max(height, 0.5):.2f}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:.3g}"
