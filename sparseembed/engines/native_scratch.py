"""Work space of searches: a list of what is free, so that memory follows the searches at a time and not the threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

_CHUNK = 1 << 16
_PEAKS = _CHUNK >> 4
_POOLED = 1024
"""Searches for more hits than that get work space of their own."""


class Scratch(NamedTuple):
    """The arrays that the kernel needs; `totals` holds zeros between searches."""

    totals: np.ndarray
    peaks: np.ndarray
    values: np.ndarray
    candidates: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray
    docs: np.ndarray


class ScratchPool:
    """Lends work space to one search at a time; threads may ask at the same time."""

    def __init__(self, most: int = 16) -> None:
        """Begin empty.

        :param most: work spaces of each kind that are kept.
        """
        self._most = most
        self._free: dict[bool, list[Scratch]] = {False: [], True: []}

    @contextmanager
    def lent(self, wide: bool, k: int) -> Iterator[Scratch]:
        """Lend work space for a search.

        :param wide: whether scores may exceed int32.
        :param k: number of hits wanted.
        :return: the arrays; not given back after an error, since `totals` may hold something.
        """
        free = self._free[wide]
        pooled = k <= _POOLED
        try:
            scratch = free.pop() if pooled else _new(wide, k)  # list.pop and append are atomic
        except IndexError:
            scratch = _new(wide, _POOLED)
        yield scratch
        if pooled and len(free) < self._most:
            free.append(scratch)


def _new(wide: bool, k: int) -> Scratch:
    dtype = np.int64 if wide else np.int32
    hits = [np.empty(k + _CHUNK, dtype=np.int64) for _ in range(3)]
    peaks = np.empty(_PEAKS, dtype=dtype)
    # One place more: the kernels write to the next place before they know whether they keep it.
    values, candidates = np.empty(_PEAKS + 1, dtype=dtype), np.empty(_CHUNK + 1, dtype=np.int32)
    return Scratch(np.zeros(_CHUNK, dtype=dtype), peaks, values, candidates, *hits)
