"""Even samples: the same ones each time, spread over the whole."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def even_places(count: int, most: int) -> npt.NDArray[np.int64]:
    """Return places spread evenly from the first to the last.

    :param count: Of how many, 0 or more.
    :param most: Places, at most; 0 or more.
    :return: Ascending, shape (min(count, most),).
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def stepped_places(count: int, most: int) -> range:
    """Return every so many-th place from the first on: the samples that adjustments and timings are made of.

    :param count: Of how many, 0 or more.
    :param most: Places, at most; 1 or more.
    :return: At most `most` places, and more than half as many where there are so many.
    """
    return range(0, count, max(1, -(-count // most)))


def even_sample(values: Mapping[_Key, _Value], most: int) -> dict[_Key, _Value]:
    """Return entries spread evenly over a mapping's order, at most `most`; the last one need not be among them."""
    keys = list(values)
    count = min(most, len(keys))
    return {key: values[key] for key in (keys[place * len(keys) // count] for place in range(count))}
