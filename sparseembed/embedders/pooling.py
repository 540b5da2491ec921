"""Token states to one vector."""

import re
from typing import TYPE_CHECKING

from sparseembed.errors import ConfigError

if TYPE_CHECKING:
    import torch

POOLINGS = ("last", "mean", "weighted-mean", "token:N")


def check_pooling(pooling: str) -> None:
    """Check the name of a pooling.

    :param pooling: `last`, `mean`, `weighted-mean`, or `token:N` with N counted from 0, or from the end when negative.
    :raises ConfigError: It is none of these.
    """
    if pooling not in POOLINGS[:3] and not re.fullmatch(r"token:-?\d+", pooling):
        raise ConfigError(f"pooling must be one of {', '.join(POOLINGS)}, not {pooling!r}")


def pool(
    states: "torch.Tensor", lengths: "torch.Tensor", pooling: str, starts: "torch.Tensor | None" = None
) -> "torch.Tensor":
    """Pool the states of right-padded texts in float32.

    `weighted-mean` weighs position i of n by i / (1 + 2 + ... + n), i from 1 (Muennighoff, SGPT, 2022, eq. 2).
    `token:N` takes the nearest real token where a text is shorter than N. All but `last` pool over the positions from
    the start on, and count from there.

    :param states: Hidden states, shape (batch, length, d).
    :param lengths: Number of real tokens of each text, shape (batch,), all at least 1.
    :param pooling: See `check_pooling`.
    :param starts: Position where each text's pooling starts, shape (batch,), less than its length; 0 when None.
    :return: Shape (batch, d), float32.
    :raises ConfigError: Unknown pooling.
    """
    import torch

    check_pooling(pooling)
    if pooling == "last" or pooling.startswith("token:"):
        wanted = -1 if pooling == "last" else int(pooling.partition(":")[2])
        first = torch.zeros_like(lengths) if starts is None else starts
        position = wanted + (lengths if wanted < 0 else first)
        position = torch.minimum(torch.maximum(position, first), lengths - 1)
        return states[torch.arange(states.shape[0], device=states.device), position].float()
    steps = torch.arange(states.shape[1], device=states.device)[None, :]
    weights = (steps < lengths[:, None]).float()
    if starts is not None:
        steps = steps - starts[:, None]
        weights = weights * (steps >= 0)
    if pooling == "weighted-mean":
        weights = weights * (steps + 1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return torch.einsum("bl,bld->bd", weights, states.float())
