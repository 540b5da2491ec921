"""Batches of texts of like length: little padding, bounded memory."""

from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], budget: int, largest: int = 256) -> list[list[int]]:
    """Cut texts into batches, longest first, of at most `budget` padded tokens each.

    The longest come first so that memory that will not suffice shows at once, and the time left is never too rosy.

    :param lengths: Tokens of each text.
    :param budget: Padded tokens of a batch (rows x longest row); one text alone may exceed it.
    :param largest: Texts of a batch at most.
    :return: Positions in `lengths`, each exactly once; equal lengths keep their order.

    >>> plan_batches([3, 9, 8, 2], budget=18)
    [[1, 2], [0, 3]]
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    batches: list[list[int]] = []
    for row in order:
        if batches and len(batches[-1]) < largest and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
