"""The weight of aligned terms beside literal ones, chosen for a collection without a query or a judgement.

How much an embedder adds to BM25 differs from one collection to the next. So it is measured on the collection itself: a
telling sentence is taken out of a document, whose literal terms and embedding are then those of the rest, and is to
find it again among all the others. That is harder than to find a text by what stands in it, as real queries are. A
score is literal score + mix x aligned score, so each sentence is searched once, and then every mix is known. Still, a
sentence has its author's words and topic in common with the rest, which speaks for aligned terms: of what the best mix
exceeds the usual one by, half is taken. One index on train and dev splits (shipped adapter; the sentences' best mix ->
halved): SciFact .7216 -> .7252, NFCorpus .3106 -> .3161, pydocs .2919 -> .2831; with pieces .7087 -> .7257, .3234 ->
.3264, .2648 -> .2663.

An adapter that was adapted to the collection has seen its sentences and knows where they are from: it would be trusted
too much. Only documents that it was not trained on give sentences then.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sparseembed.arrays import Floats, Ints, Vectors
from sparseembed.embedders.store import Texts
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import digest
from sparseembed.indexing.passages import PassagedStore, encode_passages
from sparseembed.indexing.sample import Sample, decode_rows
from sparseembed.progress import note, track
from sparseembed.pseudo.pairs import Pair
from sparseembed.pseudo.queries import sentence_pairs
from sparseembed.retrieval.query import InferenceFree
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.sparsify import Decoded, Sparsifier
from sparseembed.sparse.terms import TermSpace

USUAL = 0.5  # where nothing can be chosen; the best of SciFact's train split with the shipped adapter
CANDIDATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.6, 2.0)
SENTENCES = 256
LEAST_SENTENCES = 32  # fewer tell nothing
BLOCK = 512
DEPTH = 10


class MixChoice(NamedTuple):
    """A chosen mix.

    :param mix: The mix.
    :param best: The mix that finds the sentences best, which `mix` was taken from.
    :param sentences: Sentences that it was chosen on; 0 where there were too few, and it is the usual one.
    :param curve: Mix -> mean nDCG@10 of the sentences; empty where there were too few.
    :param unseen: Whether only documents that the embedder was not adapted on gave sentences.
    """

    mix: float
    best: float
    sentences: int
    curve: dict[float, float]
    unseen: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the choice as plain values, for a manifest."""
        return {**self._asdict(), "curve": {f"{mix:g}": value for mix, value in self.curve.items()}}


class Asked(NamedTuple):
    """Sentences that were searched, each once.

    :param pairs: Place in the sample -> a sentence of the document, and the rest of it; q of them, or none where there
        are too few.
    :param rests: Embeddings of the rests, shape (q, d).
    :param literal: Literal scores of each document for each sentence, shape (n, q); zeros in an index without literal
        terms.
    :param expanded: Aligned scores, of the same shape.
    :param unseen: Whether only documents that the embedder was not adapted on gave sentences.
    :param whose: The documents, for a message.
    """

    pairs: dict[int, Pair]
    rests: Vectors
    literal: Floats
    expanded: Floats
    unseen: bool
    whose: str

    @property
    def sentences(self) -> list[str]:
        """The sentences, q of them."""
        return [pair.query for pair in self.pairs.values()]


def ask(
    name: str,
    sample: Sample,
    aligned: Decoded,
    store: PassagedStore,
    embedder: TransformerEmbedder,
    space: TermSpace,
    sparsifier: Sparsifier,
) -> Asked:
    """Take sentences out of documents and search them.

    :param name: What the collection is called.
    :param sample: Some of its documents, n.
    :param aligned: Their aligned terms.
    :param store: The collection's embeddings; those of the texts without their sentences are kept beside them.
    :param embedder: What made them.
    :param space: The terms of the index.
    :param sparsifier: What makes its weights, but for the mix.
    :return: What was found, the same each time.
    """
    pairs = sentence_pairs(sample.documents, SENTENCES, sample.asked)
    unseen, whose = sample.asked is not None, asked_of(name, sample)
    if len(pairs) < LEAST_SENTENCES:
        nothing = np.zeros((0, 0))
        return Asked({}, np.zeros((0, embedder.dimension), dtype=np.float32), nothing, nothing, unseen, whose)
    ids, rests = [sample.documents[place].id for place in pairs], [pair.positive for pair in pairs.values()]
    texts = Texts(f"{name}, documents without a sentence", digest([ids, rests]), ids, rests)
    found = encode_passages(store.unsplit / "rests", texts, embedder, store.splitting, redo=True)
    rows = np.arange(len(rests))
    decoded = decode_rows(rows, found, sparsifier)
    literal, expanded = Trial(sample, pairs, space, sparsifier).scores(aligned, decoded)
    if not sparsifier.config.literal:  # an index of aligned terms alone
        literal[:] = 0
    return Asked(pairs, found.take(rows), literal, expanded, unseen, whose)


def asked_of(name: str, sample: Sample) -> str:
    """Say whose sentences are asked, for a message.

    :param name: What the collection is called.
    :param sample: Some of its documents.
    """
    return f"{name}'s documents" + (" that the adapter was not trained on" if sample.asked is not None else "")


def choose_mix(asked: Asked) -> MixChoice:
    """Choose the mix of a collection.

    :param asked: Its sentences.
    :return: The choice.
    """
    if not asked.pairs:
        note(f"mix {USUAL:g}, the usual one: too few of {asked.whose} have several sentences to choose it on")
        return MixChoice(USUAL, USUAL, 0, {}, asked.unseen)
    wanted = np.asarray(list(asked.pairs))
    gains = {mix: gain_of(asked.literal + mix * asked.expanded, wanted) for mix in CANDIDATES}
    curve = {mix: float(each.mean()) for mix, each in gains.items()}
    best = best_mix(gains)
    choice = MixChoice(tempered(best), best, len(asked.pairs), curve, asked.unseen)
    halved = f" ({best:g} finds them best)" if choice.mix != best else ""
    note(
        f"mix {choice.mix:g}, chosen on {len(asked.pairs)} sentences of {asked.whose}{halved}: nDCG@10 of the rest "
        f"{curve[best]:.3f}, and {curve[0.0]:.3f} without aligned terms"
    )
    return choice


def gain_of(scores: Floats, wanted: Ints) -> Floats:
    """Return each query's nDCG@10 with one relevant document: 1 / log2(1 + rank), and 0 from rank 11.

    :param scores: Of each document for each query, shape (n, q).
    :param wanted: Each query's document, shape (q,); it comes after others of the same score.
    :return: Shape (q,).
    """
    own = scores[wanted, np.arange(len(wanted))]
    ranks = (scores >= own).sum(axis=0)
    return np.where((ranks <= DEPTH) & (own > 0), 1 / np.log2(1 + ranks), 0.0)


def best_mix(gains: Mapping[float, Floats]) -> float:
    """Return the mix with the highest mean gain; of equal ones, such as a flat curve has, the nearest to the usual one.

    :param gains: Mix -> each query's gain.
    """
    return max(gains, key=lambda mix: (float(gains[mix].mean()), -abs(mix - USUAL)))


def tempered(best: float) -> float:
    """Return the mix to take where sentences are found best with another: half of what exceeds the usual one is left.

    :param best: The mix that finds them best.

    >>> tempered(1.5), tempered(0.25)
    (1.0, 0.25)
    """
    return best if best <= USUAL else round((best + USUAL) / 2, 6)


class Trial:
    """Sentences searched among documents, of which those that gave one stand there without it."""

    def __init__(self, sample: Sample, pairs: Mapping[int, Pair], space: TermSpace, sparsifier: Sparsifier) -> None:
        """Count the literal terms of what is searched, and of the sentences.

        :param sample: The documents, n of them.
        :param pairs: Place in the sample -> a sentence of the document, and the rest of it; q of them.
        :param space: The terms.
        :param sparsifier: What weighs them.
        """
        from scipy.sparse import csr_array

        self._places = np.asarray(list(pairs))
        texts = [document.contents for document in sample.documents]
        for place, pair in pairs.items():
            texts[place] = pair.positive
        self._counts = space.count(texts).counts
        every = CollectionStatistics.of(self._counts)
        known = len(space.terms)
        # A collection of its own: its sums are those of what is searched.
        self._collection = CollectionStatistics(every.documents, every.length, every.frequency[:known])
        self._sparsifier = sparsifier.but(sparsifier.config.with_changes(literal=False), self._collection)
        free = InferenceFree(space.literal)
        entries = [
            (space.number[term], column, weight)
            for column, pair in enumerate(pairs.values())
            for term, weight in free.encode(pair.query).items()
            if term in space.number
        ]
        terms, columns, weights = np.asarray(entries, dtype=np.int64).reshape(-1, 3).T
        self._asked: Any = csr_array((weights.astype(np.float64), (terms, columns)), shape=(known, len(pairs)))

    def scores(self, aligned: Decoded, rests: Decoded) -> tuple[Floats, Floats]:
        """Return the literal and the aligned scores, both of shape (n, q).

        :param aligned: Aligned terms of the whole documents.
        :param rests: The same of the texts without their sentences, q of them.
        """
        count, known = len(self._counts), self._asked.shape[0]
        literal, expanded = (np.empty((count, len(self._places))) for _ in range(2))
        with track("choosing the mix", count, "documents") as bar:
            for start in range(0, count, BLOCK):
                block = np.arange(start, min(start + BLOCK, count))
                inside = np.flatnonzero(np.isin(self._places, block))
                places = self._places[inside] - start
                parts = _replaced(aligned.take(block.tolist()), places, rests.take(inside.tolist()))
                impacts = self._collection.impacts(self._counts.take(block))[:, :known]
                literal[block] = (impacts @ self._asked).toarray()
                expanded[block] = (self._sparsifier.expansion(parts) @ self._asked).toarray()
                bar.update(len(block))
        return literal, expanded


def _replaced(whole: Decoded, places: Ints, rests: Decoded) -> Decoded:
    """Return aligned terms of which those at some places are others', one a place."""
    for part, rest in zip(whole.parts, rests.parts, strict=True):
        part.terms[places], part.scores[places] = rest.terms, rest.scores
    several = {place: each for place, each in whole.several.items() if place not in places}
    return Decoded(whole.parts, several | {int(places[row]): each for row, each in rests.several.items()})
