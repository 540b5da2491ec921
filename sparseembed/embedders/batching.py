"""Batches of texts of like length: little padding, bounded memory."""

from collections.abc import Callable, Sequence


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


def run_batches(lengths: Sequence[int], budget: int, run: Callable[[list[int]], None]) -> None:
    """Run a function on batches; where memory does not suffice, go on with smaller ones.

    :param lengths: Tokens of each text.
    :param budget: As in `plan_batches`; halved as often as need be.
    :param run: Called with positions in `lengths`, until each was in a call that returned.
    :raises RuntimeError: What `run` raised, where it is not for want of memory or the batch is a single text.
    """
    left = list(range(len(lengths)))
    while left:
        batches = plan_batches([lengths[row] for row in left], budget)
        done: set[int] = set()
        for batch in batches:
            rows = [left[position] for position in batch]
            if not _fits(run, rows):
                # Where few short rows stand in a large budget, it is the batch's own size that must shrink.
                budget = min(budget, len(rows) * lengths[rows[0]]) // 2
                break
            done.update(rows)
        left = [row for row in left if row not in done]


def _fits(run: Callable[[list[int]], None], rows: list[int]) -> bool:
    try:
        run(rows)
    except RuntimeError as error:
        if len(rows) == 1 or not is_out_of_memory(error):
            raise
        return False
    return True


def is_out_of_memory(error: RuntimeError) -> bool:
    """Say whether torch's error means that memory did not suffice, of a GPU or of the machine."""
    text = str(error).lower()
    return any(sign in text for sign in ("out of memory", "not enough memory", "can't allocate memory"))
