"""Postings of documents: which are kept, how many bytes they take, and what else is made of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

VARINT = (1 << 7, 1 << 14, 1 << 21, 1 << 28)  # from each of these on, a variable-length integer takes a byte more
IDF_STEP = 16  # steps of an integer query weight for each unit of idf


def varint_bytes(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how many bytes each number takes as a variable-length integer of 7 bits a byte.

    :param values: Numbers >= 0, any shape.
    :return: 1 to 5, same shape.
    """
    return 1 + np.searchsorted(np.asarray(VARINT), values, side="right")


def postings_bytes(documents: Any, bits: int) -> float:
    """Estimate the size of the compressed postings lists, in bytes.

    Each posting costs the gap to the term's previous document as a variable-length integer (the first document's own
    number, from 0) and bits / 8 bytes for its impact. Term dictionary, document ids and texts are left out.

    :param documents: Impacts, scipy CSR, shape (N, T), no stored zeros, documents in the order of the index.
    :param bits: Bits of an impact.
    :return: Bytes of all lists together.
    """
    lists = documents.tocsc()
    lists.sort_indices()
    numbers = lists.indices.astype(np.int64)
    gaps = np.diff(numbers, prepend=0)
    firsts = lists.indptr[:-1][np.diff(lists.indptr) > 0]
    gaps[firsts] = numbers[firsts]
    return float(varint_bytes(gaps).sum() + len(numbers) * bits / 8)


def keep_share(documents: Any, share: float) -> Any:
    """Keep each document's postings whose impact is at least a share of its largest.

    :param documents: Impacts, scipy CSR, shape (N, T), no stored zeros.
    :param share: 0..1; 0 keeps all.
    :return: A new scipy CSR of the same shape.
    """
    lengths = np.diff(documents.indptr)
    largest = np.zeros(len(lengths))
    filled = lengths > 0
    largest[filled] = np.maximum.reduceat(documents.data, documents.indptr[:-1][filled]) if filled.any() else 0
    return _kept(documents, documents.data >= share * np.repeat(largest, lengths))


def keep_best(documents: Any, count: int) -> Any:
    """Keep each document's postings of the largest impacts; of equal ones those of the lower term numbers.

    :param documents: Impacts, scipy CSR, shape (N, T).
    :param count: Postings kept of a document, at most.
    :return: A new scipy CSR of the same shape.
    """
    lengths = np.diff(documents.indptr)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((documents.indices, -documents.data, rows))
    keep = np.zeros(len(rows), dtype=bool)
    keep[order] = np.arange(len(rows)) - np.repeat(documents.indptr[:-1], lengths) < count
    return _kept(documents, keep)


def _kept(documents: Any, keep: npt.NDArray[np.bool_]) -> Any:
    from scipy.sparse import csr_array

    indptr = np.concatenate([[0], np.cumsum(keep)])[documents.indptr]
    return csr_array((documents.data[keep], documents.indices[keep], indptr), shape=documents.shape)


def idf_weighted(query: Mapping[str, int], idf: Mapping[str, float], unit: int = 1) -> dict[str, int]:
    """Multiply the weights of an impact query by its terms' idf.

    :param query: Term -> weight.
    :param idf: Term -> idf; a term that is not there is in no document, and is left out.
    :param unit: Weight of a term that stands once: 1 in a plain query, more in an expanded one.
    :return: Term -> round(16 x idf x weight / unit), at least 1.
    """
    known = {term: weight for term, weight in query.items() if term in idf}
    return {term: max(1, round(IDF_STEP * idf[term] * weight / unit)) for term, weight in known.items()}


def confidence(best: npt.NDArray[np.int32], literal: Any) -> npt.NDArray[np.float32]:
    """Say how far an embedding knows its own text: the share of a document's best aligned terms that stand in it.

    :param best: Numbers of each document's best aligned terms, shape (n, b).
    :param literal: How often each term stands in each document, scipy CSR, shape (n, T).
    :return: Shares in 0..1, shape (n,).
    """
    from scipy.sparse import csr_array

    n, b = best.shape
    if not b:
        return np.zeros(n, dtype=np.float32)
    marked = csr_array((np.ones(n * b), best.ravel(), np.arange(n + 1) * b), shape=literal.shape)
    shares = marked.multiply(literal > 0).sum(axis=1) / b
    return np.asarray(shares, dtype=np.float32).ravel()
