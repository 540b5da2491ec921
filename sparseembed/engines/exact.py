"""The reference engine: integer dot products in numpy, for tests, tiny corpora, and to check the others against."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from sparseembed.engines.base import Engine, Hit
from sparseembed.errors import DataError
from sparseembed.sparse.impacts import check_id, check_vector

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection


class ExactEngine(Engine):
    """Holds the postings in memory and sums them in 64-bit integers; nothing is pruned or rounded."""

    def __init__(self, ids: Sequence[str], vectors: Iterable[Mapping[str, int]]) -> None:
        """Take in a collection.

        :param ids: the documents' ids, each once, in any order.
        :param vectors: one vector a document, term -> weight from 1 to 65,535; may be empty.
        :raises DataError: for an id that occurs twice, vectors too many or too few, or a weight out of range.
        """
        order = sorted(range(len(ids)), key=lambda place: ids[place])  # by code point, the order of UTF-8 bytes
        self._ids = [ids[place] for place in order]
        for before, after in zip(self._ids, self._ids[1:], strict=False):
            if before == after:
                raise DataError(f"the document id {after!r} occurs twice: give each document its own")
        self._numbers = number = np.empty(len(ids), dtype=np.int32)  # in the order in which documents were given
        number[order] = np.arange(len(ids), dtype=np.int32)
        self._terms: dict[str, int] = {}
        self._starts, self._docs, self._weights = self._invert(ids, vectors, number)

    @classmethod
    def from_pairs(cls, documents: Iterable[tuple[str, Mapping[str, int]]]) -> Self:
        """Take in a collection as pairs of id and vector.

        :param documents: the pairs, in any order.
        :return: the engine.
        :raises DataError: as the constructor does.
        """
        pairs = list(documents)
        return cls([doc_id for doc_id, _ in pairs], (vector for _, vector in pairs))

    @property
    def documents(self) -> int:
        """Number of documents, those without terms included."""
        return len(self._ids)

    def scores(self, query: Mapping[str, int]) -> np.ndarray:
        """Give the score of every document.

        :param query: term -> positive integer weight.
        :return: int64 dot products, shape (documents,), in ascending order of id.
        """
        total = np.zeros(len(self._ids), dtype=np.int64)
        for term, weight in query.items():
            row = self._terms.get(term)
            if row is not None:
                span = slice(self._starts[row], self._starts[row + 1])
                total[self._docs[span]] += weight * self._weights[span].astype(np.int64)
        return total

    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        scores = self.scores(query)
        if selection is not None:
            scores[self._numbers[~selection.live]] = 0
        found = np.flatnonzero(scores)
        best = found[np.argsort(-scores[found], kind="stable")[:k]]
        return [Hit(self._ids[doc], float(scores[doc]), rank) for rank, doc in enumerate(best.tolist(), start=1)]

    def _invert(
        self, ids: Sequence[str], vectors: Iterable[Mapping[str, int]], number: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Turn vectors into postings: where each term starts, and the documents and weights of all, term by term."""
        rows, docs, weights = array("i"), array("i"), array("i")
        count = 0
        for count, vector in enumerate(vectors, start=1):
            if count > len(ids):
                break
            doc_id = ids[count - 1]
            check_id(doc_id)
            check_vector(doc_id, vector)
            rows.extend([self._terms.setdefault(term, len(self._terms)) for term in vector])
            docs.extend([int(number[count - 1])] * len(vector))
            weights.extend(vector.values())
        if count != len(ids):
            raise DataError(f"there are {len(ids):,} ids but {'more' if count > len(ids) else f'{count:,}'} vectors")
        order = np.argsort(np.frombuffer(rows, dtype=np.int32), kind="stable") if rows else np.empty(0, dtype=np.int64)
        sizes = np.bincount(rows, minlength=len(self._terms)) if rows else np.empty(0, dtype=np.int64)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        return starts, np.array(docs, dtype=np.int32)[order], np.array(weights, dtype=np.int32)[order]
