"""Runs in little memory: an evaluation holds those of all its systems until they have been judged."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from sparseembed.engines.base import Hit, Run, ranked


def packed(run: Run) -> "PackedRun":
    """Return a run packed: itself where it is."""
    return run if isinstance(run, PackedRun) else PackedRun(run)


class PackedRun(Mapping[str, list[Hit]]):
    """A run at 12 bytes a hit, where lists of hits take some 200; hits are made anew whenever a query is asked for.

    Ranks are not kept: a hit's rank is its place.
    """

    def __init__(self, run: Run) -> None:
        """Pack a run.

        :param run: Query id -> hits, best first; not kept.
        """
        numbers: dict[str, int] = {}
        self._queries: dict[str, tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]] = {
            query: (
                np.array([numbers.setdefault(hit.id, len(numbers)) for hit in hits], dtype=np.int32),
                np.array([hit.score for hit in hits], dtype=np.float64),
            )
            for query, hits in run.items()
        }
        self._ids = list(numbers)

    def __getitem__(self, query: str) -> list[Hit]:
        """Return a query's hits, best first.

        :raises KeyError: The run has no such query.
        """
        numbers, scores = self._queries[query]
        names = [self._ids[number] for number in numbers.tolist()]
        return ranked(names, scores.tolist())

    def __contains__(self, query: object) -> bool:
        """Say whether the run has a query, without making its hits."""
        return query in self._queries

    def __iter__(self) -> Iterator[str]:
        """Iterate over the queries' ids."""
        return iter(self._queries)

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self._queries)
