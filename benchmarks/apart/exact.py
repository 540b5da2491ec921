"""Impact queries and documents as matrices: exact scores are their product."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sparseembed.sparse.quantize import fit_quantizer
from sparseembed.sparse.sparsify import Weighted


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


def impact_matrix(block: Weighted, bits: int, terms: int) -> Any:
    """Return the impacts of a whole collection as scipy CSR, shape (N, T), float64.

    :param block: The weights of all documents.
    :param bits: Bits of an impact.
    :param terms: T.
    """
    from scipy.sparse import csr_array

    impacts = fit_quantizer(float(block.weights.max(initial=0.0)), bits).apply(block.weights, block.literal)
    shape = (len(block.indptr) - 1, terms)
    return csr_array((impacts.astype(np.float64), block.terms, block.indptr), shape=shape)
