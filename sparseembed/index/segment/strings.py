"""Many strings as one array of UTF-8 bytes and offsets: packing, ordering, finding."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

_AT_ONCE = 1 << 16
"""Strings whose bytes are put together at once."""


def encode(text: str) -> bytes:
    """Return UTF-8; lone surrogates are kept, so that every Python string survives."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """Return the string that `encode` was given."""
    return data.decode("utf-8", "surrogatepass")


def pack(strings: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Put strings together.

    :param strings: n strings as UTF-8.
    :return: uint8 (bytes,) and int64 (n + 1,): string i is the bytes from `offsets[i]` to `offsets[i + 1]`.
    """
    listed = list(strings)
    sizes = np.fromiter(map(len, listed), dtype=np.int64, count=len(listed))
    return np.frombuffer(b"".join(listed), dtype=np.uint8), offsets_of(sizes)


def offsets_of(sizes: np.ndarray) -> np.ndarray:
    """Turn sizes (n,) into offsets, int64 (n + 1,), from 0."""
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def places_of(sizes: np.ndarray) -> np.ndarray:
    """Return `offsets_of` sizes that were read from a file: read-only, as what is mapped, so that kernels are the same.

    :param sizes: (n,).
    """
    offsets = offsets_of(sizes)
    offsets.flags.writeable = False
    return offsets


def sized(sizes: np.ndarray, total: int) -> bool:
    """Say whether sizes are 1 or more each, and so many together."""
    return int(sizes.sum(dtype=np.int64)) == total and bool(np.all(sizes > 0))


def ascends(values: np.ndarray, first: int, last: int, strict: bool) -> bool:
    """Say whether offsets ascend from one value to another.

    :param values: the offsets.
    :param first: what the first must be.
    :param last: what the last must be.
    :param strict: whether equal neighbours are wrong.
    :return: True if they do; False also for an empty array.
    """
    if not len(values) or values[0] != first or values[-1] != last:
        return False
    return bool(np.all(values[1:] > values[:-1]) if strict else np.all(values[1:] >= values[:-1]))


def sort(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Order packed strings by their bytes, eight bytes a round, each round only among those that are equal so far.

    :param data: uint8 bytes.
    :param offsets: int64 (n + 1,).
    :return: int32 (n,), int64 from 2^31 strings on: their numbers in order; and one that occurs twice, or None.
    """
    count = len(offsets) - 1
    width = np.int32 if count < 2**31 else np.int64
    order = np.arange(count, dtype=width)
    places = order.copy()  # in `order`, what is not yet decided
    group = np.zeros(count, dtype=width)
    start = 0
    while len(places):
        numbers = order[places]
        key, left = _eight(data, offsets, numbers, start)
        within = np.lexsort((left, key, group))
        numbers, key, left, group = numbers[within], key[within], left[within], group[within]
        order[places] = numbers
        new = np.ones(len(places), dtype=bool)
        new[1:] = (key[1:] != key[:-1]) | (left[1:] != left[:-1]) | (group[1:] != group[:-1])
        alone = new & np.append(new[1:], True)
        equal = np.flatnonzero(~new & (left < 8))
        if len(equal):
            return order, int(numbers[equal[0]])
        keep = ~alone
        places, group = places[keep], np.cumsum(new, dtype=width)[keep]
        start += 8
    return order, None


def _eight(data: np.ndarray, offsets: np.ndarray, numbers: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the eight bytes of each string from `start` as uint64, and how many of them it has, uint8."""
    keys, sizes = np.zeros(len(numbers), dtype=np.uint64), np.empty(len(numbers), dtype=np.uint8)
    for begin in range(0, len(numbers), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        first = offsets[numbers[some]] + start
        left = np.clip(offsets[numbers[some] + 1] - first, 0, 8)
        key = keys[some]
        for place in range(8):
            has = left > place
            key <<= np.uint64(8)
            key[has] |= data[first[has] + place]
        sizes[some] = left
    return keys, sizes


class Strings:
    """Packed strings, read one by one."""

    def __init__(self, data: np.ndarray, offsets: np.ndarray) -> None:
        """Take packed strings; `offsets` must be checked.

        :param data: uint8 bytes.
        :param offsets: int64 (n + 1,).
        """
        self.data, self.offsets = data, offsets
        self._data, self._offsets = data.data, offsets.data  # numbers out of these are plain ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def raw(self, number: int) -> bytes:
        """Return one string as UTF-8."""
        return self._data[self._offsets[number] : self._offsets[number + 1]].tobytes()

    def text(self, number: int) -> str:
        """Return one string."""
        return decode(self.raw(number))

    def range(self, first: int, last: int) -> list[bytes]:
        """Return the strings from `first` to before `last` as UTF-8."""
        bounds = self.offsets[first : last + 1].tolist()
        base = bounds[0]
        joined = self.data[base : bounds[-1]].tobytes()
        return [joined[begin - base : end - base] for begin, end in pairwise(bounds)]

    def many(self, numbers: np.ndarray, compiled: bool = False) -> list[str]:
        """Return some strings.

        :param numbers: int64 (n,), within range.
        :param compiled: whether a kernel puts them together.
        :return: n strings.
        """
        if compiled and len(numbers):
            from sparseembed.index.segment.kernels import gather

            data, ascii_only = gather(self.data, self.offsets, numbers)
            if ascii_only:  # splitting is faster than cutting at offsets
                return data.tobytes().decode("latin-1").split("\xff")
        return [decode(self.raw(number)) for number in numbers.tolist()]

    def find(self, wanted: str, order: np.ndarray | None = None) -> int:
        """Find a string by binary search.

        :param wanted: the string.
        :param order: int32 (n,), the numbers in ascending order of the strings; None if they are in order.
        :return: its number, -1 if it is not there.
        """
        key, low, high = encode(wanted), 0, len(self)
        data, offsets, numbers = self._data, self._offsets, None if order is None else order.data
        while low < high:
            middle = (low + high) >> 1
            number = middle if numbers is None else numbers[middle]
            found = data[offsets[number] : offsets[number + 1]].tobytes()
            if found < key:
                low = middle + 1
            elif found > key:
                high = middle
            else:
                return number
        return -1

    def find_many(self, wanted: Sequence[str], order: np.ndarray, compiled: bool = False) -> np.ndarray:
        """Find strings.

        :param wanted: the strings, n.
        :param order: as in `find`.
        :param compiled: whether a kernel looks for them.
        :return: int64 (n,): their numbers, -1 for one that is not there.
        """
        if not compiled:
            return np.array([self.find(each, order) for each in wanted], dtype=np.int64)
        from sparseembed.index.segment.kernels import find_strings

        found: np.ndarray = find_strings(self.data, self.offsets, order, *pack(map(encode, wanted)))
        return found
