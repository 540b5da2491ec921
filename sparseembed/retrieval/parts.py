"""A score in its two parts: what the words of a document earn by BM25, and what its embedding adds.

An index holds one impact a term, the sum of both. The part of the words follows from the text and the index's own
statistics; the rest is the embedding's. So one index gives three rankings: by words alone, which is BM25; by aligned
tokens alone, which is the paper's; and by both, which is its own.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Ints
from sparseembed.engines.base import Engine, ImpactQuery, check_count

if TYPE_CHECKING:
    from sparseembed.index.statistics import Statistics

CANDIDATES = 1_000
"""Documents whose texts are read for a comparison, at most."""

CHARACTERS = 4_000_000
"""Characters of texts that are read for a comparison, at most, but for the last block."""

_FIRST = 100


class Compared(NamedTuple):
    """A document's score, and the parts that it is the sum of.

    :param literal: What its words earn: BM25.
    :param aligned: What its embedding adds: aligned tokens.
    """

    id: str
    literal: int
    aligned: int

    @property
    def score(self) -> int:
        """The score by both."""
        return self.literal + self.aligned


class Comparison(NamedTuple):
    """One query, ranked in three ways, each best first.

    :param both: By the index's own score.
    :param literal: By words alone.
    :param aligned: By aligned tokens alone.
    :param read: Documents that were looked at.
    :param exact: Whether no other document can stand among these.
    """

    both: list[Compared]
    literal: list[Compared]
    aligned: list[Compared]
    read: int
    exact: bool


def literal_impacts(statistics: "Statistics", texts: Sequence[str], terms: Sequence[str]) -> Ints:
    """Return what the words of documents alone would have as impacts.

    :param statistics: The index's.
    :param texts: The documents' texts, n of them.
    :param terms: Terms as they stand in the index, t of them.
    :return: int64 (n, t); all 0 in an index without literal weights.
    """
    if not (statistics.config.literal and texts and terms):
        return np.zeros((len(texts), len(terms)), dtype=np.int64)
    found, new = statistics.space.occurrences(texts)
    first = len(statistics.space.terms)
    unknown = {term: first + number for number, term in enumerate(new)}
    columns = [statistics.space.number.get(term, unknown.get(term, -1)) for term in terms]
    distinct, column = np.unique(np.asarray(columns, dtype=np.int64), return_inverse=True)
    place = np.full(found.shape[1] + 1, -1, dtype=np.int64)  # the last one is that of -1, which stands nowhere
    place[distinct] = np.arange(len(distinct))
    asked = place[found.terms] >= 0
    weights = np.zeros((len(texts), len(distinct)), dtype=np.float32)
    weights[found.rows[asked], place[found.terms[asked]]] = statistics.collection.impacts_of(found)[asked]
    impacts: Ints = statistics.quantizer.apply(weights, weights > 0)[:, column].astype(np.int64)
    return impacts


def compare(
    engine: Engine,
    query: ImpactQuery,
    k: int,
    text_of: Callable[[str], str],
    literal: Callable[[Sequence[str], Sequence[str]], Ints],
) -> Comparison:
    """Rank one query by words, by aligned tokens and by both.

    The best by both are read until no other document can be among the k best of a part: a part is at most the sum, and
    the sum of a document that was not read is at most that of the last one that was.

    :param engine: Finds documents by both.
    :param query: Term -> weight, literal terms alone.
    :param k: Documents wanted of each.
    :param text_of: Gives a document's text.
    :param literal: `literal_impacts` of texts and terms.
    :raises ConfigError: k < 1.
    """
    check_count("k", k)
    weights = np.asarray(list(query.values()), dtype=np.int64)
    found: list[Compared] = []
    wanted, characters = max(_FIRST, k), 0
    while True:
        hits = engine.search(query, wanted)
        fresh = hits[len(found) :]
        texts = [text_of(hit.id) for hit in fresh]
        characters += sum(map(len, texts))
        parts = literal(texts, list(query)) @ weights
        found += [
            Compared(hit.id, int(part), int(hit.score) - int(part)) for hit, part in zip(fresh, parts, strict=True)
        ]
        columns = np.array([(each.literal, each.aligned) for each in found], dtype=np.int64).reshape(-1, 2)
        exact = len(hits) < wanted or _settled(columns, k, int(hits[-1].score))
        if exact or wanted >= CANDIDATES or characters >= CHARACTERS:
            break
        wanted = min(4 * wanted, CANDIDATES)
    return Comparison(
        found[:k],
        _best(found, [each.literal for each in found], k),
        _best(found, [each.aligned for each in found], k),
        len(found),
        exact,
    )


def _settled(columns: npt.NDArray[np.int64], k: int, last: int) -> bool:
    """Tell whether the k-th best of each part is above all that was not read."""
    return len(columns) >= k and bool((np.sort(columns, axis=0)[-k] > last).all())


def _best(found: Sequence[Compared], values: Sequence[int], k: int) -> list[Compared]:
    """Return the k best by some values above 0; equal ones by id, as engines have it."""
    some = [number for number, value in enumerate(values) if value > 0]
    return [
        found[number] for number in sorted(some, key=lambda number: (-values[number], found[number].id.encode()))[:k]
    ]
