"""The documents that a fit looks at one by one: at most 10,000, whatever the size of the collection."""

from typing import NamedTuple

import numpy as np

from sparseembed.alignment.decoding import Aligned, BestOf
from sparseembed.arrays import Ints
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.sampling import even_places
from sparseembed.indexing.passages import PassagedStore
from sparseembed.progress import track
from sparseembed.sparse.sparsify import Decoded, Sparsifier

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


def decode_sample(sample: Sample, store: PassagedStore, sparsifier: Sparsifier) -> Decoded:
    """Return the aligned terms of a sample's documents.

    :param sample: The documents, n of them.
    :param store: Embeddings of the corpus.
    :param sparsifier: Decodes them.
    """
    return decode_rows(sample.rows, store, sparsifier)


def decode_rows(rows: Ints, store: PassagedStore, sparsifier: Sparsifier) -> Decoded:
    """Return the aligned terms of some documents.

    :param rows: Their rows, shape (n,).
    :param store: Their embeddings.
    :param sparsifier: Decodes them.
    """
    blocks: list[list[Aligned]] = []
    several: dict[int, list[BestOf]] = {}
    with track("decoding a sample", len(rows), "documents") as bar:
        for start in range(0, max(len(rows), 1), BLOCK):
            block = rows[start : start + BLOCK]
            blocks.append(sparsifier.decode(store.wide(block)))
            for place, each in store.several_of(block.tolist()).items():
                several[start + place] = sparsifier.decode_passages(each.wide_blocks(), len(each.spans))
            bar.update(len(block))
    parts = zip(*blocks, strict=True)
    joined = [Aligned(*(np.concatenate(column) for column in zip(*part, strict=True))) for part in parts]
    return Decoded(joined, several)
