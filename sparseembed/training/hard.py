"""BM25's own mistakes as negatives: there an index has something to add, or to be taught."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.progress import track
from sparseembed.pseudo.folding import WordTable
from sparseembed.pseudo.pairs import Pair, Source
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.counts import TermCounts
from sparseembed.training.collisions import collide, mark_pairs

HARDEST = 8  # of BM25's best wrong answers, one is drawn: the very best is at times a right one that nobody marked
LOOKED_AT = 64  # of BM25's best answers, right and wrong
BLOCK = 256  # queries scored at once

Floats = npt.NDArray[np.float32]


def with_hard_negatives(sources: Sequence[Source], seed: int) -> list[Source]:
    """Give each pair without a negative one that BM25 takes for an answer.

    A negative is the positive of another pair of the source: one of the eight that BM25 ranks first, by chance. Pairs
    that `collide` give each other none, so that no near-duplicate of an answer, and no text that holds the query,
    becomes a negative.

    :param sources: The sources.
    :param seed: Seed of the draws, 0 or more.
    :return: The sources; a pair stays without a negative where BM25 finds none.
    """
    every = []
    with track("seeking hard negatives", sum(len(source.pairs) for source in sources), "pairs") as bar:
        for number, source in enumerate(sources):
            drawn = _drawn(source.pairs, (seed, 4, number), bar.update)
            every.append(Source(source.name, tuple(drawn)))
    return every


def _drawn(pairs: Sequence[Pair], seed: tuple[int, ...], told: Callable[[int], None]) -> Iterator[Pair]:
    marks, rng = mark_pairs(pairs), np.random.default_rng(seed)
    for number, best in enumerate(_best(pairs)):
        wrong = [other for other in best if not collide(marks[number], marks[other])][:HARDEST]
        # Drawn in any case, so that one pair's negative does not change the draws of all others.
        place = int(rng.integers(max(1, len(wrong))))
        pair = pairs[number]
        yield pair._replace(negative=pairs[wrong[place]].positive) if wrong and pair.negative is None else pair
        told(1)


def _best(pairs: Sequence[Pair]) -> Iterator[list[int]]:
    """Yield, for each pair's query, the pairs whose positives BM25 ranks first; none without a word of the query."""
    positives, queries = _counts([pair.positive for pair in pairs], [pair.query for pair in pairs])
    documents = CollectionStatistics.of(positives).impacts(positives).T.tocsr()
    for start in range(0, len(pairs), BLOCK):
        scores: Floats = (queries[start : start + BLOCK] @ documents).toarray()
        for row in scores:
            count = min(LOOKED_AT, len(row))
            highest = np.argpartition(-row, count - 1)[:count]
            kept = highest[row[highest] > 0]
            yield kept[np.lexsort((kept, -row[kept]))].tolist()


def _counts(positives: Sequence[str], queries: Sequence[str]) -> tuple[TermCounts, Any]:
    """Return the counts of the positives' words, and which words stand in the queries: scipy CSR, shape (n, words)."""
    table = WordTable.of([*positives, *queries])
    rows = np.repeat(np.arange(len(table)), np.diff(table.starts))
    count, words = len(positives), len(table.vocabulary)
    own = rows < count
    asked = TermCounts(rows[~own] - count, table.ids[~own].astype(np.int64), (len(queries), words)).matrix
    asked.data = np.ones(len(asked.data), dtype=np.float32)
    return TermCounts(rows[own], table.ids[own].astype(np.int64), (count, words)), asked
