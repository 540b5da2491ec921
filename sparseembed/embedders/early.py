"""A small query encoder: the first layers of the embedder, and a linear map to what the whole of it makes of a query.

The map is fitted in closed form (ridge regression on standardised features) to a collection's own titles and sentences,
whose embeddings by the whole model are known; nothing is trained. The features are the last token's state after the
first layers, and the mean of all tokens' states. Where a head that was fitted to general texts is known
(`embedders.query_head`), the collection's own is fitted to what that one leaves over: a ridge regression that shrinks
to it and not to zero.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparseembed.arrays import Floats, Vectors

if TYPE_CHECKING:
    from sparseembed.embedders.transformer import TransformerEmbedder

DEPTH = 4
"""Layers of the model that are run; all of one that has fewer."""

STRENGTH = 300.0
"""Strength of the regularisation, in units of one text's weight on standardised features."""

AROUND = 1000.0
"""The same beside a general head, which less has to be added to."""

_FEW = 4
HELD_OUT = 8
"""Every so many texts one is held out, to see how near the map comes to the whole model."""


class EarlyHead(NamedTuple):
    """The map: (features - mean) / scale @ weights + offset.

    :param depth: Layers that make the features; 0 where none is run.
    :param mean: Shape (f,).
    :param scale: Shape (f,).
    :param weights: Shape (f, d), float32.
    :param offset: Shape (d,).
    """

    depth: int
    mean: Vectors
    scale: Vectors
    weights: Vectors
    offset: Vectors

    def apply(self, features: Vectors) -> Vectors:
        """Return embeddings, shape (n, d), of features, shape (n, f)."""
        inputs = (features - self.mean) / self.scale
        # Few at a time without a matrix product: OpenBLAS's threads would go on spinning beside the next model call.
        few = len(inputs) <= _FEW
        found = (np.einsum("nf,fd->nd", inputs, self.weights) if few else inputs @ self.weights) + self.offset
        return found.astype(np.float32)


class StaticHead(NamedTuple):
    """The head of a static query encoder (`alignment.static`), whose features are sums of vectors of tokens.

    :param idf: Of each token, shape (V,), float32: ln(1 + N / (1 + df)) with N texts, of which df hold the token.
    :param head: The map of the sums, of depth 0: no layer makes them.
    """

    idf: Vectors
    head: EarlyHead


class Fidelity(NamedTuple):
    """How near a head comes to the whole model on texts that it was not fitted to.

    :param texts: Texts that it was measured on.
    :param cosine: Mean cosine of its embeddings with the model's, both seen from the mean of the model's.
    """

    texts: int
    cosine: float


def fit_early_head(
    features: Vectors, wanted: Vectors, depth: int, strength: float | None = None, general: EarlyHead | None = None
) -> EarlyHead:
    """Fit the map.

    :param features: Of n texts, shape (n, f), by `TransformerEmbedder.early`.
    :param wanted: Their embeddings by the whole model, shape (n, d).
    :param depth: Layers that made the features.
    :param strength: Strength of the regularisation: `STRENGTH`, or `AROUND` beside a general head, when None.
    :param general: A head of as many layers that was fitted to general texts.
    :return: The head.
    """
    if strength is None:
        strength = STRENGTH if general is None else AROUND
    mean, scale = features.mean(axis=0), features.std(axis=0) + np.float32(1e-6)
    left = wanted if general is None else wanted - general.apply(features)
    offset = left.mean(axis=0)
    inputs = ((features - mean) / scale).astype(np.float64)
    gram: Floats = inputs.T @ inputs
    gram[np.diag_indices_from(gram)] += strength
    weights = np.linalg.solve(gram, inputs.T @ (left - offset).astype(np.float64)).astype(np.float32)
    if general is not None:  # one map that does what both do
        weights += (scale / general.scale)[:, None] * general.weights
        offset = offset + general.offset + (mean - general.mean) / general.scale @ general.weights
    return EarlyHead(depth, mean, scale, weights, offset)


def measure_fidelity(features: Vectors, wanted: Vectors, depth: int, general: EarlyHead | None = None) -> Fidelity:
    """Fit a head to most of the texts and compare what it makes of the others.

    :param features: As in `fit_early_head`.
    :param wanted: As in `fit_early_head`.
    :param depth: As in `fit_early_head`.
    :param general: As in `fit_early_head`.
    :return: How near it comes.
    """
    held = np.arange(len(wanted)) % HELD_OUT == HELD_OUT - 1
    if not held.any():
        return Fidelity(0, 0.0)
    centre = wanted[~held].mean(axis=0)
    found = fit_early_head(features[~held], wanted[~held], depth, general=general).apply(features[held]) - centre
    own = wanted[held] - centre
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(own, axis=1)
    return Fidelity(int(held.sum()), float(((found * own).sum(axis=1) / np.maximum(norms, 1e-12)).mean()))


class EarlyEncoder:
    """Queries to embeddings by the first layers and a head."""

    def __init__(self, embedder: "TransformerEmbedder", head: EarlyHead) -> None:
        """Take the parts.

        :param embedder: The embedder that the head was fitted to.
        :param head: The head.
        """
        self._embedder, self._head = embedder, head

    def encode(self, texts: Sequence[str], side: str = "query") -> Vectors:
        """Embed texts.

        :param texts: The texts; a blank one gets a zero vector.
        :param side: Whose prompt; heads are fitted to queries.
        :return: Shape (n, d), float32.
        """
        features = self._embedder.early(texts, self._head.depth, side)
        found = self._head.apply(features)
        found[~features.any(axis=1)] = 0
        return found
