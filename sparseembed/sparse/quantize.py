"""Weights to impacts: positive integers with one scale for the whole collection."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Quantizer:
    """weight -> round(weight x scale), at most `levels`.

    :param scale: Impacts per unit of weight.
    :param levels: The largest impact, 2^bits - 1.
    """

    scale: float
    levels: int

    def apply(
        self, weights: npt.NDArray[np.float32], keep: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.int32]:
        """Quantise weights.

        A weight under half a step becomes 0, which means "no posting", unless it is to be kept: then it becomes 1.

        :param weights: Weights >= 0, any shape.
        :param keep: Which positive weights may not vanish (those of literal terms), same shape; None for none.
        :return: Impacts in 0..levels, int32, same shape.
        """
        impacts = np.clip(np.rint(weights.astype(np.float64) * self.scale), 0, self.levels).astype(np.int32)
        if keep is not None:
            impacts[(impacts == 0) & keep & (weights > 0)] = 1
        return impacts


def fit_quantizer(largest: float, bits: int) -> Quantizer:
    """Choose the scale that makes the largest weight of a collection the largest impact.

    :param largest: The collection's largest weight.
    :param bits: Bits of an impact.
    :return: The quantiser; scale 1 for a collection without weights.
    """
    levels = 2**bits - 1
    return Quantizer(levels / largest if largest > 0 else 1.0, levels)
