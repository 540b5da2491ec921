"""The second half of a build: documents, weighed by fitted statistics, into segments and Lucene."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Vectors
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.windows import Reach
from sparseembed.index.block import Block
from sparseembed.index.eight_bits import eight_bits
from sparseembed.index.segment.writer import SegmentWriter
from sparseembed.index.statistics import Statistics
from sparseembed.indexing.carrying import carried
from sparseembed.indexing.passages import PassagedStore, Several
from sparseembed.sparse.sparsify import Decoded, Sparsifier, Weighted
from sparseembed.sparse.terms import Counted

BLOCK = 512  # documents written at once
MEMORY = 64 << 20  # bytes of postings that are collected before they are sorted and put aside


class Source(NamedTuple):
    """Documents and their embeddings.

    :param corpus: The documents.
    :param store: Embeddings, in the same order.
    :param first: Row of the first document in the store.
    :param names: What a manifest calls the stores, where another machine has them in its cache.
    """

    corpus: Corpus
    store: PassagedStore
    first: int = 0
    names: list[str] | None = None

    def blocks(self) -> Iterator[tuple[list[Document], Vectors, dict[int, Several]]]:
        """Yield the documents with their embeddings, and the passages of those that have several, some at a time.

        The embeddings are those of a document, shape (n, d), and where there are P document prompts those under the
        other ones beside them, shape (n, P d).
        """
        row = self.first
        for documents in self.corpus.batches(BLOCK):
            rows = range(row, row + len(documents))
            vectors = self.store.rows(rows.start, rows.stop)
            if self.store.prompts > 1:
                vectors = np.hstack([vectors, self.store.wide(np.asarray(rows))[:, self.store.dimension :]])
            yield documents, vectors, self.store.several_of(rows)
            row += len(documents)

    def cut(self, reach: Reach) -> int:
        """Return how many texts are not embedded to their end; they are gone through where the store has more texts.

        :param reach: As `TransformerEmbedder.reach`.
        """
        cut, row = self.store.cut, self.first
        if not cut or len(self.corpus) == len(self.store):
            return cut
        cut = 0
        for documents in self.corpus.batches(BLOCK):
            several = self.store.several_of(range(row, row + len(documents)))
            texts = [each.contents for place, each in enumerate(documents) if place not in several]
            for place, each in several.items():
                texts += [documents[place].contents[begin:end] for begin, end in each.spans.tolist()]
            cut += sum(taken is not None for taken in reach(texts))
            row += len(documents)
        return cut


@dataclass
class Written:
    """What was written, in sums.

    :ivar documents: Documents.
    :ivar blank: Those without text.
    :ivar empty: Those without a posting.
    :ivar split: Those of several passages.
    :ivar passages: The passages of these.
    :ivar postings: Postings.
    :ivar length: Literal terms of the documents, repetitions included.
    :ivar unknown: How many of these are not known to the statistics.
    :ivar frequency: Documents that each known term stands in literally, shape (T,).
    :ivar mean: Sum of the documents' unit embeddings, shape (d,).
    """

    documents: int = 0
    blank: int = 0
    empty: int = 0
    split: int = 0
    passages: int = 0
    postings: int = 0
    length: int = 0
    unknown: int = 0
    frequency: Any = field(default=0)
    mean: Any = field(default=0.0)

    @property
    def known_share(self) -> float:
        """Share of the literal terms that the statistics know."""
        return 1 - self.unknown / max(1, self.length)


class Taker(Protocol):
    """Takes weighed documents, block by block."""

    def add(self, block: Block, /) -> Any:
        """Take a block."""


class DocumentWriter:
    """Turns documents into impacts and hands them on. A block of documents needs nothing of the others."""

    def __init__(self, statistics: Statistics, sparsifier: Sparsifier, *sinks: "Taker") -> None:
        """Take the parts.

        :param statistics: What was fitted.
        :param sparsifier: What weighs documents by it.
        :param sinks: Take the documents: a segment for the native engine, a store of Lucene.
        """
        self._statistics, self._sparsifier, self._sinks = statistics, sparsifier, sinks
        self.written = Written()

    def add(
        self,
        ids: Sequence[str],
        texts: Sequence[str],
        vectors: Vectors,
        several: Mapping[int, Several] | None = None,
        metadata: Sequence[bytes] | None = None,
    ) -> None:
        """Write documents.

        :param ids: Their ids, n of them.
        :param texts: Their texts.
        :param vectors: Their embeddings, shape (n, d), or as `Source.blocks` yields them.
        :param several: Place of a document among them -> its passages, where it has several.
        :param metadata: Their packed metadata; None where they have none.
        """
        several, statistics = several or {}, self._statistics
        counted = statistics.space.count(texts)
        best = {
            place: self._sparsifier.decode_passages(each.wide_blocks(), len(each.spans))
            for place, each in several.items()
        }
        aligned = Decoded(self._sparsifier.decode(vectors), best)
        vectors = vectors[:, : len(statistics.mean)]
        indptr, terms, impacts = quantised(self._sparsifier.weigh(counted.counts, aligned), statistics)
        rows = eight_bits(vectors, statistics.centres[0]) if statistics.centres.size else None
        block = Block(ids, texts, indptr, terms, impacts, statistics.space.terms, counted.unknown, rows, metadata)
        if several:
            held = carried(block, several, best, self._sparsifier.mixed(aligned.take(list(several))), statistics)
            block = block._replace(passages=held)
        for sink in self._sinks:
            sink.add(block)
        self._sum(texts, counted, indptr, vectors)
        self.written.split += len(several)
        self.written.passages += sum(len(each.spans) for each in several.values())

    def _sum(self, texts: Sequence[str], counted: Counted, indptr: npt.NDArray[np.int64], vectors: Vectors) -> None:
        sums, counts = self.written, counted.counts
        sums.documents += len(texts)
        sums.blank += sum(not text.strip() for text in texts)
        sums.empty += int((np.diff(indptr) == 0).sum())
        sums.postings += int(indptr[-1])
        sums.length += int(counts.lengths.sum())
        known = len(self._statistics.space.terms)
        sums.frequency = sums.frequency + counts.frequency[:known]
        sums.unknown += int(counts.matrix.data[counts.matrix.indices >= known].sum())
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        sums.mean = sums.mean + np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0).sum(axis=0)


def quantised(
    weighted: Weighted, statistics: Statistics
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.uint16]]:
    """Return the impacts of weighted terms; terms that get none are left out.

    :param weighted: Weights of n documents.
    :param statistics: Holds the quantiser.
    :return: CSR arrays: indptr, terms, impacts.
    """
    impacts = statistics.quantizer.apply(weighted.weights, weighted.literal)
    kept = impacts > 0
    indptr = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[weighted.indptr]
    return indptr, weighted.terms[kept], impacts[kept].astype(np.uint16)


def new_segment(folder: Path, statistics: Statistics) -> SegmentWriter:
    """Return a writer of a segment for the impacts of statistics."""
    return SegmentWriter(folder, statistics.config.bits, MEMORY, statistics.centres.shape[1])
