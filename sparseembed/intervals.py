"""Bootstrap intervals of means."""

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Floats

RESAMPLES = 1000
SEED = 20240625
LEVEL = 0.95


def bootstrap_means(values: npt.NDArray[np.generic], seed: int = SEED) -> tuple[Floats, Floats]:
    """Return percentile intervals (95%) of means over texts, the texts resampled with replacement.

    :param values: One row a text, shape (n, q).
    :param seed: Seed of the resampling.
    :return: Lower and upper ends, shape (q,) each.

    >>> low, high = bootstrap_means(np.ones((30, 1)))
    >>> low.tolist(), high.tolist()
    ([1.0], [1.0])
    """
    rng = np.random.default_rng(seed)
    n = len(values)
    as_floats = values.astype(np.float64)
    means = []
    for _ in range(0, RESAMPLES, 100):  # a hundred at a time: bounded memory for many texts
        counts = rng.multinomial(n, np.full(n, 1 / n), size=100)
        means.append(counts @ as_floats / n)
    low, high = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high
