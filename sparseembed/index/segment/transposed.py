"""Documents' vectors out of postings that are ordered by term."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sparseembed.index.segment.slices import chunk_slices, field_counts, read
from sparseembed.index.segment.strings import Strings, decode, offsets_of

if TYPE_CHECKING:
    from sparseembed.index.segment.posting_arrays import PostingArrays

WINDOW = 1 << 22
"""Postings that are transposed at once: 24 MiB."""

FIELDS = 1 << 18
"""Fields that numpy unpacks at once: 24 MiB."""


def document_impacts(arrays: "PostingArrays", terms: np.ndarray, number: int) -> np.ndarray:
    """Look up the impacts of terms in a document: each term's slice of its chunk is unpacked.

    :param arrays: the postings, checked.
    :param terms: int64 (n,), term numbers.
    :param number: the document.
    :return: int64 (n,), 0 where a term is absent.
    """
    out = np.zeros(len(terms), dtype=np.int64)
    rows, has = chunk_slices(arrays, terms, number >> arrays.chunk_bits)
    doc, some = number & ((1 << arrays.chunk_bits) - 1), np.flatnonzero(has)
    rows = rows[some]
    batches = np.cumsum(field_counts(arrays, rows)) // FIELDS
    cuts = [0, *(np.flatnonzero(np.diff(batches)) + 1).tolist(), len(rows)]
    for first, last in pairwise(cuts):
        part = slice(first, last)
        found = read(arrays, rows[part])
        here = np.flatnonzero(found.docs == doc)
        out[some[part][found.rows[here]]] = found.impacts[here]
    return out


def document_vector(arrays: "PostingArrays", terms: Strings, number: int) -> dict[str, int]:
    """Collect the terms of one document.

    :param arrays: the postings, checked.
    :param terms: the terms.
    :param number: the document.
    :return: term -> impact, the terms in ascending order.
    """
    out = document_impacts(arrays, np.arange(len(terms)), number)
    found = np.flatnonzero(out)
    return dict(zip(terms.many(found), out[found].tolist(), strict=True))


def document_vectors(arrays: "PostingArrays", terms: Strings, documents: int) -> Iterator[tuple[int, dict[str, int]]]:
    """Collect the terms of all documents, in windows of documents.

    :param arrays: the postings, checked.
    :param terms: the terms.
    :param documents: number of documents.
    :return: number and vector of each document, in order.
    """
    names = [decode(raw) for raw in terms.range(0, len(terms))]
    size = 1 << arrays.chunk_bits
    for chunk in range((documents + size - 1) >> arrays.chunk_bits):
        yield from _chunk(arrays, names, chunk, min(documents - chunk * size, size))


def _chunk(arrays: "PostingArrays", names: list[str], chunk: int, count: int) -> Iterator[tuple[int, dict[str, int]]]:
    from sparseembed.index.segment.kernels import count_documents, transpose

    rows, has = chunk_slices(arrays, np.arange(len(names)), chunk)
    terms, rows = np.flatnonzero(has), rows[has]
    packed = (arrays.words, arrays.begins, arrays.widths, arrays.bits, rows)
    sizes = np.zeros(count, dtype=np.int64)
    count_documents(*packed, count, sizes)
    offsets = offsets_of(sizes)
    low = 0
    while low < count:
        high = max(int(np.searchsorted(offsets, offsets[low] + WINDOW, side="right")) - 1, low + 1)
        bounds = offsets[low : high + 1] - offsets[low]
        out_terms, out_impacts = np.empty(bounds[-1], dtype=np.int32), np.empty(bounds[-1], dtype=np.uint16)
        transpose(*packed, terms, low, high, bounds[:-1].copy(), out_terms, out_impacts)
        limits = bounds.tolist()
        for at, (begin, end) in enumerate(pairwise(limits), start=low):
            some = [names[term] for term in out_terms[begin:end].tolist()]
            yield (chunk << arrays.chunk_bits) + at, dict(zip(some, out_impacts[begin:end].tolist(), strict=True))
        low = high
