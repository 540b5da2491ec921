"""Groups of pairs that are about the same: the negatives that a batch of them gives are hard ones.

Batches of one topic (Hofstätter et al., 2021, "Efficiently Teaching an Effective Dense Retriever with Balanced Topic
Aware Sampling") need no further model or index, and cost no further forward pass.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Ints
from sparseembed.pseudo.folding import WordTable
from sparseembed.pseudo.pairs import Pair

DIMENSION = 64
SAMPLE = 20_000  # pairs that the topics' space is fitted on
ROUNDS = 4  # of the iterations towards that space, and of each balanced split

Points = npt.NDArray[np.float32]


def topic_points(pairs: Sequence[Pair], rng: np.random.Generator) -> Points:
    """Return pairs as points: latent semantic analysis of their words, weighed by tf-idf.

    :param pairs: The pairs, n.
    :param rng: Where chance comes from.
    :return: Shape (n, k), k at most DIMENSION; distances count, axes mean nothing.
    """
    words = _weighed(WordTable.of(f"{pair.query} {pair.positive}" for pair in pairs))
    count, width = words.shape
    rank = min(DIMENSION, count, width)
    if rank == 0:
        return np.zeros((count, 1), dtype=np.float32)
    sample = words
    if count > SAMPLE:
        sample = words[np.sort(rng.choice(count, SAMPLE, replace=False))]
    # Subspace iteration: its span comes close to that of the largest singular vectors.
    basis = rng.standard_normal((width, rank)).astype(np.float32)
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(np.asarray(sample.T @ (sample @ basis)))
    return np.asarray(words @ basis, dtype=np.float32)


def topic_groups(points: Points, count: int, rng: np.random.Generator) -> list[Ints]:
    """Divide points into groups of near ones, by splits in two along directions that chance begins.

    :param points: Shape (n, k).
    :param count: How many groups, 1 to n; their sizes are nearly equal.
    :param rng: Where chance comes from: other chance, other groups.
    :return: Numbers of points, each in one group; groups that follow each other are near, too.
    """
    waiting = [(rng.permutation(len(points)), count)]
    groups = []
    while waiting:
        some, parts = waiting.pop()
        if parts == 1:
            groups.append(some)
            continue
        near = points[some]
        direction = near[0] - near[1]
        cut = len(some) * (parts // 2) // parts
        order = np.arange(len(some))
        for _ in range(ROUNDS):
            order = np.argsort(near @ direction, kind="stable")
            direction = near[order[cut:]].mean(axis=0) - near[order[:cut]].mean(axis=0)
        waiting += [(some[order[cut:]], parts - parts // 2), (some[order[:cut]], parts // 2)]
    return groups


def _weighed(table: WordTable) -> Any:
    """Return tf-idf of texts, each of length 1: sparse, shape (n, words)."""
    from scipy.sparse import csr_array

    shape = (len(table), len(table.vocabulary))
    counts = csr_array((np.ones(len(table.ids), dtype=np.float32), table.ids, table.starts), shape=shape)
    counts.sum_duplicates()
    holding = np.bincount(counts.indices, minlength=shape[1])
    # A word of one text alone tells nothing of its neighbours.
    idf = np.where(holding > 1, np.log(max(1, shape[0]) / np.maximum(1, holding)), 0.0).astype(np.float32)
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.maximum(lengths, 1e-6), np.diff(counts.indptr))
    return counts
