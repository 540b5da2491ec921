"""Which differences between systems are more than chance: paired randomisation tests, corrected for their number."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sparseembed.arrays import Floats
from sparseembed.errors import ConfigError
from sparseembed.evaluation.measures import Evaluation

PERMUTATIONS = 100_000
SEED = 20_250_727
LEVEL = 0.05

_EXACT_UP_TO = 12
_BLOCK = 1 << 21  # signs drawn at a time: 16 MiB as float64
_EQUAL = 1e-12  # two measures this near to each other differ by rounding only


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of a table against one baseline.

    ``difference`` is the row's mean less the baseline's; ``better``, ``worse`` and ``tied`` count the queries on which
    the row does so; ``p_corrected`` is Holm's over all tests of the table, and ``significant`` says that it is < .05.
    """

    row: str
    baseline: str
    measure: str
    difference: float
    p_value: float
    p_corrected: float
    better: int
    worse: int
    tied: int
    significant: bool


def against_baselines(
    evaluations: Mapping[str, Evaluation], baselines: Sequence[str], measure: str = "nDCG@10"
) -> list[Comparison]:
    """Test every row of a table against every baseline.

    Two baselines are compared with each other in both directions, which is one test and is counted once in the
    correction.

    :param evaluations: row name -> its evaluation, all over the same queries.
    :param baselines: names of rows.
    :param measure: a measure that every evaluation has.
    :return: rows in the order given, and for each the baselines in theirs, a row never against itself.
    :raises ConfigError: if a baseline is no row, an evaluation lacks the measure, or their queries differ.
    """
    values = _aligned(evaluations, baselines, measure)
    pairs = [(row, baseline) for row in evaluations for baseline in dict.fromkeys(baselines) if row != baseline]
    # Sorted, so that both directions of a pair of baselines share one test and one p-value to the last bit.
    tests = {tuple(sorted(pair)): 1.0 for pair in pairs}
    for one, other in tests:
        tests[one, other] = sign_flip_test(values[one] - values[other])
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    found = []
    for row, baseline in pairs:
        test = tuple(sorted((row, baseline)))
        difference = _rounding_removed(values[row] - values[baseline])
        better, worse = int((difference > 0).sum()), int((difference < 0).sum())
        found.append(
            Comparison(
                row=row,
                baseline=baseline,
                measure=measure,
                difference=evaluations[row].means[measure] - evaluations[baseline].means[measure],
                p_value=tests[test],
                p_corrected=corrected[test],
                better=better,
                worse=worse,
                tied=len(difference) - better - worse,
                significant=corrected[test] < LEVEL,
            )
        )
    return found


def sign_flip_test(differences: np.ndarray, permutations: int = PERMUTATIONS, seed: int = SEED) -> float:
    """Paired two-sided randomisation test of a mean difference of 0.

    If the two systems were one, either could have produced either value of each query: the sign of each difference is
    arbitrary. p is the share of sign assignments whose mean is at least as far from 0 as the observed one (Smucker,
    Allan and Carterette, "A comparison of statistical significance tests for information retrieval evaluation", CIKM
    2007). With up to 12 queries that differ all assignments are enumerated and p is exact. Otherwise p is
    (b + 1) / (m + 1) with b such among m random assignments, which counts the observed one and so is never 0 (Phipson
    and Smyth, "Permutation p-values should never be zero", 2010).

    :param differences: (n,) one system's value less the other's, by query.
    :param permutations: how many random assignments, where they are not enumerated.
    :param seed: of the random generator: the same input gives the same p.
    :return: p, in (0, 1].
    """
    from scipy.stats import monte_carlo_test, permutation_test

    # A tied query adds 0 whatever its sign, so leaving it out changes nothing but the work.
    moved = _rounding_removed(np.asarray(differences, dtype=np.float64))
    moved = moved[moved != 0.0]
    if moved.size < 2:
        return 1.0
    total = moved.sum()
    # Assignments whose means are equal on paper must count as equal, whatever order they were summed in.
    limit = abs(total) - _EQUAL * np.abs(moved).sum()
    if moved.size <= _EXACT_UP_TO:
        tested = permutation_test(
            (moved,),
            lambda flipped, axis: (np.abs(flipped.sum(axis)) >= limit).astype(float),
            permutation_type="samples",
            alternative="greater",
            n_resamples=2**moved.size,
        )
    else:
        generator = np.random.default_rng(seed)
        tested = monte_carlo_test(
            np.zeros(moved.size),
            lambda size: _flips(generator, *size),
            lambda flips, axis: (np.abs(total - 2.0 * (flips @ moved)) >= limit).astype(float),
            vectorized=True,
            alternative="greater",
            n_resamples=permutations,
            batch=max(1, _BLOCK // moved.size),
        )
    return float(tested.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, which bounds the chance of any false finding among m tests.

    The i-th smallest p (i from 0) becomes max over j <= i of min(1, (m - j) p_(j)) (Holm, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979).

    :param p_values: the m tests' p-values.
    :return: the corrected ones, in the same order.
    """
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = highest
    return corrected


def _flips(generator: np.random.Generator, rows: int, n: int) -> Floats:
    """Draw which signs are changed: 1 or 0, shape (rows, n)."""
    packed = generator.integers(0, 256, size=(rows, math.ceil(n / 8)), dtype=np.uint8)
    return np.unpackbits(packed, axis=1, count=n).astype(np.float64)


def _rounding_removed(differences: np.ndarray) -> np.ndarray:
    return np.where(np.abs(differences) <= _EQUAL, 0.0, differences)


def _aligned(evaluations: Mapping[str, Evaluation], baselines: Sequence[str], measure: str) -> dict[str, np.ndarray]:
    for baseline in baselines:
        if baseline not in evaluations:
            raise ConfigError(f"baseline {baseline!r} is no row of the table: choose from {', '.join(evaluations)}")
    queries: list[str] | None = None
    aligned = {}
    for row, evaluation in evaluations.items():
        if measure not in evaluation.per_query:
            raise ConfigError(f"row {row!r} was not evaluated with {measure}: add it to the measures")
        values = evaluation.per_query[measure]
        queries = list(values) if queries is None else queries
        if values.keys() != set(queries):
            raise ConfigError(f"row {row!r} was evaluated on other queries than the first row: use the same judgements")
        aligned[row] = np.array([values[query] for query in queries], dtype=np.float64)
    return aligned
