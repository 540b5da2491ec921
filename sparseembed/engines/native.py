"""The native engine: exact search in mapped segments, without Java."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from sparseembed.engines.base import Engine, Hit
from sparseembed.engines.native_scratch import ScratchPool
from sparseembed.errors import ConfigError
from sparseembed.index.segment.format import SEEDS
from sparseembed.index.segment.reader import SegmentReader

_INT32 = 2**31 - 1
_ALIVE = np.empty(0, dtype=bool)


class _Found(NamedTuple):
    """The best documents of one segment, in order: int64 scores and numbers."""

    reader: SegmentReader
    scores: np.ndarray
    numbers: np.ndarray

    def hits(self) -> list[Hit]:
        """Name the documents."""
        return _hits(self.reader.ids(self.numbers), self.scores.astype(np.float64).tolist())


class NativeEngine(Engine):
    """Searches the live documents of segments; integer scores, equal ones ordered by id.

    May be shared by threads, and survives a fork.
    """

    def __init__(self, segments: Sequence[SegmentReader], deleted: Sequence[np.ndarray | None]) -> None:
        """Take open segments.

        :param segments: the segments; a document's id is live in one of them only. Closed with the engine.
        :param deleted: for each segment, which documents are deleted, bool (documents,), or None.
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

    @property
    def documents(self) -> int:
        """Number of live documents, those without terms included."""
        return self._documents

    def close(self) -> None:
        """Close the segments; closing twice is no error."""
        for reader, _ in self._segments:
            reader.close()

    def _search(self, query: dict[str, int], k: int) -> list[Hit]:
        k = min(k, self._documents)
        if not k:
            return []
        terms = list(query)
        weights = np.array(list(query.values()), dtype=np.int64)
        found: list[_Found] = []
        threshold = 1
        for reader, dead in self._segments:
            numbers = reader.lookup(terms)
            has = numbers >= 0
            part = self._segment(reader, dead, numbers[has], weights[has], k, threshold)
            if len(part.scores) == k:
                threshold = max(threshold, int(part.scores[-1]))
            if len(part.scores):
                found.append(part)
        return found[0].hits() if len(found) == 1 else _merged(found, k)

    def _segment(
        self, reader: SegmentReader, dead: np.ndarray, terms: np.ndarray, weights: np.ndarray, k: int, threshold: int
    ) -> _Found:
        """Search one segment for documents that score `threshold` or more."""
        from sparseembed.engines.native_kernels import search_segment

        nothing = np.empty(0, dtype=np.int64)
        if not len(terms):
            return _Found(reader, nothing, nothing)
        reader.check(terms)
        arrays = reader.arrays
        largest = arrays.largest[terms]
        if not len(dead):
            threshold = max(threshold, _seed(largest, weights, k))
        wide = int(weights @ largest[:, 0]) > _INT32
        with self._scratch.lent(wide, k) as scratch:
            count = search_segment(
                *arrays[:6],
                terms,
                weights if wide else weights.astype(np.int32),
                k,
                threshold,
                arrays.chunk_bits,
                reader.documents,
                reader.ranks,
                dead,
                *scratch,
            )
            return _Found(reader, scratch.scores[:count].copy(), scratch.docs[:count].copy())

    def _search_batch(self, queries: list[dict[str, int]], k: int, threads: int) -> list[list[Hit]]:
        if threads == 1 or len(queries) < 2:
            return super()._search_batch(queries, k, threads)
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda query: self._search(query, k) if query else [], queries))


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
        named.extend(zip((-part.scores[:count]).tolist(), part.reader.ids(part.numbers[:count]), strict=True))
    named.sort()
    del named[k:]
    return _hits([doc_id for _, doc_id in named], [float(-score) for score, _ in named])


def _hits(ids: list[str], scores: list[float]) -> list[Hit]:
    make = tuple.__new__  # Hit(...) is a function in Python that does the same in twice the time
    return [make(Hit, hit) for hit in zip(ids, scores, range(1, len(ids) + 1), strict=True)]
