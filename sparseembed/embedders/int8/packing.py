"""Texts one after the other, without padding: which tokens each token sees."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from sparseembed.arrays import Ints
from sparseembed.embedders.branches import Branched
from sparseembed.embedders.prompts import Prompted


class Stretch(NamedTuple):
    """Tokens that follow each other in a text.

    :param own: Where they are among all.
    :param before: Where the text's tokens before them are, all of which they see; empty where there are none.
    """

    own: slice
    before: slice


class Packed(NamedTuple):
    """Prompted texts, m in all, of which some may share their beginning.

    :param ids: Token ids, t of them.
    :param places: Place of each in its text, shape (t,).
    :param stretches: Those that see each other, in order.
    :param ends: The last token of each prompted text, shape (m,).
    :param members: The tokens of each.
    """

    ids: list[int]
    places: Ints
    stretches: list[Stretch]
    ends: Ints
    members: list[Ints]


def packed(items: Sequence[Prompted]) -> Packed:
    """Put prompted texts one after the other.

    :param items: The texts, none empty.
    """
    return _packed(([], [item.ids]) for item in items)


def packed_branches(texts: Sequence[Branched]) -> Packed:
    """Put texts under several prompts one after the other: what the prompted texts have in common stands there once.

    :param texts: The texts; the P prompted texts of each follow each other in the result.
    """
    return _packed((text.trunk, text.branches) for text in texts)


def _packed(texts: Iterable[tuple[list[int], list[list[int]]]]) -> Packed:
    ids: list[int] = []
    places, stretches, members = [], [], []
    for trunk, branches in texts:
        shared = slice(len(ids), len(ids) + len(trunk))
        if trunk:
            ids += trunk
            places.append(np.arange(len(trunk)))
            stretches.append(Stretch(shared, slice(0, 0)))
        for branch in branches:
            own = slice(len(ids), len(ids) + len(branch))
            ids += branch
            places.append(np.arange(len(trunk), len(trunk) + len(branch)))
            stretches.append(Stretch(own, shared if trunk else slice(0, 0)))
            members.append(np.concatenate([np.arange(shared.start, shared.stop), np.arange(own.start, own.stop)]))
    ends = np.asarray([member[-1] for member in members], dtype=np.int64)
    return Packed(ids, np.concatenate(places), stretches, ends, members)
