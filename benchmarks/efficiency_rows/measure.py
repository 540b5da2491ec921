"""Times of things that are compared: measured in turns within one run, each several times, as medians with a spread."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np


class Spread(NamedTuple):
    """Repeated measurements of one thing.

    :param median: Their median.
    :param low: The smallest.
    :param high: The largest.
    :param runs: How many there are.
    """

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sum up measurements; there must be one."""
        return cls(float(median(values)), float(min(values)), float(max(values)), len(values))

    def times(self, factor: float) -> "Spread":
        """Return the same in another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor, self.runs)

    def inverted(self, amount: float) -> "Spread":
        """Return rates: an amount by each of these times."""
        return Spread(amount / self.median, amount / self.high, amount / self.low, self.runs)


class Took(NamedTuple):
    """What one thing took, in seconds: on the clock, and of processors (all threads, Java's too)."""

    wall: Spread
    cpu: Spread


def in_turns(things: Mapping[str, Callable[[], Any]], repeats: int, warm: int = 1) -> dict[str, Took]:
    """Time things in turns, so that whatever else the machine does meets all of them.

    :param things: Name -> what is timed.
    :param repeats: Timed runs of each.
    :param warm: Runs of each before, which are not counted.
    """
    walls: dict[str, list[float]] = {name: [] for name in things}
    cpus: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(-warm, repeats):
        for name, thing in things.items():
            wall, cpu = time.perf_counter(), time.process_time()
            thing()
            if turn >= 0:
                walls[name].append(time.perf_counter() - wall)
                cpus[name].append(time.process_time() - cpu)
    return {name: Took(Spread.of(walls[name]), Spread.of(cpus[name])) for name in things}


def each(things: Mapping[str, Callable[[Any], Any]], inputs: Sequence[Any], repeats: int) -> dict[str, Spread]:
    """Time calls one by one, in turns: the medians over the inputs, of each repetition.

    :param things: Name -> what is called with an input.
    :param inputs: The inputs; all are called once before, which is not counted.
    :param repeats: Passes over the inputs.
    :return: Seconds of a call.
    """
    found: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(-1, repeats):
        for name, thing in things.items():
            times = []
            for one in inputs:
                start = time.perf_counter()
                thing(one)
                times.append(time.perf_counter() - start)
            if turn >= 0:
                found[name].append(float(np.median(times)))
    return {name: Spread.of(times) for name, times in found.items()}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return b of the best fit of values by a x size^b, as a straight line through their logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
