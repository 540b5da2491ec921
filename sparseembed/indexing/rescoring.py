"""The weight of embeddings where hits are rescored, chosen for a collection without a query or a judgement.

The sentences that the mix is chosen on are searched among their collection's documents; the best hundred of each are
rescored with every weight. The weight that finds the sentences' own documents best is one of several as good as it: the
middle of those around it that are not worse by more than one standard error is taken.
"""

from typing import Any, NamedTuple

import numpy as np

from sparseembed.arrays import Floats, Vectors
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import digest
from sparseembed.index.eight_bits import cosines, eight_bits
from sparseembed.indexing.mixing import DEPTH, Asked
from sparseembed.indexing.sample import Sample
from sparseembed.progress import note
from sparseembed.retrieval.rescoring import CANDIDATES, shares

WEIGHTS = tuple(round(step / 10, 1) for step in range(11))
USUAL = 0.5  # where nothing can be chosen


class RescoringChoice(NamedTuple):
    """A chosen weight.

    :param weight: The cosine's weight beside the sparse score.
    :param sentences: Sentences that it was chosen on; 0 where there were too few, and it is the usual one.
    :param curve: Weight -> mean nDCG@10 of the sentences; empty where there were too few.
    """

    weight: float
    sentences: int
    curve: dict[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Return the choice as plain values, for a manifest."""
        return {**self._asdict(), "curve": {f"{weight:g}": value for weight, value in self.curve.items()}}


USUAL_RESCORING = RescoringChoice(USUAL, 0, {})


def sentence_embeddings(asked: Asked, sample: Sample, store: EmbeddingStore, embedder: TransformerEmbedder) -> Vectors:
    """Return the embeddings of sentences as queries, shape (q, d).

    :param asked: The sentences.
    :param sample: The documents that they are from.
    :param store: The collection's embeddings; those of the sentences are kept beside them.
    :param embedder: What made them.
    """
    if not asked.pairs:
        return asked.rests
    ids, sentences = [sample.documents[place].id for place in asked.pairs], asked.sentences
    texts = Texts(f"sentences of {asked.whose}", digest([ids, sentences]), ids, sentences)
    return encode_to_store(store.folder.parent / "sentences", texts, embedder, "query", redo=True).matrix()


def choose_rescoring(
    asked: Asked, queries: Vectors, mix: float, sample: Sample, store: EmbeddingStore, centres: Vectors, encoder: str
) -> RescoringChoice:
    """Choose the weight of a collection.

    :param asked: Its sentences, and their sparse scores.
    :param queries: Embeddings of the sentences as queries, shape (q, d).
    :param mix: The index's mix.
    :param sample: The documents that were searched.
    :param store: The collection's embeddings.
    :param centres: As in `Statistics`.
    :param encoder: What made the queries' embeddings, for a message.
    :return: The choice, the same each time.
    """
    if not asked.pairs:
        return USUAL_RESCORING
    places = np.asarray(list(asked.pairs))
    vectors = np.array(store.take(sample.rows))
    vectors[places] = asked.rests  # as they were searched: without their sentence
    rows = eight_bits(vectors, centres[0])
    gains = np.zeros((len(WEIGHTS), len(places)))
    for column, place in enumerate(places.tolist()):
        scores = asked.literal[:, column] + mix * asked.expanded[:, column]
        best = np.argsort(-scores, kind="stable")[:CANDIDATES]
        best = best[scores[best] > 0]
        own = np.flatnonzero(best == place)
        if not len(own):
            continue
        cosine = cosines(rows[best], queries[column], centres[1])
        for number, weight in enumerate(WEIGHTS):
            total = np.add(*shares(scores[best], cosine, weight))
            rank = int((total >= total[own[0]]).sum())
            gains[number, column] = 1 / np.log2(1 + rank) if rank <= DEPTH else 0.0
    curve = dict(zip(WEIGHTS, gains.mean(axis=1).tolist(), strict=True))
    weight = middle(gains)
    note(
        f"rescoring weight {weight:g} ({encoder} query encoder), chosen on {len(places)} sentences of {asked.whose}: "
        f"nDCG@10 up to {max(curve.values()):.3f}, and {curve[0.0]:.3f} without rescoring"
    )
    return RescoringChoice(weight, len(places), curve)


def middle(gains: Floats) -> float:
    """Return the middle of the weights that are as good as the best one.

    :param gains: Gain of each sentence with each of `WEIGHTS`, shape (weights, q).
    :return: The middle between the first and the last weight around the best that lose no more than one standard error
        of the difference; of equal bests the nearest to the usual one counts.
    """
    means = gains.mean(axis=1)
    best = max(range(len(WEIGHTS)), key=lambda number: (means[number], -abs(WEIGHTS[number] - USUAL)))
    apart = gains[best] - gains
    error = apart.std(axis=1) / np.sqrt(gains.shape[1])
    good = apart.mean(axis=1) <= error
    first = last = best
    while first and good[first - 1]:
        first -= 1
    while last + 1 < len(WEIGHTS) and good[last + 1]:
        last += 1
    return round((WEIGHTS[first] + WEIGHTS[last]) / 2, 2)
