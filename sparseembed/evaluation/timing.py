"""Latency: one query at a time, the median of several."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from sparseembed.data.sampling import stepped_places

WARM_UP = 3
TIMED = 50

_Query = TypeVar("_Query")
_Encoded = TypeVar("_Encoded")


class Latency(NamedTuple):
    """Median milliseconds of one query: to encode it, and to search with it."""

    encode_ms: float
    search_ms: float


def measure_latency(
    queries: Sequence[_Query], encode: Callable[[_Query], _Encoded], search: Callable[[_Encoded], object]
) -> Latency:
    """Time queries one by one: an even sample of at most 50, after three to warm up.

    :param queries: The queries, at least one.
    :param encode: Turns one into what `search` takes.
    :param search: Searches with it.
    :return: The medians.
    """
    timed = [queries[place] for place in stepped_places(len(queries), TIMED)]
    for query in timed[:WARM_UP]:
        search(encode(query))
    encoding, searching = [], []
    for query in timed:
        start = time.perf_counter()
        encoded = encode(query)
        middle = time.perf_counter()
        search(encoded)
        end = time.perf_counter()
        encoding.append(1000 * (middle - start))
        searching.append(1000 * (end - middle))
    return Latency(statistics.median(encoding), statistics.median(searching))
