"""One tensor of a safetensors file, read alone and in blocks.

The library's own reader maps the file into memory, so that a tensor stored in 16 bits takes half as much again as its
float32 copy. The format: 8 bytes, the header's length; the header, JSON; the tensors' bytes, little-endian.
"""

import json
import math
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.errors import EmbedderError

BLOCK = 1 << 20  # numbers converted at once
_LONGEST_HEADER = 100_000_000  # the format's own limit
_STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class Entry(NamedTuple):
    """Where a tensor stands in its file."""

    dtype: str
    shape: tuple[int, ...]
    place: int  # first byte, from the file's beginning
    size: int  # bytes


def read_header(file: Path) -> dict[str, Entry]:
    """Read the names and places of a file's tensors.

    :param file: A safetensors file.
    :return: Name -> entry, in the header's order.
    :raises EmbedderError: The file is damaged.
    """
    try:
        with file.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            size = file.stat().st_size
            if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
                raise ValueError("its header is incomplete")
            header = json.loads(handle.read(length))
        return {name: _entry(about, 8 + length, size) for name, about in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        reason = " ".join(str(error).split())[:160]
        raise EmbedderError(f"{file} is damaged ({reason}): fetch the model again") from None


def _entry(about: dict[str, Any], base: int, size: int) -> Entry:
    first, last = (int(offset) for offset in about["data_offsets"])
    if not 0 <= first <= last <= size - base:
        raise ValueError("tensors are missing at its end")
    if not isinstance(about["dtype"], str) or any(type(size) is not int or size < 0 for size in about["shape"]):
        raise ValueError("its header is odd")
    return Entry(about["dtype"], tuple(int(length) for length in about["shape"]), base + first, last - first)


class TensorRows:
    """Rows of a matrix in a safetensors file, each read where it is asked for."""

    def __init__(self, file: Path, name: str) -> None:
        """Find the matrix.

        :param file: A safetensors file.
        :param name: One of its tensors, of two dimensions.
        :raises EmbedderError: The file is damaged, or the tensor is of a type that is no floating-point number's.
        """
        entry = read_header(file)[name]
        self._file, self._name, self._place, self._stored = file, name, entry.place, _stored(file, name, entry)
        if len(entry.shape) != 2:
            raise EmbedderError(f"{name} in {file} is no matrix (its shape is {entry.shape}): fetch the model again")
        self.shape: tuple[int, int] = (entry.shape[0], entry.shape[1])

    def take(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Read rows.

        :param numbers: Their numbers, each in range, shape (n,).
        :return: Shape (n, d).
        :raises EmbedderError: The file ends early or cannot be opened, or a row holds NaN or infinity.
        """
        width = self.shape[1]
        rows = np.empty((len(numbers), width), dtype=np.float32)
        try:
            with self._file.open("rb", buffering=0) as handle:
                for row, number in enumerate(numbers.tolist()):
                    handle.seek(self._place + number * width * self._stored.itemsize)
                    _read_block(handle, rows[row], self._stored, self._file)
        except OSError as error:
            raise EmbedderError(f"{self._file} cannot be read ({error.strerror}): fetch the model again") from None
        if not np.isfinite(rows).all():
            raise EmbedderError(f"{self._name} in {self._file} holds NaN or infinity: fetch the model again")
        return rows


def read_tensor(file: Path, name: str) -> npt.NDArray[np.float32]:
    """Read one tensor as float32, touching no other of the file.

    :param file: A safetensors file.
    :param name: One of its tensors.
    :return: The tensor in its own shape.
    :raises EmbedderError: The file is damaged, or the tensor is of a type that is no floating-point number's.
    """
    entry = read_header(file)[name]
    stored = _stored(file, name, entry)
    count = math.prod(entry.shape)
    flat = np.empty(count, dtype=np.float32)
    with file.open("rb") as handle:
        handle.seek(entry.place)
        for first in range(0, count, BLOCK):
            _read_block(handle, flat[first : first + BLOCK], stored, file)
    return flat.reshape(entry.shape)


def _stored(file: Path, name: str, entry: Entry) -> "np.dtype[Any]":
    """Return the type of a tensor's numbers, bfloat16 as whole numbers of 16 bits."""
    if entry.dtype not in _STORED:
        raise EmbedderError(
            f"{name} in {file} is stored as {entry.dtype}, not as {', '.join(_STORED)}: "
            "give a checkpoint that is not quantised"
        )
    stored = np.dtype(_STORED[entry.dtype])
    if math.prod(entry.shape) * stored.itemsize != entry.size:
        raise EmbedderError(f"{file} is damaged ({name} is not of its size): fetch the model again")
    return stored


def _read_block(handle: IO[bytes], into: npt.NDArray[np.float32], stored: "np.dtype[Any]", file: Path) -> None:
    block = np.frombuffer(handle.read(len(into) * stored.itemsize), dtype=stored)
    if len(block) < len(into):
        raise EmbedderError(f"{file} is damaged (it ends early): fetch the model again")
    if stored.kind == "u":  # bfloat16 is the upper half of a float32
        into.view(np.uint32)[:] = block
        into.view(np.uint32)[:] <<= np.uint32(16)
    else:
        into[:] = block
