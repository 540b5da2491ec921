"""Arrays in fewer bytes: numbers byte by byte, and deflated where that takes no time to undo.

The lowest bytes of all numbers come first, then the second ones, and so on, up to the highest plane that is not all
zeros: most tables hold small numbers, and numbers that grow slowly leave planes that repeat. Arrays of large segments
are not deflated, since an index would take longer to open.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sparseembed.index.segment.columns import Column
from sparseembed.index.segment.format import as_bytes

DEFLATED = 1 << 20
"""The most bytes of an array that is deflated: 5 ms to undo."""

_LEVEL = 9
_MOST = 1032
"""Bytes that deflate can make of one."""


def shortened(values: "np.ndarray | Column", folder: Path) -> tuple[int, "np.ndarray | Column"]:
    """Find the bytes by which an array is stored.

    :param values: the array, of one dimension.
    :param folder: where temporary files are made.
    :return: how many planes are stored, and the bytes: the array itself where all planes are, not deflated.
    """
    size, count = values.dtype.itemsize, len(values)
    used = max((plane + 1 for plane in range(size) if any(part.any() for part in _plane(values, plane))), default=1)
    if not count:
        return size, values
    if used * count <= DEFLATED:
        packed, packer = Column(folder, "|u1"), zlib.compressobj(_LEVEL)
        for part in _planes(values, used):
            packed.append(packer.compress(part))
        packed.append(packer.flush())
        if len(packed) < used * count:
            return used, packed
        packed.close()
    if used == size:
        return used, values
    narrow = Column(folder, "|u1")
    for part in _planes(values, used):
        narrow.append(part)
    return used, narrow


def blocks(values: "np.ndarray | Column") -> Iterator[bytes | memoryview]:
    """Yield the bytes of an array, whole numbers at a time."""
    return iter([as_bytes(values)]) if isinstance(values, np.ndarray) else values.blocks()


def whole(stored: np.ndarray, dtype: np.dtype, count: int, used: int) -> np.ndarray:
    """Undo `shortened`.

    :param stored: the bytes, uint8; they may be anything.
    :param dtype: the array's type.
    :param count: how many numbers it has.
    :param used: how many planes are stored.
    :return: the array, read-only.
    :raises ValueError: the bytes are no such array.
    """
    size = used * count
    if not 1 <= used <= dtype.itemsize or len(stored) > size or size > _MOST * len(stored):
        raise ValueError("it has not such a size")
    if len(stored) < size:
        stored = np.frombuffer(_inflated(stored, size), dtype=np.uint8)
    elif used == dtype.itemsize:
        return stored.view(dtype)
    if used == dtype.itemsize == 1:
        return stored.view(dtype)
    out = np.zeros((count, dtype.itemsize), dtype=np.uint8)
    out[:, :used] = stored.reshape(used, count).T
    out.flags.writeable = False
    return out.view(dtype)[:, 0]


def _plane(values: "np.ndarray | Column", plane: int) -> Iterator[np.ndarray]:
    """Yield one byte of each number, some at a time."""
    for block in blocks(values):
        yield np.frombuffer(block, dtype=np.uint8)[plane :: values.dtype.itemsize]


def _planes(values: "np.ndarray | Column", used: int) -> Iterator[bytes]:
    for plane in range(used):
        for part in _plane(values, plane):
            yield part.tobytes()


def _inflated(packed: np.ndarray, size: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(as_bytes(packed), size + 1)
    except zlib.error:
        raise ValueError("it cannot be unpacked") from None
    if len(raw) != size or not unpacker.eof or unpacker.unused_data:
        raise ValueError("it has more or fewer bytes than are told")
    return raw
