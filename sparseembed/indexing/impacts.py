"""Texts to impact vectors by what an index was fitted with, without indexing them."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sparseembed.data.passages import Splitting
from sparseembed.embedders.store import Texts
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import digest
from sparseembed.index.block import Block
from sparseembed.index.statistics import Statistics
from sparseembed.indexing.fit import sparsifier_of
from sparseembed.indexing.passages import encode_passages
from sparseembed.indexing.write import DocumentWriter


class ImpactEncoder:
    """Gives texts the impacts that they would have as documents of an index."""

    def __init__(self, statistics: Statistics, embedder: TransformerEmbedder) -> None:
        """Take the parts.

        :param statistics: What was fitted to the index.
        :param embedder: The index's embedder.
        """
        self._statistics, self._embedder = statistics, embedder
        self._sparsifier = sparsifier_of(statistics, embedder)

    def encode(self, texts: Sequence[str]) -> list[dict[str, int]]:
        """Return the impact vectors of texts: term -> impact.

        :param texts: The texts, as a document's title and text are joined.
        :raises EmbedderError: The embedder fails.
        """
        collected = _Collected()
        ids = [str(place) for place in range(len(texts))]
        with TemporaryDirectory(prefix="sparseembed-impacts-") as folder:
            given = Texts("texts", digest(list(texts)), ids, texts)
            splitting = Splitting.parse(self._statistics.config.passages)
            store = encode_passages(Path(folder) / "documents", given, self._embedder, splitting)
            rows = range(len(texts))
            writer = DocumentWriter(self._statistics, self._sparsifier, collected)
            writer.add(ids, texts, store.rows(0, len(texts)), store.several_of(rows))
        return collected.vectors


class _Collected:
    """Takes blocks of documents as dictionaries."""

    def __init__(self) -> None:
        self.vectors: list[dict[str, int]] = []

    def add(self, block: Block) -> None:
        known = len(block.vocabulary)
        for row in range(len(block.ids)):
            span = slice(int(block.indptr[row]), int(block.indptr[row + 1]))
            terms, impacts = block.terms[span].tolist(), block.impacts[span].tolist()
            self.vectors.append(
                {
                    (block.vocabulary[term] if term < known else block.extra[term - known]): impact
                    for term, impact in zip(terms, impacts, strict=True)
                }
            )
