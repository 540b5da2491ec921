"""Impact queries as a matrix, which exact scores are a product with."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def query_matrix(queries: Iterable[Mapping[str, int]], number: Mapping[str, int]) -> Any:
    """Return queries as scipy CSR, shape (q, T), float64; terms without a number are left out.

    :param queries: Term -> weight, q of them.
    :param number: Term -> its column, T of them.
    """
    from scipy.sparse import csr_array

    listed = list(queries)
    entries = [
        (row, number[term], weight)
        for row, query in enumerate(listed)
        for term, weight in query.items()
        if term in number
    ]
    rows, terms, weights = np.asarray(entries, dtype=np.int64).reshape(-1, 3).T
    return csr_array((weights.astype(np.float64), (rows, terms)), shape=(len(listed), len(number)))
