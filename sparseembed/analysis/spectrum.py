"""Where an embedder differs from its backbone: spectral analysis (uncentred SVD) of the two embedding spaces."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.adjustment import right_singular
from sparseembed.analysis.tokens import Numbers, TokenSets
from sparseembed.arrays import Floats, Vectors

FREQUENT = 20  # tokens that stand in the most texts
KEY_SHARE = 0.1  # a key token of a text stands in at most this share of the texts


class Components(NamedTuple):
    """Principal components of embeddings, uncentred.

    :param values: Singular values, shape (d,), largest first.
    :param directions: Unit vectors as rows, shape (d, d), with the sign that makes the mean coordinate positive.
    :param means: Mean coordinate of the embeddings on each, shape (d,).
    """

    values: Floats
    directions: Floats
    means: Floats


class Contribution(NamedTuple):
    """How far each component lifts tokens' decoded scores above the average token's, mean over texts, shape (d,) each.

    :param key: Of each text's key tokens: those that stand in at most a tenth of the texts.
    :param frequent: Of the tokens that stand in the most texts.
    """

    key: Floats
    frequent: Floats


def components(vectors: Vectors) -> Components:
    """Return the principal components of embeddings, without centring, as the paper takes them.

    :param vectors: Shape (n, d).
    :return: The components.
    """
    values, directions = right_singular(vectors)
    means = directions @ vectors.mean(axis=0, dtype=np.float64)
    signs = np.where(means < 0, -1.0, 1.0)
    return Components(values, directions * signs[:, None], means * signs)


def variation(embedder: Vectors, backbone: Vectors, directions: Floats) -> Floats:
    """Return the change of each component between backbone and embedder.

    v_j = E_i[(h'_i - h_i) · u_j], h' the embedder's embedding of text i, h the backbone's, u_j the backbone's j-th
    component (section 4 of arXiv 2406.17378, as in the authors' script).

    :param embedder: Shape (n, d).
    :param backbone: Shape (n, d), of the same texts.
    :param directions: The backbone's components as rows, shape (d, d).
    :return: Shape (d,).

    >>> variation(np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]]), np.eye(2)).tolist()
    [2.0, 0.0]
    """
    change: Floats = directions @ (embedder.mean(axis=0, dtype=np.float64) - backbone.mean(axis=0, dtype=np.float64))
    return change


def frequent_terms(sets: TokenSets) -> Numbers:
    """Return the terms that stand in the most texts, most frequent first, shape (at most 20,)."""
    counts = sets.frequencies()
    order = np.argsort(-counts, kind="stable")[:FREQUENT]
    result: Numbers = order[counts[order] > 0].astype(np.int64)
    return result


def contribution(vectors: Vectors, directions: Floats, matrix: Vectors, sets: TokenSets) -> Contribution:
    """Return what each component contributes to the scores of key and of frequent tokens.

    The score of token t is the sum over components of (h · u_j)(E_t · u_j). Only a token's place among the others
    matters, so the average token's part is subtracted.

    :param vectors: Embeddings, shape (n, d).
    :param directions: Components as rows, shape (d, d).
    :param matrix: One decoding row a term, shape (T, d).
    :param sets: The texts' tokens.
    :return: The contributions; their sum over components is the mean lift of those tokens' scores.
    """
    average = matrix.mean(axis=0, dtype=np.float64)
    coordinates = vectors.astype(np.float64) @ directions.T
    of_key = (_key_rows(matrix, sets) - average) @ directions.T
    has_key = np.flatnonzero(_key_counts(sets))
    frequent = (matrix[frequent_terms(sets)].mean(axis=0, dtype=np.float64) - average) @ directions.T
    key = (coordinates * of_key)[has_key].mean(axis=0) if len(has_key) else np.zeros(len(directions))
    return Contribution(key, coordinates.mean(axis=0) * frequent)


def fed_terms(direction: Floats, matrix: Vectors, count: int = 20) -> list[tuple[int, float]]:
    """Return the terms whose scores a direction raises most, with its unit vector's score for each.

    :param direction: A component with a positive mean coordinate, shape (d,).
    :param matrix: One decoding row a term, shape (T, d).
    :param count: Terms wanted.
    :return: (term, score), best first.
    """
    scores = matrix @ direction.astype(np.float32)
    return [(int(term), float(scores[term])) for term in np.argsort(-scores, kind="stable")[:count]]


def _is_key(sets: TokenSets) -> npt.NDArray[np.bool_]:
    """Tell which entries of the sets are key tokens, shape (P,)."""
    rare: npt.NDArray[np.bool_] = sets.frequencies()[sets.terms] <= max(1, KEY_SHARE * len(sets))
    return rare


def _key_counts(sets: TokenSets) -> Numbers:
    return np.bincount(sets.owners[_is_key(sets)], minlength=len(sets))


def _key_rows(matrix: Vectors, sets: TokenSets) -> Floats:
    """Return the mean decoding row of each text's key tokens, shape (n, d); zeros for a text without one."""
    from scipy.sparse import csr_array

    chosen = _is_key(sets)
    counts = _key_counts(sets)
    owners, terms = sets.owners[chosen], sets.terms[chosen]
    weights = (1.0 / counts[owners]).astype(np.float32)
    rows: Floats = (csr_array((weights, (owners, terms)), shape=(len(sets), len(matrix))) @ matrix).astype(np.float64)
    return rows
