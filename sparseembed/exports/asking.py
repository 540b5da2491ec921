"""What engines that hold an export have in common when they are asked: our order of hits, and no filters."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

Scored = list[tuple[str, float]]
"""Ids and scores, best first."""


def settled(fetch: Callable[[int], Scored], k: int, most: int | None = None) -> list[Hit]:
    """Return the k best hits, equal scores by ascending id, from an engine that orders by score alone.

    Which of the documents with the k-th score belong to the k best is known once all of them are: more hits are asked
    for until a lower score comes.

    :param fetch: Gives as many hits as it is asked for, or all there are.
    :param k: Hits wanted.
    :param most: Hits that the engine gives at most; of more documents with the k-th score some of these are taken.
    :return: The hits, with a score above 0.
    """
    asked = k + 1
    while True:
        asked = asked if most is None else min(asked, most)
        found = fetch(asked)
        if len(found) < asked or asked == most or found[-1][1] < found[k - 1][1]:
            break
        asked *= 4
    ordered = sorted((each for each in found if each[1] > 0), key=lambda each: (-each[1], each[0]))
    return [Hit(doc_id, float(score), rank) for rank, (doc_id, score) in enumerate(ordered[:k], start=1)]


def refuse(selection: "Selection | None") -> None:
    """Raise a ConfigError where documents are to be left out, which exports do by their engine's own means."""
    if selection is not None:
        raise ConfigError("an export is filtered by its engine's own means: give its client a filter on `metadata`")
