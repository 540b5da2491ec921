"""The paper's alignment metrics: Hit@K, local and global alignment rate, with bootstrap intervals.

Definitions as read from the authors' script (`calculate_metric` of their `aligned_token.py`) for "A Text is Worth
Several Tokens" (arXiv 2406.17378), without its slips: |T| counts *distinct* tokens (the script's list holds
duplicates), special tokens are left out on both sides, and the top |T| aligned tokens are never cut at a fixed K.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.analysis.tokens import Marks, Numbers, TokenSets
from sparseembed.arrays import Floats
from sparseembed.intervals import LEVEL, SEED

K_MAX = 100
GLOBAL_RESAMPLES = 200


class PerText(NamedTuple):
    """What each text contributes.

    :param first_ranks: Rank from 1 of the first aligned token that stands in the text, 0 for none, shape (n,).
    :param matched: |top-|T_i| aligned tokens ∩ T_i|, shape (n,).
    :param sizes: |T_i|, shape (n,).
    """

    first_ranks: Numbers
    matched: Numbers
    sizes: Numbers


class Rate(NamedTuple):
    """A rate with its bootstrap interval."""

    value: float
    low: float
    high: float


def per_text(top: npt.NDArray[np.int32], sets: TokenSets) -> PerText:
    """Compare each text's aligned tokens with its own.

    :param top: Aligned tokens, best first, shape (n, k); k is at least the largest |T_i|.
    :param sets: The texts' tokens.
    :return: Ranks and overlaps.

    >>> from sparseembed.analysis.tokens import make_sets
    >>> found = per_text(np.array([[5, 1, 2], [0, 4, 3]]), make_sets([[1, 2], [6]], 7))
    >>> found.first_ranks.tolist(), found.matched.tolist(), found.sizes.tolist()
    ([2, 0], [1, 0], [2, 1])
    """
    literal = sets.literal(top)
    first = np.where(literal.any(axis=1), literal.argmax(axis=1) + 1, 0).astype(np.int64)
    within = np.arange(top.shape[1]) < sets.sizes[:, None]
    return PerText(first, (literal & within).sum(axis=1).astype(np.int64), sets.sizes)


def hits(first_ranks: Numbers, k_max: int = K_MAX) -> Marks:
    """Tell whether each text has one of its tokens among its K best aligned ones.

    :param first_ranks: As in `PerText`.
    :param k_max: The largest K.
    :return: Shape (n, k_max), for K = 1..k_max.
    """
    marks: Marks = (first_ranks[:, None] > 0) & (first_ranks[:, None] <= np.arange(1, k_max + 1))
    return marks


def hit_curve(first_ranks: Numbers, k_max: int = K_MAX) -> Floats:
    """Hit@K: the share of texts of which at least one token is among the K best aligned tokens.

    :param first_ranks: As in `PerText`.
    :param k_max: The largest K.
    :return: Shape (k_max,), for K = 1..k_max.

    Three texts, whose first own token stands at rank 2, at rank 1, and nowhere:

    >>> hit_curve(np.array([2, 1, 0]), 3).round(3).tolist()
    [0.333, 0.667, 0.667]
    """
    result: Floats = hits(first_ranks, k_max).mean(axis=0)
    return result


def local_rates(found: PerText) -> Floats:
    """Local alignment rate of each text, |top-|T_i| ∩ T_i| / |T_i|, shape (n,); LAR is their mean.

    A text of the tokens {1, 2} with the aligned tokens 5, 1, 2: of the first two, one is its own.

    >>> local_rates(PerText(np.array([2]), np.array([1]), np.array([2]))).tolist()
    [0.5]
    """
    rates: Floats = found.matched / found.sizes
    return rates


def global_counts(top: npt.NDArray[np.int32], sets: TokenSets) -> tuple[int, int]:
    """Global alignment rate as two counts: |∪_i (top-|T_i| ∩ T_i)| and |∪_i T_i|; GAR is their ratio.

    :param top: As in `per_text`.
    :param sets: The texts' tokens.
    :return: Distinct tokens of the texts that were matched somewhere, and distinct tokens in all.

    Texts {1, 2} and {2, 6}: token 2 is matched twice and counts once, 1 and 6 are not matched.

    >>> from sparseembed.analysis.tokens import make_sets
    >>> global_counts(np.array([[2, 5], [2, 3]]), make_sets([[1, 2], [2, 6]], 7))
    (1, 3)
    """
    return len(np.unique(_matches(top, sets)[1])), len(np.unique(sets.terms))


def _matches(top: npt.NDArray[np.int32], sets: TokenSets) -> tuple[Numbers, Numbers]:
    """Return the texts and the terms of all matches."""
    rows, ranks = np.nonzero(sets.literal(top) & (np.arange(top.shape[1]) < sets.sizes[:, None]))
    return rows, top[rows, ranks].astype(np.int64)


def global_rate(top: npt.NDArray[np.int32], sets: TokenSets, seed: int = SEED) -> Rate:
    """Global alignment rate with its interval.

    A resample holds fewer distinct texts than the sample, and so fewer distinct tokens: the interval is the resamples'
    spread about their own mean, laid around the rate.

    :param top: As in `per_text`.
    :param sets: The texts' tokens.
    :param seed: Seed of the resampling.
    :return: The rate.
    """
    matched, present = global_counts(top, sets)
    value = matched / present
    counts = np.random.default_rng(seed).multinomial(len(sets), np.full(len(sets), 1 / len(sets)), GLOBAL_RESAMPLES) > 0
    rates = _distinct(counts, *_matches(top, sets)) / np.maximum(1, _distinct(counts, sets.owners, sets.terms))
    low, high = np.quantile(rates - rates.mean(), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # Of a handful of texts, the mean of the resamples can lie outside their middle 95%.
    return Rate(value, max(0.0, value + min(0.0, float(low))), min(1.0, value + max(0.0, float(high))))


def _distinct(chosen: Marks, owners: Numbers, terms: Numbers) -> Floats:
    """Count the distinct terms of the texts of each resample, shape (resamples,)."""
    if not len(terms):
        return np.zeros(len(chosen))
    order = np.argsort(terms, kind="stable")
    starts = np.flatnonzero(np.diff(terms[order], prepend=-1))
    owners = owners[order]
    result = [np.logical_or.reduceat(row[owners], starts).sum() for row in chosen]
    return np.asarray(result, dtype=np.float64)
