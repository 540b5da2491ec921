"""Blocks of weights kept on disk between the two passes of a build: the scale is known only after the first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Block(NamedTuple):
    """Weights of consecutive rows, in CSR form.

    :param indptr: Shape (n + 1,).
    :param terms: Numbers of terms, ascending within a row, shape (nnz,).
    :param weights: Shape (nnz,), all > 0.
    :param literal: Which of them stand in the text itself, shape (nnz,).
    """

    indptr: npt.NDArray[np.int64]
    terms: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    literal: npt.NDArray[np.bool_]


class Spill:
    """A sequence of blocks on disk."""

    def __init__(self, folder: Path) -> None:
        """Make the folder that holds them.

        :param folder: A folder that does not exist yet.
        """
        folder.mkdir()
        self._folder = folder
        self._count = 0
        self.largest = 0.0

    def add(self, block: Block) -> None:
        """Append a block."""
        for name, values in block._asdict().items():
            np.save(self._folder / f"{self._count:06d}.{name}.npy", values)
        self._count += 1
        if len(block.weights):
            self.largest = max(self.largest, float(block.weights.max()))

    def __iter__(self) -> Iterator[Block]:
        for number in range(self._count):
            parts: dict[str, Any] = {name: np.load(self._folder / f"{number:06d}.{name}.npy") for name in Block._fields}
            yield Block(**parts)
