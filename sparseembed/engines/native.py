"""The native engine: exact search in mapped segments, without Java."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparseembed.engines import native_numpy
from sparseembed.engines.base import Engine, Hit, ranked
from sparseembed.engines.native_loading import BATCH, Kind, has, load, load_soon
from sparseembed.engines.native_scratch import ScratchPool
from sparseembed.errors import ConfigError
from sparseembed.index.segment.format import SEEDS
from sparseembed.index.segment.reader import SegmentReader

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

_INT32 = 2**31 - 1
_ALIVE = np.empty(0, dtype=bool)


class _Found(NamedTuple):
    """The best documents of one segment, in order: int64 scores and numbers; and whether kernels found them."""

    reader: SegmentReader
    scores: np.ndarray
    numbers: np.ndarray
    compiled: bool

    def ids(self, count: int) -> list[str]:
        """Name the first documents."""
        return self.reader.ids(self.numbers[:count], self.compiled)

    def hits(self) -> list[Hit]:
        """Give all documents with their scores."""
        return ranked(self.ids(len(self.numbers)), self.scores.astype(np.float64).tolist())


class NativeEngine(Engine):
    """Searches the live documents of segments; integer scores, equal ones ordered by id.

    Kernels (numba) search fastest, but take most of a second to load. Until they are there, numpy finds the same hits.
    May be shared by threads, and survives a fork.
    """

    def __init__(
        self, segments: Sequence[SegmentReader], deleted: Sequence[np.ndarray | None], warm: bool = True
    ) -> None:
        """Take open segments.

        :param segments: the segments; a document's id is live in one of them only. Closed with the engine.
        :param deleted: for each segment, which documents are deleted, bool (documents,), or None.
        :param warm: whether the first search begins to load the kernels in the background; if not, only a batch of more
            than `BATCH` queries and `load` load them.
        :raises ConfigError: if the two do not fit each other.
        """
        if len(segments) != len(deleted):
            raise ConfigError(f"there are {len(segments)} segments but {len(deleted)} arrays of deleted documents")
        self._segments: list[tuple[SegmentReader, np.ndarray]] = []
        self._documents = 0
        for reader, dead in zip(segments, deleted, strict=True):
            flags = _ALIVE if dead is None or not np.any(dead) else np.array(dead, dtype=bool)
            if dead is not None and len(dead) != reader.documents:
                raise ConfigError(
                    f"{reader.folder} has {reader.documents:,} documents but {len(dead):,} deletion flags"
                )
            self._documents += reader.documents - int(np.count_nonzero(flags))
            self._segments.append((reader, flags))
        self._scratch = ScratchPool()
        self._warm = warm

    @property
    def documents(self) -> int:
        """Number of live documents, those without terms included."""
        return self._documents

    def load(self, wide: bool = False) -> bool:
        """Load the kernels now, unless they are: what follows is searched at full speed.

        :param wide: whether those for scores beyond int32.
        :return: whether they are loaded; False without numba, where numpy goes on to search.
        """
        if not self._segments:
            return True
        return load(Kind(wide), partial(self._call, *self._segments[0], wide))

    def close(self) -> None:
        """Close the segments; closing twice is no error."""
        for reader, _ in self._segments:
            reader.close()

    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        k = min(k, self._documents if selection is None else selection.documents)
        if not k:
            return []
        terms = list(query)
        weights = np.array(list(query.values()), dtype=np.int64)
        found: list[_Found] = []
        threshold = 1
        for reader, dead in self._searched(selection):
            numbers = reader.lookup(terms)
            has = numbers >= 0
            part = self._segment(reader, dead, numbers[has], weights[has], k, threshold)
            if len(part.scores) == k:
                threshold = max(threshold, int(part.scores[-1]))
            if len(part.scores):
                found.append(part)
        return found[0].hits() if len(found) == 1 else _merged(found, k)

    def _searched(self, selection: "Selection | None") -> list[tuple[SegmentReader, np.ndarray]]:
        """Return the segments that may have hits, each with what is hidden there."""
        if selection is None:
            return self._segments
        rows = zip(self._segments, selection.hidden, selection.counts, strict=True)
        return [
            (reader, _ALIVE if count == reader.documents else hidden) for (reader, _), hidden, count in rows if count
        ]

    def _segment(
        self, reader: SegmentReader, dead: np.ndarray, terms: np.ndarray, weights: np.ndarray, k: int, threshold: int
    ) -> _Found:
        """Search one segment for documents that score `threshold` or more."""
        if not len(terms):
            nothing = np.empty(0, dtype=np.int64)
            return _Found(reader, nothing, nothing, False)
        reader.check(terms)
        largest = reader.arrays.largest[terms]
        if not len(dead):
            threshold = max(threshold, _seed(largest, weights, k))
        wide = int(weights @ largest[:, 0]) > _INT32
        kind = Kind(wide)
        if has(kind):
            found = self._compiled(reader, dead, terms, weights, k, threshold, wide, reader.documents)
            return _Found(reader, *found, True)
        if self._warm:
            load_soon(kind, partial(self._call, reader, dead, wide))
        found = native_numpy.search_segment(reader, dead, terms, weights, k, threshold, wide)
        return _Found(reader, *found, False)

    def _compiled(
        self,
        reader: SegmentReader,
        dead: np.ndarray,
        terms: np.ndarray,
        weights: np.ndarray,
        k: int,
        threshold: int,
        wide: bool,
        documents: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Search the first documents of a segment with the kernels."""
        from sparseembed.engines.native_kernels import search_segment

        arrays = reader.arrays
        with self._scratch.lent(wide, k) as scratch:
            count = search_segment(
                *arrays[:7],
                terms,
                weights if wide else weights.astype(np.int32),
                k,
                threshold,
                arrays.chunk_bits,
                documents,
                reader.ranks,
                dead,
                *scratch,
            )
            return scratch.scores[:count].copy(), scratch.docs[:count].copy()

    def _call(self, reader: SegmentReader, dead: np.ndarray, wide: bool) -> None:
        """Call the kernels with arrays of a segment's types, for nothing."""
        from sparseembed.index.segment import kernels

        nothing = np.empty(0, dtype=np.int64)
        self._compiled(reader, dead, nothing, nothing, 1, 1, wide, 0)
        reader.ids(np.zeros(min(reader.documents, 1), dtype=np.int64), compiled=True)
        reader.numbers([""], compiled=True)
        kernels.ready = True

    def _search_batch(
        self, queries: list[dict[str, int]], k: int, threads: int, selection: "Selection | None"
    ) -> list[list[Hit]]:
        if len(queries) > BATCH:
            self.load()
        if threads == 1 or len(queries) < 2:
            return super()._search_batch(queries, k, threads, selection)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda query: self._search(query, k, selection) if query else [], queries))


def _seed(largest: np.ndarray, weights: np.ndarray, k: int) -> int:
    """Return a score that k documents have for sure: weight x a term's k-th largest impact."""
    for column, stored in enumerate(SEEDS, start=1):
        if k <= stored:
            return int((weights * largest[:, column]).max())
    return 1


def _merged(found: Sequence[_Found], k: int) -> list[Hit]:
    """Put the hits of segments together: the k best by (-score, id)."""
    if not found:
        return []
    scores = np.concatenate([part.scores for part in found])
    least = int(np.partition(scores, len(scores) - k)[len(scores) - k]) if len(scores) > k else 0
    named: list[tuple[int, str]] = []
    for part in found:
        count = int(np.count_nonzero(part.scores >= least))
        named.extend(zip((-part.scores[:count]).tolist(), part.ids(count), strict=True))
    named.sort()
    del named[k:]
    return ranked([doc_id for _, doc_id in named], [float(-score) for score, _ in named])
