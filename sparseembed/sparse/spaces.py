"""Term spaces fitted to a collection: which terms are known, and in how many documents each stands."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from sparseembed.analyzers.registry import DEFAULT, open_analyzer
from sparseembed.arrays import Ints
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.pieces import piece_space
from sparseembed.sparse.terms import JoinedSpace, PieceTermSpace, TermSpace, WordSpace
from sparseembed.sparse.vocabulary import WordCounter

Batches = Iterable[Sequence[str]]


class FittedSpace(NamedTuple):
    """A term space of a collection.

    :param space: Its known terms.
    :param collection: Sums over the collection's literal terms.
    :param rare: Literal terms that stand in too few documents to be known.
    :param known_share: Share of the collection's literal words, repetitions included, that are known.
    :param least: Documents that a known word stands in at least.
    """

    space: TermSpace
    collection: CollectionStatistics
    rare: int = 0
    known_share: float = 1.0
    least: int = 1


class Backbone(NamedTuple):
    """What pieces come from.

    :param tokenizer: A `tokenizers.Tokenizer`.
    :param rows: Rows of the decoding matrix.
    """

    tokenizer: Any
    rows: int


def fit_words(batches: Batches, least: int | None, analyzer: str = DEFAULT) -> FittedSpace:
    """Fit the `word` space: the words that stand in at least `least` documents.

    :param batches: The collection's texts, some at a time; read once.
    :param least: Documents that a known term stands in at least; None for what `WordCounter.finish` makes of it.
    :param analyzer: Name of the analyzer.
    """
    with WordCounter(open_analyzer(analyzer)) as counter:
        for texts in batches:
            counter.add(texts)
        return fit_counted(counter, least, analyzer)


def fit_counted(counter: WordCounter, least: int | None, analyzer: str = DEFAULT) -> FittedSpace:
    """Fit the `word` space to words that were counted, perhaps in parts; the parameters are those of `fit_words`."""
    counted = counter.finish(least)
    space = WordSpace.of(counted.vocabulary, open_analyzer(analyzer))
    share = 1 - counted.rare_length / max(1, counted.collection.length)
    return FittedSpace(space, counted.collection, counted.rare, share, counted.least)


def fit_pieces(kind: str, batches: Batches, backbone: Backbone) -> FittedSpace:
    """Fit the `token` or `folded` space: all pieces that are terms, whether the collection has them or not.

    :param kind: `token` or `folded`.
    :param batches: As in `fit_words`.
    :param backbone: What the pieces come from.
    """
    space = PieceTermSpace.of(kind, piece_space(kind, *backbone), backbone.tokenizer)
    total = CollectionStatistics(0, 0, np.zeros(len(space.terms), dtype=np.int64))
    for texts in batches:
        total = total + CollectionStatistics.of(space.count(texts).counts)
    return FittedSpace(space, total)


def fit_both(batches: Batches, least: int | None, backbone: Backbone, analyzer: str = DEFAULT) -> FittedSpace:
    """Fit the `word+folded` space; lengths and impacts are those of the words alone."""
    space = PieceTermSpace.of("folded", piece_space("folded", *backbone), backbone.tokenizer)
    found: Ints = np.zeros(len(space.terms), dtype=np.int64)

    def with_pieces() -> Batches:
        nonlocal found
        for texts in batches:
            found = found + space.count(texts).counts.frequency
            yield texts

    words = fit_words(with_pieces(), least, analyzer)
    assert isinstance(words.space, WordSpace)
    collection = CollectionStatistics(
        words.collection.documents, words.collection.length, np.concatenate([words.collection.frequency, found])
    )
    return FittedSpace(JoinedSpace.of(words.space, space), collection, *words[2:])


class Fit(Protocol):
    """Fits a term space to a collection."""

    def __call__(self, batches: Batches, least: int | None, backbone: Backbone, analyzer: str = DEFAULT) -> FittedSpace:
        """Read the texts once."""


SPACES: dict[str, Fit] = {
    "word": lambda batches, least, backbone, analyzer=DEFAULT: fit_words(batches, least, analyzer),
    "folded": lambda batches, least, backbone, analyzer=DEFAULT: fit_pieces("folded", batches, backbone),
    "token": lambda batches, least, backbone, analyzer=DEFAULT: fit_pieces("token", batches, backbone),
    "word+folded": fit_both,
}
