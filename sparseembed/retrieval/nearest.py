"""The documents nearest to a query by embedding: all are gone through, so that none is missed.

Rows of 8-bit numbers are compared with a query in whole numbers, 2 ms of one core for 100,000 documents of 576 numbers:
beside the model call that a query's embedding takes, no index of neighbours would save anything. That is by kernels,
whose loading takes longer than a search: until they are loaded numpy finds the same, to the last bit.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Vectors
from sparseembed.engines import native_loading
from sparseembed.engines.native_loading import has, load_soon
from sparseembed.index.snapshot import Snapshot, kernels_are_ready
from sparseembed.index.tombstones import Flags

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

KERNEL = "nearest"
"""What is loaded by `engines.native_loading`."""

_ROWS = 4096  # gone through at once by numpy
_STEPS = 2047  # of the query's largest number: the finest whose products with 8 bits fit int32 for any usual length
_MOST = 2**31 - 1


class Nearest:
    """Finds the nearest documents of one commit of an index."""

    def __init__(self, snapshot: Snapshot, centre: Vectors, warm: bool = False) -> None:
        """Take the parts; embeddings are read at the first query.

        :param snapshot: The commit.
        :param centre: Mean embedding of texts like queries, shape (d,).
        :param warm: Whether the first query begins to load, in the background, what makes later ones fast.
        """
        self._snapshot, self.centre, self._warm = snapshot, centre, warm
        self._lengths: dict[int, npt.NDArray[np.float32]] = {}

    def find(self, vector: Vectors, count: int, selection: "Selection | None" = None) -> list[str]:
        """Return the ids of the nearest documents, nearest first; of equal ones the earlier in the index.

        :param vector: The query's embedding, shape (d,), not centred; of zeros for a blank query.
        :param count: Documents wanted.
        :param selection: The documents that they are of; None for all.
        :return: At most so many: blank documents are near nothing, and nothing is near a blank query.
        :raises IndexFolderError: Embeddings are damaged.
        """
        if not vector.any():
            return []
        if self._warm and not has(KERNEL):
            load_soon(KERNEL, _call)
        segments, apart = self._snapshot.segments, vector - self.centre
        hidden = self._snapshot.deleted if selection is None else selection.hidden
        scores = np.concatenate([self._closeness(place, apart, flags) for place, flags in enumerate(hidden)])
        found = best(scores, count)
        firsts = np.cumsum([0, *(segment.documents for segment in segments)])
        places = np.searchsorted(firsts, found, side="right") - 1
        ids: dict[int, str] = {}
        for place in np.unique(places).tolist():
            own = found[places == place]
            ids.update(zip(own.tolist(), segments[place].ids(own - firsts[place], kernels_are_ready()), strict=True))
        return [ids[number] for number in found.tolist()]

    def _closeness(self, place: int, apart: Vectors, hidden: Flags | None) -> npt.NDArray[np.float32]:
        """Return the closeness of a segment's documents; -inf for blank and hidden ones."""
        segment = self._snapshot.segments[place]
        if place not in self._lengths:  # once, also to see that no row is damaged
            blocks = [row_lengths(block) for block in segment.embedding_blocks()]
            self._lengths[place] = np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)
        scores = closeness_to(segment.embedding_rows(), self._lengths[place], apart)
        if hidden is not None:
            scores[hidden] = -np.inf
        return scores


def row_lengths(rows: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """Return the Euclidean lengths of rows, shape (n,), of shape (n, d)."""
    lengths = np.empty(len(rows), dtype=np.float32)
    if has(KERNEL):
        from sparseembed.retrieval.nearest_kernels import lengths_of

        lengths_of(np.ascontiguousarray(rows), lengths)
        return lengths
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        lengths[start : start + _ROWS] = np.sqrt(np.einsum("nd,nd->n", block, block, dtype=np.int64))
    return lengths


def closeness_to(
    rows: npt.NDArray[np.int8], lengths: npt.NDArray[np.float32], apart: Vectors
) -> npt.NDArray[np.float32]:
    """Return what orders documents as their cosines with a query do.

    :param rows: Their embeddings in 8 bits, shape (n, d).
    :param lengths: Of the rows, shape (n,).
    :param apart: The query's embedding, seen from the mean of texts like queries, shape (d,).
    :return: Shape (n,); -inf for a row of zeros. The same for a row wherever it stands.
    """
    scores, query = np.empty(len(rows), dtype=np.float32), whole_numbers(apart)
    if has(KERNEL):
        from sparseembed.retrieval.nearest_kernels import closeness

        closeness(rows, lengths, query, scores)
        return scores
    wide = query.astype(np.float64)  # whole numbers far below 2^53: exact
    for start in range(0, len(rows), _ROWS):
        scores[start : start + _ROWS] = rows[start : start + _ROWS].astype(np.float64) @ wide
    filled = lengths > 0
    scores[filled] /= lengths[filled]
    scores[~filled] = -np.inf
    return scores


def load() -> bool:
    """Load the kernels now, unless they are: importing numba takes most of a second.

    :return: Whether they are loaded; False without numba, where numpy goes on.
    """
    return native_loading.load(KERNEL, _call)


def _call() -> None:
    from sparseembed.retrieval.nearest_kernels import closeness, lengths_of

    rows, query, numbers = np.zeros((1, 1), np.int8), np.zeros(1, np.int16), np.zeros(1, np.float32)
    rows.flags.writeable = False  # as those of a segment's file are
    for each in (rows, rows.copy()):
        lengths_of(each, numbers)
        closeness(each, numbers, query, numbers)


def whole_numbers(query: Vectors) -> npt.NDArray[np.int16]:
    """Scale a query so that its largest number is 2,047, or less for one so long that sums of products would not fit.

    :param query: Shape (d,).
    :return: Shape (d,); zeros for zeros.
    """
    largest = float(np.abs(query).max(initial=0))
    steps = min(_STEPS, _MOST // (127 * max(1, len(query))))
    return np.rint(query * (steps / largest) if largest > 0 else np.zeros(len(query))).astype(np.int16)


def best(scores: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """Return the places of the highest scores, highest first; of equal ones the first.

    :param scores: Shape (n,); -inf is none.
    :param count: How many are wanted.
    """
    if count < len(scores):
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    places = places[np.isfinite(scores[places])]
    ordered: npt.NDArray[np.int64] = places[np.argsort(-scores[places], kind="stable")][:count]
    return ordered
