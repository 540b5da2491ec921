"""Did a training help? Held-out pairs, searched before and after, dense and by aligned words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.head import decoding_head
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.intervals import bootstrap_means
from sparseembed.progress import track
from sparseembed.pseudo.pairs import Pair
from sparseembed.training.batch import Batch, State, Texts, Vocabulary
from sparseembed.training.lexical import WordStatistics

KINDS = ("dense", "aligned")
CHUNK = 64  # texts encoded between two moves of the bar
Ranks = npt.NDArray[np.float64]


class Gain(NamedTuple):
    """A mean reciprocal rank before and after a training, over the same queries.

    :param before: Before.
    :param after: After.
    :param low: Lower end of the difference's 95% interval, by paired bootstrap over queries.
    :param high: Upper end.
    """

    before: float
    after: float
    low: float
    high: float


class Probe(NamedTuple):
    """What a training changed on held-out pairs.

    :param queries: Number of pairs; each query's own positive is searched among all of them.
    :param gains: `dense` (cosine, each side centred), `aligned` (inference-free query against aligned words), and
        `mean`, the mean of both a query: what decides.
    """

    queries: int
    gains: dict[str, Gain]

    @property
    def helped(self) -> bool:
        """Whether the mean of both is better beyond doubt: the interval lies above 0."""
        return self.gains["mean"].low > 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        gains = {kind: gain._asdict() for kind, gain in self.gains.items()}
        return {"queries": self.queries, "mrr": gains, "helped": self.helped}


def probe(
    before: TransformerEmbedder, after: TransformerEmbedder, pairs: Sequence[Pair], statistics: WordStatistics
) -> Probe:
    """Search held-out pairs before and after a training.

    :param before: The embedder that the training started from.
    :param after: The trained one.
    :param pairs: Held-out pairs, n.
    :param statistics: Counts of words, for the aligned score's idf.
    :return: What changed.
    :raises EmbedderError: An embedder cannot be loaded, or gives NaN.
    """
    ranks = [
        _reciprocal_ranks(embedder, pairs, statistics, label)
        for embedder, label in ((before, "before"), (after, "after"))
    ]
    return probe_of(*ranks)


def probe_of(before: dict[str, Ranks], after: dict[str, Ranks]) -> Probe:
    """Compare reciprocal ranks of the same queries.

    :param before: `dense` and `aligned` -> one reciprocal rank a query, shape (n,).
    :param after: The same after the training.
    :return: What changed.
    """
    sides = [{**found, "mean": np.mean([found[kind] for kind in KINDS], axis=0)} for found in (before, after)]
    first, second = sides
    names = list(first)
    low, high = bootstrap_means(np.column_stack([second[name] - first[name] for name in names]))
    gains = {
        name: Gain(float(first[name].mean()), float(second[name].mean()), float(low[place]), float(high[place]))
        for place, name in enumerate(names)
    }
    return Probe(len(first["mean"]), gains)


def reciprocal_ranks(scores: npt.NDArray[np.floating[Any]]) -> Ranks:
    """Return 1 / rank of each query's own document, the diagonal; ties count against it.

    :param scores: Shape (n, n).
    :return: Shape (n,).

    >>> reciprocal_ranks(np.array([[2.0, 1.0], [1.0, 1.0]])).tolist()
    [1.0, 0.5]
    """
    own = np.diagonal(scores)[:, None]
    result: Ranks = 1.0 / (scores >= own).sum(axis=1)
    return result


def _reciprocal_ranks(
    embedder: TransformerEmbedder, pairs: Sequence[Pair], statistics: WordStatistics, label: str
) -> dict[str, Ranks]:
    import torch

    queries = [pair.query for pair in pairs]
    documents = [pair.positive for pair in pairs]
    with track(f"checking {label} on held-out texts", 2 * len(pairs), "texts") as bar:
        asked, found = (_encode(embedder, *side, bar) for side in ((queries, "query"), (documents, "document")))
    head = decoding_head(embedder)
    batch_vectors = torch.from_numpy(head.inputs(found))
    vocabulary = Vocabulary(head.matrix, embedder.tokenizer, statistics)
    with torch.no_grad():
        aligned = Batch(Texts(queries, documents), batch_vectors, batch_vectors, State(), vocabulary).aligned.numpy()
    return {"dense": reciprocal_ranks(_cosine(asked, found)), "aligned": reciprocal_ranks(aligned)}


def _encode(embedder: TransformerEmbedder, texts: Sequence[str], side: str, bar: Any) -> npt.NDArray[np.float32]:
    parts = []
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]
        parts.append(embedder.encode(chunk, side))
        bar.update(len(chunk))
    return np.concatenate(parts)


def _cosine(queries: npt.NDArray[np.float32], documents: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    sides = []
    for vectors in (queries, documents):
        centred = vectors - vectors.mean(axis=0)
        sides.append(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9))
    result: npt.NDArray[np.float32] = sides[0] @ sides[1].T
    return result
