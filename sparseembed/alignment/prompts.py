"""Aligned terms of texts that were embedded under several prompts: a term has its best score."""

import numpy as np

from sparseembed.alignment.decoding import Aligned
from sparseembed.arrays import Vectors


def best_of_prompts(aligned: Aligned, prompts: int, even: bool = False) -> Aligned:
    """Return the k terms of each text that score highest under any prompt.

    Of the k best of all, each is among the k best under the prompt of its best score: no other scores are needed.

    :param aligned: Of the P prompts of each text, one below the other, shape (n P, k).
    :param prompts: P.
    :param even: Whether the scores under each prompt are scaled first so that the best is as large as that under all.
    :return: Shape (n, k), best first; of equal scores the smaller number first.
    """
    rows, k = len(aligned.terms) // prompts, aligned.terms.shape[1]
    under: Vectors = aligned.scores.reshape(rows, prompts, k)
    if even:
        largest = np.maximum(under.max(axis=2, initial=0.0), np.float32(0))
        top = largest.max(axis=1, initial=0.0)
        factors = np.where(top > 0, top, 1)[:, None] / np.where(largest > 0, largest, 1)
        under = under * factors[:, :, None].astype(np.float32)
    terms, scores = aligned.terms.reshape(rows, prompts * k), under.reshape(rows, prompts * k)
    # By term, its best score first; what is left of a term is put last.
    order = np.lexsort((-scores, terms), axis=1)
    terms, scores = np.take_along_axis(terms, order, axis=1), np.take_along_axis(scores, order, axis=1)
    again = np.zeros(terms.shape, dtype=np.bool_)
    again[:, 1:] = terms[:, 1:] == terms[:, :-1]
    order = np.lexsort((terms, -scores, again), axis=1)[:, :k]
    return Aligned(np.take_along_axis(terms, order, axis=1), np.take_along_axis(scores, order, axis=1))
