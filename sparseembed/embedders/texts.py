"""Texts on their way into a store of embeddings."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Texts(NamedTuple):
    """Texts to encode.

    :param name: What they are, for messages: "scifact, documents".
    :param fingerprint: Fingerprint of ids and texts.
    :param ids: Their ids.
    :param texts: The texts, in the order of the ids; a list, or whatever gives the same texts each time it is iterated
        over. No more than one shard's are held at a time.
    """

    name: str
    fingerprint: str
    ids: Sequence[str]
    texts: Iterable[str]
