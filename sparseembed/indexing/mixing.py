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
import numpy.typing as npt

from sparseembed.arrays import Floats, Vectors
from sparseembed.data.corpus import Corpus
from sparseembed.data.sampling import even_places
from sparseembed.embedders.adapters import held_out_documents
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import digest
from sparseembed.indexing.encoding import EncodedCorpus
from sparseembed.progress import note, track
from sparseembed.pseudo.pairs import Pair
from sparseembed.pseudo.queries import sentence_pairs
from sparseembed.retrieval.query import InferenceFree
from sparseembed.sparse.sparsify import Sparsifier
from sparseembed.sparse.terms import TermSpace

USUAL = 0.5  # where nothing can be chosen; the best of SciFact's train split with the shipped adapter
CANDIDATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.6, 2.0)
SENTENCES = 256
LEAST_SENTENCES = 32  # fewer tell nothing
DOCUMENTS = 10_000  # that a sentence is searched among, at most
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


def choose_mix(
    corpus: Corpus, encoded: EncodedCorpus, embedder: TransformerEmbedder, space: TermSpace, sparsifier: Sparsifier
) -> MixChoice:
    """Choose the mix of a collection.

    :param corpus: The documents.
    :param encoded: Their embeddings; those of the texts without their sentences are kept beside them.
    :param embedder: What made them.
    :param space: The terms of the index.
    :param sparsifier: What makes its weights, but for the mix.
    :return: The choice, the same each time.
    """
    filled = np.asarray([place for place, document in enumerate(corpus) if document.contents], dtype=np.int64)
    unseen = held_out_documents(embedder.adapters, corpus.has_id)
    rows, asked = _searched(corpus, filled, unseen)
    pairs = sentence_pairs([corpus[int(row)] for row in rows], SENTENCES, asked)
    whose = f"{corpus.name}'s documents" + ("" if unseen is None else " that the adapter was not trained on")
    if len(pairs) < LEAST_SENTENCES:
        note(f"mix {USUAL:g}, the usual one: too few of {whose} have several sentences to choose it on")
        return MixChoice(USUAL, USUAL, 0, {}, unseen is not None)
    rests = _encode_rests(rows, pairs, corpus, encoded, embedder)
    literal, aligned = _Trial(rows, pairs, space, sparsifier).scores(encoded.documents, rests)
    wanted = np.asarray(list(pairs))
    gains = {mix: gain_of(literal + mix * aligned, wanted) for mix in CANDIDATES}
    curve = {mix: float(each.mean()) for mix, each in gains.items()}
    best = best_mix(gains)
    choice = MixChoice(tempered(best), best, len(pairs), curve, unseen is not None)
    halved = f" ({best:g} finds them best)" if choice.mix != best else ""
    note(
        f"mix {choice.mix:g}, chosen on {len(pairs)} sentences of {whose}{halved}: nDCG@10 of the rest "
        f"{curve[best]:.3f}, and {curve[0.0]:.3f} without aligned terms"
    )
    return choice


def _searched(
    corpus: Corpus, filled: npt.NDArray[np.int64], unseen: set[str] | None
) -> tuple[npt.NDArray[np.int64], list[int] | None]:
    """Return the documents that are searched, and the places among them that may give a sentence; None for all."""
    rows = filled[even_places(len(filled), DOCUMENTS)]
    if unseen is None:
        return rows, None
    own = np.asarray([row for row in filled.tolist() if corpus[row].id in unseen], dtype=np.int64)
    rows = np.union1d(rows, own)
    return rows, np.searchsorted(rows, own).tolist()


def gain_of(scores: Floats, wanted: npt.NDArray[np.int64]) -> Floats:
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


def _encode_rests(
    rows: npt.NDArray[np.int64],
    pairs: Mapping[int, Pair],
    corpus: Corpus,
    encoded: EncodedCorpus,
    embedder: TransformerEmbedder,
) -> Vectors:
    """Encode the texts without their sentences, once, shape (q, d)."""
    ids = [corpus[int(rows[place])].id for place in pairs]
    rests = [pair.positive for pair in pairs.values()]
    texts = Texts(f"{corpus.name}, documents without a sentence", digest([ids, rests]), ids, rests)
    return encode_to_store(encoded.documents.folder.parent / "rests", texts, embedder, redo=True).matrix()


class _Trial:
    """Sentences searched among documents, of which those that gave one stand there without it."""

    def __init__(
        self, rows: npt.NDArray[np.int64], pairs: Mapping[int, Pair], space: TermSpace, sparsifier: Sparsifier
    ) -> None:
        """Count the literal terms of what is searched, and of the sentences."""
        from scipy.sparse import csr_array

        self._rows, self._places = rows, np.asarray(list(pairs))
        number = {term: place for place, term in enumerate(space.terms)}
        texts = {
            place: [number[term] for term in space.literal.of(pair.positive) if term in number]
            for place, pair in pairs.items()
        }
        self._counts = sparsifier.counts.excerpt(rows, texts)
        self._sparsifier = sparsifier.but(sparsifier.config.with_changes(literal=False), self._counts)
        self._terms = len(number)
        free = InferenceFree(space.literal)
        queries = [free.encode(pair.query) for pair in pairs.values()]
        entries = [
            (number[term], column, weight)
            for column, query in enumerate(queries)
            for term, weight in query.items()
            if term in number
        ]
        terms, columns, weights = np.asarray(entries, dtype=np.int64).reshape(-1, 3).T
        self._asked: Any = csr_array((weights.astype(np.float64), (terms, columns)), shape=(len(number), len(pairs)))

    def scores(self, documents: EmbeddingStore, rests: Vectors) -> tuple[Floats, Floats]:
        """Return the literal and the aligned scores, both of shape (n, q)."""
        shape = (len(self._rows), len(self._places))
        literal, aligned = np.empty(shape), np.empty(shape)
        with track("choosing the mix", len(self._rows), "documents") as bar:
            for start in range(0, len(self._rows), BLOCK):
                block = np.arange(start, min(start + BLOCK, len(self._rows)))
                vectors = documents.take(self._rows[block])
                inside = np.isin(self._places, block)
                vectors[self._places[inside] - start] = rests[inside]
                literal[block] = (self._counts.bm25(block) @ self._asked).toarray()
                aligned[block] = (self._weights(block, vectors) @ self._asked).toarray()
                bar.update(len(block))
        return literal, aligned

    def _weights(self, block: npt.NDArray[np.int64], vectors: Vectors) -> Any:
        from scipy.sparse import csr_array

        found = self._sparsifier.block(block, vectors)
        return csr_array((found.weights, found.terms, found.indptr), shape=(len(block), self._terms))
