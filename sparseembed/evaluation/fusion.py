"""Fusions of runs: by reciprocal ranks, and by a weighted sum of normalised scores."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sparseembed.data.qrels import Qrels
from sparseembed.engines.base import Hit, Run, check_count, ranked
from sparseembed.errors import ConfigError, DataError
from sparseembed.evaluation.measures import cutoff_of, evaluate
from sparseembed.evaluation.runs import unique_ids

WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))


def rrf(runs: Sequence[Run], k: float = 60, depth: int = 1000) -> Run:
    """Reciprocal rank fusion: a document's score is the sum over the runs of 1 / (k + its rank).

    A run that does not have the document adds nothing (Cormack, Clarke and Büttcher, "Reciprocal rank fusion
    outperforms Condorcet and individual rank learning methods", SIGIR 2009). Ranks are places in the lists, from 1.

    :param runs: the runs; a query need not be in all of them.
    :param k: what softens the first ranks; 60 in the paper.
    :param depth: how many hits of each run count, and how many a query keeps.
    :return: the fused run, ties by document id.
    :raises ConfigError: if k is negative or depth below 1.
    :raises DataError: if a run gives a document twice for a query.
    """
    check_count("depth", depth)
    if not k >= 0:
        raise ConfigError(f"k is {k} in reciprocal rank fusion: it must be 0 or more")
    fused: dict[str, list[Hit]] = {}
    for query in dict.fromkeys(query for run in runs for query in run):
        parts: dict[str, list[float]] = {}
        for run in runs:
            for rank, document in enumerate(unique_ids(query, run.get(query, []))[:depth], 1):
                parts.setdefault(document, []).append(1.0 / (k + rank))
        ids = sorted(parts)
        # fsum does not depend on the order of the runs, so that equal sums tie.
        fused[query] = _best(ids, np.array([math.fsum(parts[document]) for document in ids]), depth)
    return fused


def weighted(first: Run, second: Run, weight: float, depth: int = 1000) -> Run:
    """Weighted sum of min-max normalised scores: (1 - weight) x first + weight x second.

    Each query's scores are mapped to 0..1 over the run's own hits, (score - min) / (max - min); a document that one run
    lacks has 0 there. Where all of a query's hits have one score (a single hit is such a list) each gets 1: being found
    must be worth more than not being found. At weight 0 only the first run's hits are kept, at weight 1 only the
    second's: a run that has no say adds no documents either.

    :param first: a run.
    :param second: a run; a query need not be in both.
    :param weight: the second run's share, in 0..1.
    :param depth: how many hits of each run count, and how many a query keeps.
    :return: the fused run, ties by document id.
    :raises ConfigError: if weight is outside 0..1 or depth below 1.
    :raises DataError: if a run gives a document twice for a query, or a score that is not finite.
    """
    _check_weight(weight)
    check_count("depth", depth)
    sides = _normalised(first, second, depth)
    return {query: _mixed(ids, one, other, weight, depth) for query, ids, one, other in sides}


def choose_weight(
    first: Run, second: Run, qrels: Qrels, grid: Sequence[float] = WEIGHTS, measure: str = "nDCG@10"
) -> tuple[float, dict[float, float]]:
    """Choose the weight with which :func:`weighted` measures best.

    :param first: a run over the judged queries (of a train split: never choose on what is reported).
    :param second: a run over the same queries.
    :param qrels: query id -> document id -> grade.
    :param grid: the weights to try.
    :param measure: the measure to maximise.
    :return: the best weight, the smallest where several are equal, and weight -> mean for the whole grid.
    :raises ConfigError: if the grid is empty or leaves 0..1, or the measure is unknown.
    :raises DataError: as :func:`weighted` and :func:`~sparseembed.evaluation.measures.evaluate`.
    """
    if not grid:
        raise ConfigError("no weight to choose from: give a grid of one or more weights in 0..1")
    for weight in grid:
        _check_weight(weight)
    # Normalised once over 1,000 hits, then only as much of each ranking is built as the measure looks at.
    keep = cutoff_of(measure) or 1000
    sides = list(_normalised({q: first.get(q, []) for q in qrels}, {q: second.get(q, []) for q in qrels}, 1000))
    means = {}
    for weight in sorted(set(grid)):
        run = {query: _mixed(ids, one, other, weight, keep) for query, ids, one, other in sides}
        means[weight] = evaluate(run, qrels, (measure,)).means[measure]
    return max(means, key=means.__getitem__), means


def _normalised(first: Run, second: Run, depth: int) -> Iterator[tuple[str, list[str], np.ndarray, np.ndarray]]:
    """Yield each query with its document ids, ascending, and their normalised scores in both runs, NaN for none."""
    for query in dict.fromkeys([*first, *second]):
        one, other = (_min_max(query, run.get(query, [])[:depth]) for run in (first, second))
        ids = sorted(one.keys() | other.keys())
        yield query, ids, _over(ids, one), _over(ids, other)


def _over(ids: Sequence[str], scores: Mapping[str, float]) -> np.ndarray:
    return np.array([scores.get(name, np.nan) for name in ids], dtype=np.float64)


def _min_max(query: str, hits: Sequence[Hit]) -> dict[str, float]:
    ids = unique_ids(query, hits)
    for hit in hits:
        if not math.isfinite(hit.score):
            raise DataError(f"document {hit.id!r} has the score {hit.score} for query {query!r}: it must be finite")
    low, high = min((hit.score for hit in hits), default=0.0), max((hit.score for hit in hits), default=0.0)
    if low == high:
        return dict.fromkeys(ids, 1.0)
    return {hit.id: (hit.score - low) / (high - low) for hit in hits}


def _mixed(ids: Sequence[str], first: np.ndarray, second: np.ndarray, weight: float, depth: int) -> list[Hit]:
    if weight in (0, 1):
        only = second if weight else first
        found = np.flatnonzero(~np.isnan(only))
        return _best([ids[place] for place in found.tolist()], only[found], depth)
    return _best(ids, (1.0 - weight) * np.nan_to_num(first) + weight * np.nan_to_num(second), depth)


def _best(ids: Sequence[str], scores: np.ndarray, depth: int) -> list[Hit]:
    """Rank ids that are in ascending order: a stable sort then leaves ties in that order.

    Python compares strings by code point, which is the order of their UTF-8 bytes.
    """
    best = np.argsort(-scores, kind="stable")[:depth]
    names = [ids[place] for place in best.tolist()]
    return ranked(names, scores[best].tolist())


def _check_weight(weight: float) -> None:
    if not 0 <= weight <= 1:
        raise ConfigError(f"weight is {weight} in a fusion: it must be between 0 and 1")
