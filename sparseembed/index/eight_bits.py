"""Embeddings in 8 bits: their directions, which is all that a cosine looks at."""

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Vectors


def eight_bits(vectors: Vectors, centre: Vectors) -> npt.NDArray[np.int8]:
    """Return the directions of embeddings, seen from the centre, each scaled so that its largest number is 127.

    :param vectors: Shape (n, d). A row of zeros, a blank text, stays one.
    :param centre: Mean embedding of a collection's texts, shape (d,).
    :return: Shape (n, d).
    """
    apart = np.where(vectors.any(axis=1, keepdims=True), vectors - centre, np.float32(0))
    largest = np.abs(apart).max(axis=1, keepdims=True, initial=0)
    scaled = np.divide(apart * 127, largest, out=np.zeros_like(apart), where=largest > 0)
    rows: npt.NDArray[np.int8] = np.rint(scaled).astype(np.int8)
    return rows


def cosines(rows: npt.NDArray[np.int8], query: Vectors, centre: Vectors) -> Vectors:
    """Return the cosine of a query's embedding with documents'.

    :param rows: What `eight_bits` made of the documents', shape (n, d).
    :param query: Shape (d,), not centred.
    :param centre: Mean embedding of texts like queries, shape (d,).
    :return: Shape (n,); 0 for a blank text.
    """
    apart = query - centre
    floats = rows.astype(np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", floats, floats)) * np.float32(np.linalg.norm(apart))
    # Not a matrix product: the threads that OpenBLAS takes for one go on spinning after it, beside the next model call.
    dots = np.einsum("nd,d->n", floats, apart)
    cosines: Vectors = np.divide(dots, norms, out=np.zeros(len(rows), dtype=np.float32), where=norms > 0)
    return cosines
