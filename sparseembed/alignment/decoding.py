"""Decoding: the K terms that an embedding scores highest, block by block, never (N, V) at once."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
BLOCK_BYTES = 64 << 20  # of scores held at once


class Aligned(NamedTuple):
    """Aligned terms of n texts, best first."""

    terms: npt.NDArray[np.int32]  # (n, k), numbers of terms
    scores: Vectors  # (n, k)


@dataclass(frozen=True)
class DecodingRows:
    """Rows of the decoding matrix, grouped by the term they stand for; a term scores what its best row scores.

    :param matrix: Shape (R, d): the rows of one term stand together.
    :param starts: Shape (T,): where each term's rows begin; strictly increasing from 0.
    :param parts: How many terms each part of them has whose best are told apart, T in sum; empty for one part.
    """

    matrix: Vectors
    starts: npt.NDArray[np.int64]
    parts: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.starts)


def join_rows(*parts: DecodingRows) -> DecodingRows:
    """Put the rows of several sets of terms one after the other; each set is a part of its own.

    :param parts: The rows, of one width.
    """
    before = np.cumsum([0, *(len(part.matrix) for part in parts)])
    starts = [part.starts + first for part, first in zip(parts, before, strict=False)]
    return DecodingRows(np.concatenate([part.matrix for part in parts]), np.concatenate(starts), tuple(map(len, parts)))


class Decoder:
    """Embeddings -> aligned terms."""

    def __init__(self, rows: DecodingRows, device: str = "cpu") -> None:
        """Put the rows where they are used.

        :param rows: The rows; copied to the device only.
        :param device: A torch device.
        """
        import torch

        self._starts = rows.starts
        self.parts = rows.parts or (len(rows),)
        self._grouped = len(rows) != len(rows.matrix)
        self._matrix: Any = torch.from_numpy(np.ascontiguousarray(rows.matrix)).to(device)
        self._device = device
        self.dimension = rows.matrix.shape[1]

    def __len__(self) -> int:
        return len(self._starts)

    def top(self, vectors: Vectors, k: int) -> Aligned:
        """Return the k terms with the highest scores E_g · h, each term by its best row.

        :param vectors: Adjusted embeddings, shape (n, d).
        :param k: Terms a text; fewer where there are fewer terms.
        :return: Shape (n, min(k, T)), best first.
        """
        return self._best(vectors, k, (len(self),))[0]

    def top_of_parts(self, vectors: Vectors, k: int) -> list[Aligned]:
        """Return the k terms with the highest scores of each part of the rows.

        :param vectors: Adjusted embeddings, shape (n, d).
        :param k: Terms of each part; fewer where it has fewer.
        :return: For each part of T_p terms, shape (n, min(k, T_p)), best first.
        """
        return self._best(vectors, k, self.parts)

    def _best(self, vectors: Vectors, k: int, parts: tuple[int, ...]) -> list[Aligned]:
        import torch

        rows = max(1, BLOCK_BYTES // (4 * max(1, len(self._matrix))))
        shapes = [(len(vectors), min(k, size)) for size in parts]
        found = [Aligned(np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.float32)) for shape in shapes]
        for start in range(0, len(vectors), rows):
            scored, first = self._score(vectors[start : start + rows]), 0
            for part, size in zip(found, parts, strict=True):
                best = torch.topk(scored[:, first : first + size], part.terms.shape[1], dim=1)
                part.terms[start : start + rows] = best.indices.cpu().numpy() + first
                part.scores[start : start + rows] = best.values.cpu().numpy()
                first += size
        return found

    def scores(self, vectors: Vectors) -> Vectors:
        """Return the scores of all terms, for few texts.

        :param vectors: Shape (n, d).
        :return: Shape (n, T).
        """
        result: Vectors = self._score(vectors).cpu().numpy()
        return result

    def _score(self, vectors: Vectors) -> Any:
        import torch

        with torch.inference_mode():
            block = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32)).to(self._device)
            scored = block @ self._matrix.T
            if not self._grouped:
                return scored
            grouped = np.maximum.reduceat(scored.cpu().numpy(), self._starts, axis=1)
            return torch.from_numpy(grouped).to(self._device)
