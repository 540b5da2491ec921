"""Search an index: the Python API of the query side."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from sparseembed.embedders.load import EmbedderLike
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.engines.base import Engine, Hit
from sparseembed.errors import ConfigError, DataError, IndexFolderError
from sparseembed.index.manifest import Manifest, read_manifest
from sparseembed.index.vectors import VectorReader, VectorRow
from sparseembed.retrieval.embedder import matching_embedder
from sparseembed.retrieval.query import DEFAULT_EXPANSION_WEIGHT, Expanded, InferenceFree, QueryEncoder
from sparseembed.sparse.literal import LiteralTerms, WordTerms
from sparseembed.sparse.terms import TermSpace, load_term_space


class SharedTerm(NamedTuple):
    """A term that a query and a document share.

    :param term: The term for people.
    :param origin: `literal` if it stands in the document's text, else `expansion`.
    :param query_weight: Its weight in the query.
    :param impact: Its impact in the document.
    :param score: query_weight x impact: what it adds to the document's score.
    """

    term: str
    origin: str
    query_weight: int
    impact: int
    score: int


class Explanation(NamedTuple):
    """Why a document has the score it has: the scores of its shared terms sum exactly to it.

    :param terms: The shared terms, by falling score.
    :param unmatched: Terms of the query that the document lacks, for people.
    """

    id: str
    score: int
    terms: list[SharedTerm]
    unmatched: list[str]


class Searcher:
    """Searches an index folder. Open one with `Searcher.open`; close it, or use it in a `with` statement."""

    def __init__(self, path: Path, manifest: Manifest, engine: Engine) -> None:
        """Use `Searcher.open` instead.

        :param path: The index folder.
        :param manifest: Its manifest.
        :param engine: Finds documents for impact queries.
        """
        self.path = path
        self.manifest = manifest
        self.engine = engine
        self.query_encoder: QueryEncoder = InferenceFree(self._literal)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        expand: int = 0,
        expansion_weight: float = DEFAULT_EXPANSION_WEIGHT,
        embedder: EmbedderLike | None = None,
        engine: str = "lucene",
    ) -> "Searcher":
        """Open an index.

        :param path: The index folder.
        :param expand: M, aligned terms added to each query by one model call; 0 for inference-free queries, which load
            neither torch nor a model.
        :param expansion_weight: Weight of the best of them, where a literal term's is 1.
        :param embedder: The embedder that expands; the one that the manifest names when None.
        :param engine: `lucene`, or `exact` for numpy in place of Lucene (words are still analysed by Lucene).
        :return: The searcher.
        :raises IndexFolderError: There is no index, it is damaged or of another version, or it was not made by
            `embedder` (which field differs).
        :raises ConfigError: Unknown engine; M < 0.
        :raises EngineError: Java or Lucene fails.
        """
        from sparseembed.engines.registry import open_engine

        folder = Path(path)
        manifest = read_manifest(folder)
        if expand < 0:
            raise ConfigError(f"expand, the aligned terms of a query, must be 0 or more, not {expand}")
        checked = matching_embedder(manifest, embedder) if embedder is not None or expand else None
        searcher = cls(folder, manifest, open_engine(engine, folder))
        if searcher.engine.documents != manifest.counts["documents"]:
            searcher.close()
            raise IndexFolderError(
                f"{folder} is damaged: its engine holds {searcher.engine.documents:,} documents and its manifest says "
                f"{manifest.counts['documents']:,}; build it again with --overwrite"
            )
        if expand and checked is not None:
            try:
                searcher.query_encoder = searcher.expander(expand, expansion_weight, checked)
            except BaseException:
                searcher.close()
                raise
        return searcher

    def expander(self, m: int, weight: float, embedder: TransformerEmbedder) -> Expanded:
        """Return an encoder of expanded queries for this index.

        :param m: M, aligned terms of a query.
        :param weight: Weight of the best of them, where a literal term's is 1.
        :param embedder: The index's embedder.
        """
        from sparseembed.alignment.decoding import Decoder
        from sparseembed.alignment.head import decoding_head
        from sparseembed.indexing.build import load_adjustment

        base = InferenceFree(self._literal)
        head = decoding_head(embedder)
        rows = self.term_space.rows(head.matrix, embedder.tokenizer)
        adjustment = load_adjustment(self.path / "adjustment", "query", self.manifest.sparse["adjustment"])
        adjustment = adjustment.after(head.inputs)
        return Expanded(base, self.term_space, embedder, Decoder(rows, embedder.device), adjustment, m, weight)

    def search(self, text: str, k: int = 10) -> list[Hit]:
        """Find the k best documents.

        :param text: The query; an empty one, or one of unknown words only, has no hits.
        :param k: Hits wanted, at least 1.
        :return: At most k hits (id, score, rank), best first; equal scores by ascending id.
        :raises ConfigError: k < 1.
        """
        return self.engine.search(self.query_encoder.encode(text), k)

    def search_batch(self, texts: Sequence[str], k: int = 10, threads: int = 1) -> list[list[Hit]]:
        """Find the k best documents of each of many queries.

        :param texts: The queries.
        :param k: Hits wanted for each.
        :param threads: Queries searched at the same time.
        :return: One list of hits a query, in the order of the queries.
        :raises ConfigError: k or threads < 1.
        """
        return self.engine.search_batch([self.query_encoder.encode(text) for text in texts], k, threads)

    def encode_query(self, text: str) -> dict[str, int]:
        """Return the impact query of a text: term -> weight."""
        return self.query_encoder.encode(text)

    def text(self, doc_id: str) -> str:
        """Return the text of a document.

        :raises DataError: The index has no such document.
        """
        return self.document(doc_id).contents

    def document(self, doc_id: str) -> VectorRow:
        """Return a document's id, text and impact vector.

        :raises DataError: The index has no such document.
        """
        row = self._vectors.find(doc_id)
        if row is None:
            raise DataError(f"the index {self.path} has no document {doc_id!r}: check the id")
        return row

    def explain(self, text: str, doc_id: str) -> Explanation:
        """Say why a document has its score for a query.

        :param text: The query.
        :param doc_id: The document.
        :return: The shared terms; their scores sum to the document's score, which is 0 if they share none.
        :raises DataError: The index has no such document.
        """
        row = self.document(doc_id)
        query = self.query_encoder.encode(text)
        literal = set(self._literal.of(row.contents))
        shared = [
            SharedTerm(
                self.label(term),
                "literal" if term in literal else "expansion",
                weight,
                row.vector[term],
                weight * row.vector[term],
            )
            for term, weight in query.items()
            if term in row.vector
        ]
        shared.sort(key=lambda item: (-item.score, item.term))
        unmatched = [self.label(term) for term in query if term not in row.vector]
        return Explanation(doc_id, sum(item.score for item in shared), shared, unmatched)

    def label(self, term: str) -> str:
        """Return a term as people read it: pieces stand in the index as decimal ids."""
        return term if isinstance(self._literal, WordTerms) else self._labels.get(term, term)

    @cached_property
    def term_space(self) -> TermSpace:
        """The index's term space, read when first needed."""
        return load_term_space(self.path / "terms")

    @cached_property
    def _literal(self) -> LiteralTerms:
        # Plain words need no vocabulary: Lucene's analyzer alone gives the query's terms.
        return WordTerms() if self.manifest.sparse["terms"] == "word" else self.term_space.literal

    @cached_property
    def _labels(self) -> dict[str, str]:
        return dict(zip(self.term_space.terms, self.term_space.labels, strict=True))

    @cached_property
    def _vectors(self) -> VectorReader:
        return VectorReader(self.path / "vectors")

    def close(self) -> None:
        """Release the index; closing twice is no error."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
