"""What is done to an embedding before it is decoded."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Vectors
from sparseembed.errors import ConfigError

ADJUSTMENTS = ("none", "pc1", "pc1:LAMBDA", "centred", "bulk", "bulk:KEEP")
SAMPLE = 20_000  # vectors that an adjustment is fitted on, at most
BULK_KEEP = 0.9  # share of the decoding matrix's right-singular vectors that `bulk` keeps
_ROWS = 8192  # rows of the decoding matrix multiplied at once


@dataclass(frozen=True)
class Adjustment:
    """A fitted adjustment h -> h'.

    :param kind: `none`, `pc1` (the component along the first principal direction removed), `pc1:LAMBDA` (shifted by
        LAMBDA times the embeddings' mean coordinate on it, the paper's adjustment), `centred` (the mean subtracted),
        or `bulk:KEEP` (projected onto the middle share KEEP of the decoding matrix's right-singular vectors; `bulk` is
        `bulk:0.9`).
    :param vector: The direction or the mean, shape (d,); for `bulk` the r directions that are dropped, one after the
        other, shape (r * d,); empty for `none`.
    :param shift: For `pc1:LAMBDA`, LAMBDA times the mean coordinate; else 0.
    :param inputs: What is done before it, the transform of an MLM head: it was fitted on what that makes; or None.
    """

    kind: str
    vector: Vectors
    shift: float = 0.0
    inputs: Callable[[Vectors], Vectors] | None = None

    def after(self, inputs: Callable[[Vectors], Vectors]) -> "Adjustment":
        """Return the adjustment of embeddings that go through `inputs` first (see `Head.inputs`)."""
        return replace(self, inputs=inputs)

    def apply(self, vectors: Vectors) -> Vectors:
        """Adjust embeddings.

        :param vectors: Shape (n, d). A row of zeros, a blank text, stays as it is.
        :return: Shape (n, d), or as wide as `inputs` makes them; float32.
        """
        if self.inputs is not None:
            vectors = self.inputs(vectors)
        if self.kind == "none":
            return vectors
        if self.kind == "centred":
            adjusted = vectors - self.vector
        elif self.kind == "pc1":
            adjusted = vectors - (vectors @ self.vector)[:, None] * self.vector
        elif self.kind.startswith("bulk"):
            dropped = self.vector.reshape(-1, vectors.shape[1])
            adjusted = vectors - (vectors @ dropped.T) @ dropped
        else:
            adjusted = vectors - np.float32(self.shift) * self.vector
        result: Vectors = np.where(np.any(vectors, axis=1, keepdims=True), adjusted, vectors).astype(np.float32)
        return result


def check_adjustment(kind: str) -> None:
    """Check the name of an adjustment.

    :raises ConfigError: It is none of `ADJUSTMENTS`.
    """
    if kind not in ("none", "pc1", "centred", "bulk") and not re.fullmatch(r"pc1:-?\d+(\.\d+)?|bulk:0?\.\d+", kind):
        raise ConfigError(
            f"adjustment must be one of {', '.join(ADJUSTMENTS)} (such as pc1:0.8 or bulk:0.9), not {kind!r}"
        )


def fit_adjustment(kind: str, vectors: Vectors, matrix: Vectors | None = None) -> Adjustment:
    """Fit an adjustment on a collection's own embeddings.

    PC1 is the first right-singular vector of the *uncentred* embeddings, with the sign that makes their mean coordinate
    positive; the paper finds the change between embedder and backbone concentrated there (section 4).

    :param kind: See `Adjustment`.
    :param vectors: What the head makes of them (`Head.inputs`), shape (n, d); rows of zeros are left out, and of more
        than 20,000 rows an even sample is taken.
    :param matrix: The decoding matrix, shape (V, d); needed by `bulk` alone, which looks at no embedding.
    :return: The fitted adjustment; `none` where there is not a single usable row.
    :raises ConfigError: Unknown kind, or `bulk` without a matrix.
    """
    check_adjustment(kind)
    if kind.startswith("bulk"):
        if matrix is None:
            raise ConfigError(
                "the adjustment bulk needs the decoding matrix, which is not at hand here: choose another"
            )
        return _fit_bulk(kind, matrix)
    used = vectors[vectors.any(axis=1)]
    used = used[:: max(1, -(-len(used) // SAMPLE))].astype(np.float64)
    if kind == "none" or not len(used):
        return Adjustment("none", np.zeros(0, dtype=np.float32))
    mean = used.mean(axis=0)
    if kind == "centred":
        return Adjustment(kind, mean.astype(np.float32))
    # The leading eigenvector of the d x d second-moment matrix: the same as the SVD's, without its n x n side.
    direction = np.linalg.eigh(used.T @ used)[1][:, -1]
    coordinate = float(mean @ direction)
    if coordinate < 0:
        direction, coordinate = -direction, -coordinate
    scale = float(kind.partition(":")[2] or 0.0)
    return Adjustment(kind, direction.astype(np.float32), scale * coordinate)


def right_singular(matrix: Vectors) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the singular values and right-singular vectors of a tall matrix, by its d x d second moment.

    :param matrix: Shape (V, d).
    :return: Values, shape (d,), largest first; vectors as rows, shape (d, d), in the same order.
    """
    moment = np.zeros((matrix.shape[1], matrix.shape[1]))
    for start in range(0, len(matrix), _ROWS):
        block = matrix[start : start + _ROWS].astype(np.float64)
        moment += block.T @ block
    values, directions = np.linalg.eigh(moment)
    return np.sqrt(np.maximum(values[::-1], 0.0)), directions[:, ::-1].T


def _fit_bulk(kind: str, matrix: Vectors) -> Adjustment:
    """Fit `bulk`: half of what is dropped comes from either end of the spectrum, at least one direction from each."""
    keep = float(kind.partition(":")[2] or BULK_KEEP)
    directions = right_singular(matrix)[1]
    count = min(max(1, round((1 - keep) / 2 * len(directions))), (len(directions) - 1) // 2)
    dropped = np.concatenate([directions[:count], directions[len(directions) - count :]])
    return Adjustment(kind, dropped.astype(np.float32).ravel())
