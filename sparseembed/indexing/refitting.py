"""The query encoders of an index that stands, fitted anew: from the index's own texts, without its embeddings.

The collection's embeddings may be gone from the cache, and are not needed: the index is searched for the sentences, and
carries each document's embedding in 8 bits. Some hundred texts are encoded.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sparseembed.arrays import Vectors
from sparseembed.data.corpus import Corpus
from sparseembed.data.sampling import even_places
from sparseembed.embedders.adapters import held_out_documents
from sparseembed.embedders.store import Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, DataError
from sparseembed.files import cache_folder, digest
from sparseembed.index.snapshot import Snapshot
from sparseembed.index.statistics import LAYERS, Rescoring, Statistics, load_rescoring
from sparseembed.indexing.candidates import candidates_in_index
from sparseembed.indexing.encoders import LEAST_TEXTS, TEXTS, Fitted, fit_query_encoders, sample_texts
from sparseembed.indexing.fit import sparsifier_of
from sparseembed.indexing.mixing import LEAST_SENTENCES, SENTENCES, asked_of
from sparseembed.indexing.refusal import choices_told
from sparseembed.indexing.rescoring import RescoringChoice, choose_on, load_kernels, usual
from sparseembed.indexing.sample import Sample
from sparseembed.pseudo.queries import sentence_pairs
from sparseembed.retrieval.rescoring import ENCODERS, FULL, NONE, without_embeddings


def check_layers(layers: int) -> None:
    """Refuse a number of layers that no model has.

    :raises ConfigError: It is out of range.
    """
    if not 1 <= layers <= LAYERS:
        raise ConfigError(f"the layers of a small query encoder must be from 1 to {LAYERS:,}, not {layers}")


def fit_index_encoders(
    snapshot: Snapshot, corpus: Corpus, embedder: TransformerEmbedder, queries: Sequence[str], layers: int
) -> Statistics:
    """Fit the static and the small query encoder to an index, and choose how they rescore there.

    :param snapshot: The index; it carries embeddings.
    :param corpus: Its documents.
    :param embedder: Its embedder.
    :param queries: Further texts to fit them to; blank ones do not count.
    :param layers: Layers of the embedder that the small one runs.
    :return: The index's statistics, with the encoders and what is told of them; all else as it was.
    :raises DataError: The texts are too few.
    :raises EmbedderError: The model failed.
    :raises IndexFolderError: The index carries no embeddings, or is damaged.
    """
    statistics, stay, place = snapshot.statistics(), _staying(snapshot), _Place(corpus, embedder)
    filled = np.flatnonzero([bool(document.contents) for document in corpus])
    sample = Sample.of(corpus, filled, held_out_documents(embedder.adapters, corpus.has_id))
    asked = [query for query in dict.fromkeys(map(str.strip, queries)) if query]
    texts = sample_texts(sample) + [asked[number] for number in even_places(len(asked), TEXTS).tolist()]
    if len(texts) < LEAST_TEXTS:
        raise DataError(
            f"{snapshot.path} has too few texts to fit a query encoder to, {len(texts):,} of at least {LEAST_TEXTS}: "
            "give more with --queries"
        )
    folder = place.folder("query", "titles")
    fitted = fit_query_encoders(corpus.name, texts, layers, folder, sample, embedder)
    chosen, sentences = _chosen(snapshot, statistics, sample, fitted, stay, embedder, place)
    told = choices_told(chosen, sentences, fitted)
    before = statistics.rescoring or {}
    for encoder in (NONE, FULL):
        # Their weights stay; what they find is told as it is told of the others.
        new = {key: told[encoder][key] for key in ("behind", "sentences", "nDCG@10") if key in told[encoder]}
        told[encoder] = before[encoder] | (new if sentences else {"behind": {}})
    return replace(statistics, early=fitted.small, static=fitted.static, rescoring=told)


def _chosen(
    snapshot: Snapshot,
    statistics: Statistics,
    sample: Sample,
    fitted: Fitted,
    stay: dict[str, Rescoring],
    embedder: TransformerEmbedder,
    place: "_Place",
) -> tuple[dict[str, RescoringChoice], list[str]]:
    """Choose how the fitted encoders rescore, the others staying as they are; also return the sentences."""
    pairs = sentence_pairs(sample.documents, SENTENCES, sample.asked)
    if len(pairs) < LEAST_SENTENCES:
        there = [encoder for encoder in ENCODERS if encoder in stay or encoder in fitted.fidelity]
        return {encoder: usual(encoder, fitted.fidelity, stay[FULL].weight) for encoder in there}, []
    load_kernels()
    taken = {sample.documents[number].id: pair for number, pair in pairs.items()}
    sentences = [pair.query for pair in taken.values()]
    rests = place.encode("rests", [pair.positive for pair in taken.values()], "document")
    queries = {
        **{name: encoder.encode(sentences) for name, encoder in fitted.encoders(embedder).items()},
        FULL: place.encode("sentences", sentences, "query"),
    }
    sparsifier = sparsifier_of(statistics, embedder)
    given = {
        encoder: candidates_in_index(snapshot, statistics, sparsifier, taken, rests, queries.get(encoder))
        for encoder in (NONE, *queries)
    }
    whose = asked_of(snapshot.manifest.corpus["name"], sample)
    chosen = choose_on(
        given, len(sentences), whose, queries, statistics.centres[1], statistics.config.literal, fitted.fidelity, stay
    )
    return chosen, sentences


def _staying(snapshot: Snapshot) -> dict[str, Rescoring]:
    """Return the weights of the encoders that stay as they are.

    :raises IndexFolderError: The index carries no embeddings, or is damaged.
    """
    found = {encoder: load_rescoring(snapshot.statistics_files, encoder) for encoder in (NONE, FULL)}
    stay = {encoder: weights for encoder, weights in found.items() if weights is not None}
    if len(stay) < len(found) or not all(segment.dimension for segment in snapshot.segments):
        raise without_embeddings(snapshot.path)
    return stay


class _Place:
    """Where the embeddings of an index's texts are kept, so that a call that was interrupted goes on."""

    def __init__(self, corpus: Corpus, embedder: TransformerEmbedder) -> None:
        self._corpus, self._embedder = corpus, embedder

    def folder(self, side: str, what: str) -> Path:
        """Return where texts of a kind are kept."""
        kept = f"{self._embedder.spec.name}-{digest(self._embedder.identity(side))[:10]}"
        return cache_folder("embeddings", "small", self._corpus.fingerprint[:20], kept, what)

    def encode(self, what: str, texts: Sequence[str], side: str) -> Vectors:
        """Embed texts."""
        given = Texts(f"{self._corpus.name}, {what}", digest(texts), [str(row) for row in range(len(texts))], texts)
        return encode_to_store(self.folder(side, what), given, self._embedder, side, redo=True).matrix()
