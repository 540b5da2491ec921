"""Aligned scores to weights."""

import numpy as np

from sparseembed.arrays import Vectors
from sparseembed.sparse.config import SparseConfig


def weigh(scores: Vectors, idf: Vectors, config: SparseConfig) -> Vectors:
    """Turn the scores of aligned terms into weights.

    Floor, relu, weighting function, scale, idf, in this order. A negative score becomes weight 0, that is: no posting.

    :param scores: Scores of each text's K aligned terms, best first, shape (n, K).
    :param idf: Idf of the same terms, shape (n, K).
    :param config: The choices.
    :return: Weights >= 0, shape (n, K), float32.
    """
    if not scores.shape[1]:
        return scores.astype(np.float32)
    weights = scores - np.maximum(scores[:, -1:], 0.0) if config.floor == "kth" else scores
    weights = np.maximum(weights, 0.0)
    if config.weighting == "log1p":
        weights = np.log1p(weights)
    elif config.weighting == "sqrt":
        weights = np.sqrt(weights)
    if config.scale == "document":
        weights = weights / np.maximum(weights.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    if config.idf:
        weights = weights * idf
    result: Vectors = weights.astype(np.float32)
    return result
