"""The first half of a build: a collection in, statistics out. What is written with them needs nothing of the others."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sparseembed.alignment.adjustment import SAMPLE, fit_adjustment
from sparseembed.alignment.decoding import Decoder
from sparseembed.alignment.head import Head, decoding_head
from sparseembed.arrays import Ints, Vectors
from sparseembed.data.corpus import Corpus
from sparseembed.data.sampling import stepped_places
from sparseembed.embedders.adapters import held_out_documents
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.index.statistics import SIDES, Statistics, further_sides, of_documents
from sparseembed.indexing.encoders import Fitted, fit_to_sample
from sparseembed.indexing.encoding import EncodedCorpus
from sparseembed.indexing.mixing import Asked, ask, choose_mix
from sparseembed.indexing.passages import PassagedStore
from sparseembed.indexing.refusal import choices_told
from sparseembed.indexing.rescoring import choose_rescoring, sentence_embeddings
from sparseembed.indexing.sample import BLOCK, Sample, decode_sample
from sparseembed.progress import track
from sparseembed.retrieval.rescoring import FULL
from sparseembed.sparse.config import AUTO, SparseConfig
from sparseembed.sparse.quantize import Quantizer, fit_quantizer
from sparseembed.sparse.spaces import SPACES, Backbone, FittedSpace
from sparseembed.sparse.sparsify import Decoded, Sparsifier
from sparseembed.sparse.terms import TermSpace

TEXTS = 1024  # counted at once

Count = Callable[[Corpus, SparseConfig, Backbone], tuple[FittedSpace, Ints]]
"""Fits a term space to a collection; gives the places of the documents that are not blank, too."""


def count_words(corpus: Corpus, config: SparseConfig, backbone: Backbone) -> tuple[FittedSpace, Ints]:
    """Fit a term space, reading the corpus once."""
    reading = _Reading(corpus)
    least = config.least if isinstance(config.least, int) else None
    return SPACES[config.terms](reading, least, backbone, config.analyzer), reading.filled


def fit(
    corpus: Corpus,
    encoded: EncodedCorpus,
    embedder: TransformerEmbedder,
    config: SparseConfig,
    count: Count = count_words,
) -> Statistics:
    """Fit the statistics of a collection.

    The corpus is read once to count its words, and a second time for a sample of at most 10,000 documents, on which
    the mix and the quantiser are fitted. Memory grows with the vocabulary alone.

    :param corpus: The documents.
    :param encoded: Their embeddings.
    :param embedder: What made them.
    :param config: The choices.
    :param count: What counts the words.
    :return: The statistics; the same each time.
    """
    head = decoding_head(embedder)
    fitted, filled = count(corpus, config, Backbone(embedder.tokenizer, len(head.matrix)))
    config = config.with_changes(least=fitted.least)
    seen, *further = np.split(encoded.documents.sample(SAMPLE), encoded.documents.prompts, axis=1)
    sides = {**dict(zip(SIDES, (seen, encoded.query_like.matrix()), strict=True)), **further_sides(further)}
    adjustments = {
        side: fit_adjustment(config.adjustment, head.inputs(vectors), head.matrix) for side, vectors in sides.items()
    }
    mean = mean_direction(seen if encoded.documents.rest is None else sample_vectors(encoded.documents))
    centres = np.stack([_mean(seen), _mean(encoded.query_like.matrix())])
    del seen, further, sides
    decoder = Decoder(fitted.space.rows(head.matrix, embedder.tokenizer), embedder.device)
    sparsifier = Sparsifier(config, fitted.collection, decoder, of_documents(adjustments, head.inputs))
    sample = Sample.of(corpus, filled, held_out_documents(embedder.adapters, corpus.has_id))
    aligned = decode_sample(sample, encoded.documents, sparsifier)
    encoders = fit_to_sample(corpus.name, sample, encoded.documents, embedder) if config.carried else Fitted()
    mix, rescoring, mixed = None, None, config.literal and config.mix == AUTO
    if mixed or config.carried:
        asked = ask(corpus.name, sample, aligned, encoded.documents, embedder, fitted.space, sparsifier)
        if mixed:
            choice = choose_mix(asked)
            config, mix = config.with_changes(mix=choice.mix), choice.as_dict()
            sparsifier = sparsifier.but(config)
        if config.carried:
            rescoring = _rescoring(asked, config, sample, encoded.documents, embedder, centres, encoders)
    return Statistics(
        config=config,
        space=fitted.space,
        collection=fitted.collection,
        adjustments=adjustments,
        quantizer=_quantizer(sample, aligned, fitted.space, sparsifier),
        mean=mean,
        known_share=fitted.known_share,
        rare=fitted.rare,
        mix=mix,
        centres=centres if config.carried else centres[:, :0],
        rescoring=rescoring,
        early=encoders.small,
        static=encoders.static,
    )


def _rescoring(
    asked: Asked,
    config: SparseConfig,
    sample: Sample,
    store: PassagedStore,
    embedder: TransformerEmbedder,
    centres: Vectors,
    fitted: Fitted,
) -> dict[str, Any]:
    """Choose how hits are rescored with each query encoder, as plain values."""
    queries = {FULL: sentence_embeddings(asked, sample, store, embedder)}
    queries |= {name: encoder.encode(asked.sentences) for name, encoder in fitted.encoders(embedder).items()}
    mix = config.weight if config.literal else 1.0
    chosen = choose_rescoring(asked, queries, mix, sample, store, centres, config.literal, fitted.fidelity)
    return choices_told(chosen, asked.sentences, fitted)


def sparsifier_of(statistics: Statistics, embedder: TransformerEmbedder) -> Sparsifier:
    """Return what weighs documents by statistics.

    :param statistics: The statistics.
    :param embedder: The embedder that they were fitted with.
    """
    head: Head = decoding_head(embedder)
    decoder = Decoder(statistics.space.rows(head.matrix, embedder.tokenizer), embedder.device)
    adjustments = of_documents(statistics.adjustments, head.inputs)
    return Sparsifier(statistics.config, statistics.collection, decoder, adjustments)


def sample_vectors(store: EmbeddingStore) -> Vectors:
    """Return one vector a document of all, or of an even sample of about 20,000, shape (n, d)."""
    return store.take(np.asarray(stepped_places(len(store), SAMPLE), dtype=np.int64))


def mean_direction(vectors: Vectors) -> Vectors:
    """Return the mean of the vectors' directions, shape (d,); rows of zeros, blank texts, are left out."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    mean: Vectors = (units.sum(axis=0) / max(1, int((lengths > 0).sum()))).astype(np.float32)
    return mean


def _mean(vectors: Vectors) -> Vectors:
    """Return the mean of vectors, shape (d,); rows of zeros, blank texts, are left out."""
    filled = vectors[vectors.any(axis=1)]
    mean: Vectors = filled.mean(axis=0, dtype=np.float64).astype(np.float32) if len(filled) else vectors.sum(axis=0)
    return mean


class _Reading:
    """The texts of a corpus, some at a time; which of them are not blank is known afterwards."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self.filled: Ints = np.zeros(0, dtype=np.int64)

    def __iter__(self) -> Iterator[Sequence[str]]:
        filled, read = [], 0
        with track("counting words", len(self._corpus), "texts") as bar:
            for documents in self._corpus.batches(TEXTS):
                texts = [document.contents for document in documents]
                filled.append(read + np.flatnonzero(np.asarray([bool(text) for text in texts], dtype=np.bool_)))
                read += len(texts)
                yield texts
                bar.update(len(texts))
        self.filled = np.concatenate([self.filled[:0], *filled])


def _quantizer(sample: Sample, aligned: Decoded, space: TermSpace, sparsifier: Sparsifier) -> Quantizer:
    """Fit the quantiser to the largest weight of a sample; what is larger elsewhere gets the largest impact."""
    largest = 0.0
    for start in range(0, len(sample.rows), BLOCK):
        block = slice(start, start + BLOCK)
        counts = space.count([document.contents for document in sample.documents[block]]).counts
        part = aligned.take(range(len(sample.rows))[block])
        largest = max(largest, float(sparsifier.weigh(counts, part).weights.max(initial=0.0)))
    return fit_quantizer(largest, sparsifier.config.bits)
