"""The documents that a fit looks at one by one: at most 10,000, whatever the size of the collection."""

from typing import NamedTuple

import numpy as np

from sparseembed.alignment.decoding import Aligned
from sparseembed.arrays import Ints
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.sampling import even_places
from sparseembed.indexing.passages import PassagedStore
from sparseembed.progress import track
from sparseembed.sparse.sparsify import Sparsifier, with_best

DOCUMENTS = 10_000
BLOCK = 512  # documents decoded at once


class Sample(NamedTuple):
    """Documents spread evenly over a corpus, none of them blank.

    :param rows: Their places in the corpus, ascending, shape (n,).
    :param documents: The documents, n of them.
    :param asked: Places in the sample of those that may give a sentence to choose the mix on; None for all.
    """

    rows: Ints
    documents: list[Document]
    asked: list[int] | None = None

    @classmethod
    def of(cls, corpus: Corpus, filled: Ints, unseen: set[str] | None = None) -> "Sample":
        """Draw a sample.

        :param corpus: The documents.
        :param filled: Places of those that are not blank, ascending.
        :param unseen: Ids of documents that the embedder was not adapted to the corpus on: these alone may give
            sentences, and all of them are in the sample; None where the embedder was not adapted to it.
        """
        rows = filled[even_places(len(filled), DOCUMENTS)]
        if unseen is None:
            return cls(rows, corpus.take(rows))
        ids = corpus.ids
        own = filled[[ids[row] in unseen for row in filled.tolist()]]
        rows = np.union1d(rows, own)
        return cls(rows, corpus.take(rows), np.searchsorted(rows, own).tolist())


def decode_sample(sample: Sample, store: PassagedStore, sparsifier: Sparsifier) -> list[Aligned]:
    """Return the aligned terms of a sample's documents, of each part of the term space.

    :param sample: The documents, n of them.
    :param store: Embeddings of the corpus.
    :param sparsifier: Decodes them.
    :return: For each part, shape (n, K).
    """
    blocks = []
    with track("decoding a sample", len(sample.rows), "documents") as bar:
        for start in range(0, len(sample.rows), BLOCK):
            rows = sample.rows[start : start + BLOCK]
            blocks.append(decode_rows(rows, store, sparsifier))
            bar.update(len(rows))
    parts = zip(*blocks, strict=True)
    return [
        Aligned(np.concatenate([each.terms for each in part]), np.concatenate([each.scores for each in part]))
        for part in parts
    ]


def decode_rows(rows: Ints, store: PassagedStore, sparsifier: Sparsifier) -> list[Aligned]:
    """Return the aligned terms of some documents, of each part of the term space.

    :param rows: Their rows, shape (n,).
    :param store: Their embeddings.
    :param sparsifier: Decodes them.
    :return: For each part, shape (n, K).
    """
    several = store.several_of(rows.tolist())
    best = {place: sparsifier.decode_passages(each.blocks()) for place, each in several.items()}
    return with_best(sparsifier.decode(store.first(rows)), best)
