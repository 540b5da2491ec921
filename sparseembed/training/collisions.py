"""Which pairs may not stand in one batch, because a positive of one would be a false negative of the other."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sparseembed.pseudo.duplicates import contained, equal_texts, near_groups
from sparseembed.pseudo.folding import WordTable
from sparseembed.pseudo.pairs import Pair


class Marks(NamedTuple):
    """What a pair is compared by: numbers of groups of equal or nearly equal texts.

    :param own: The groups of its query and its positive.
    :param held: Those, the group of its negative, and the groups of the texts (five words or more) that stand within
        any of the three.
    """

    own: frozenset[int]
    held: frozenset[int]


def collide(one: Marks, other: Marks) -> bool:
    """Tell whether two pairs may not share a batch.

    :param one: A pair's marks.
    :param other: Another pair's, of the same `mark_pairs`.
    :return: Whether a query or positive of one is nearly the same as a text of the other, or stands within one.
    """
    return not (one.own.isdisjoint(other.held) and one.held.isdisjoint(other.own))


def mark_pairs(pairs: Sequence[Pair]) -> list[Marks]:
    """Compare all texts of some pairs with each other.

    :param pairs: The pairs, of one source.
    :return: The marks of each.
    """
    texts = [text for pair in pairs for text in (pair.query, pair.positive, pair.negative or "")]
    table = WordTable.of(texts)
    group = near_groups(table).tolist()
    within: dict[int, set[int]] = defaultdict(set)  # the group of a holder is not enough: near texts hold other texts
    for text, holder in contained(table):
        within[holder].add(group[text])
    first = equal_texts(table).tolist()
    marks = []
    for number, pair in enumerate(pairs):
        own = frozenset((group[3 * number], group[3 * number + 1]))
        held = set(own)
        for text in range(3 * number, 3 * number + (2 if pair.negative is None else 3)):
            held |= {group[text]} | within.get(first[text], set())
        marks.append(Marks(own, own if held == own else frozenset(held)))
    return marks
