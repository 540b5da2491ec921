"""Search an index: the Python API of the query side."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from sparseembed.analyzers.registry import DEFAULT, open_analyzer
from sparseembed.engines.base import Engine, Hit
from sparseembed.engines.registry import DEFAULT_ENGINE, open_engine
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.manifest import Manifest, read_manifest
from sparseembed.index.snapshot import TRIES, Snapshot, open_snapshot
from sparseembed.retrieval.explain import Explanation, SharedTerm, explain
from sparseembed.retrieval.query import DEFAULT_EXPANSION_WEIGHT, Expanded, InferenceFree, QueryEncoder
from sparseembed.sparse.literal import LiteralTerms, WordTerms

if TYPE_CHECKING:
    from sparseembed.embedders.load import EmbedderLike
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.retrieval.embedder import Named
    from sparseembed.sparse.terms import TermSpace

__all__ = ["Explanation", "Searcher", "SharedTerm", "StoredDocument"]


_Used = TypeVar("_Used")


class StoredDocument(NamedTuple):
    """A document as the index holds it: its id, its text, and its impacts by term."""

    id: str
    contents: str
    vector: dict[str, int]


class _View:
    """One commit of an index and what searches it: never changed, only replaced by another."""

    def __init__(self, snapshot: Snapshot, engine: str, warm: bool) -> None:
        self.snapshot = snapshot
        self.manifest = snapshot.manifest
        self.engine: Engine = open_engine(engine, snapshot, warm)
        if self.engine.documents != self.manifest.counts["documents"]:
            self.engine.close()
            raise IndexFolderError(
                f"{snapshot.path} is damaged: its engine holds {self.engine.documents:,} documents and its manifest "
                f"says {self.manifest.counts['documents']:,}; build it again with --overwrite"
            )
        self.literal = self._literal()
        self.query_encoder: QueryEncoder = InferenceFree(self.literal)

    def _literal(self) -> LiteralTerms:
        # Plain words need no vocabulary: the analyzer alone gives the query's terms.
        if self.manifest.sparse["terms"] != "word":
            return self.snapshot.space.literal
        try:
            return WordTerms(open_analyzer(self.manifest.analyzer or DEFAULT))
        except ConfigError as error:
            raise IndexFolderError(f"{self.snapshot.path}: {error}") from None

    @cached_property
    def labels(self) -> dict[str, str]:
        return dict(zip(self.snapshot.space.terms, self.snapshot.space.labels, strict=True))

    def close(self) -> None:
        self.engine.close()
        self.snapshot.close()


class _Expansion(NamedTuple):
    """How queries are expanded."""

    m: int
    weight: float
    embedder: "TransformerEmbedder"


class Searcher:
    """Searches an index folder. Open one with `Searcher.open`; close it, or use it in a `with` statement.

    Any number of threads may use one searcher, and with the native engine forked processes too. It keeps answering
    from the commit that it has opened, whatever is added, deleted or replaced in the folder, until `reload`.
    """

    def __init__(self, path: Path, snapshot: Snapshot, engine: str, expansion: _Expansion | None, warm: bool) -> None:
        """Use `Searcher.open` instead."""
        self.path = path
        self._engine, self._expansion, self._warm = engine, expansion, warm
        self._view = self._viewed(snapshot)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        expand: int = 0,
        expansion_weight: float = DEFAULT_EXPANSION_WEIGHT,
        embedder: "EmbedderLike | Named | None" = None,
        engine: str = DEFAULT_ENGINE,
        warm: bool = True,
    ) -> "Searcher":
        """Open an index.

        :param path: The index folder.
        :param expand: M, aligned terms added to each query by one model call; 0 for inference-free queries, which load
            neither torch nor a model.
        :param expansion_weight: Weight of the best of them, where a literal term's is 1.
        :param embedder: The embedder that expands; the one that the manifest names when None, if that is a preset.
        :param engine: `native`, which needs no Java; `lucene`; or `exact`, the reference, which holds all in memory.
        :param warm: Whether the first search begins to load, in the background, what makes later ones fast; False for a
            process that makes few.
        :return: The searcher.
        :raises IndexFolderError: There is no index, it is damaged or of another version, or it was not made by
            `embedder` (which field differs).
        :raises ConfigError: Unknown engine; M < 0.
        :raises EngineError: Java or Lucene fails.
        """
        if expand < 0:
            raise ConfigError(f"expand, the aligned terms of a query, must be 0 or more, not {expand}")

        def opened(snapshot: Snapshot) -> "Searcher":
            expansion = None
            if embedder is not None or expand:
                from sparseembed.retrieval.embedder import matching_embedder

                checked = matching_embedder(snapshot.manifest, embedder)
                expansion = _Expansion(expand, expansion_weight, checked) if expand else None
            return cls(Path(path), snapshot, engine, expansion, warm)

        return _on_last_commit(Path(path), opened)

    def reload(self) -> bool:
        """Open the last commit of the index, and answer from it from now on.

        Searches that run at the same moment in other threads end on the commit that they began on. If the new commit
        cannot be opened, the searcher goes on with the one it has.

        :return: Whether there was another commit.
        :raises IndexFolderError: As `open` does.
        """

        def viewed(snapshot: Snapshot) -> _View | None:
            if snapshot.manifest == self._view.manifest:
                snapshot.close()
                return None
            return self._viewed(snapshot)

        view = _on_last_commit(self.path, viewed)
        if view is not None:
            # The former view is closed when its last search has ended: nothing refers to it then.
            self._view = view
        return view is not None

    def _viewed(self, snapshot: Snapshot) -> _View:
        view = _View(snapshot, self._engine, self._warm)
        if self._expansion is not None:
            from sparseembed.retrieval.embedder import matching_embedder

            try:
                matching_embedder(snapshot.manifest, self._expansion.embedder)
                view.query_encoder = expander(snapshot, *self._expansion)
            except BaseException:
                view.close()
                raise
        return view

    @property
    def manifest(self) -> Manifest:
        """What the index is made of."""
        return self._view.manifest

    @property
    def engine(self) -> Engine:
        """What finds documents for impact queries."""
        return self._view.engine

    @property
    def query_encoder(self) -> QueryEncoder:
        """What makes impact queries of texts."""
        return self._view.query_encoder

    @query_encoder.setter
    def query_encoder(self, encoder: QueryEncoder) -> None:
        self._view.query_encoder = encoder

    def expander(self, m: int, weight: float, embedder: "TransformerEmbedder") -> Expanded:
        """Return an encoder of expanded queries for this index.

        :param m: M, aligned terms of a query.
        :param weight: Weight of the best of them, where a literal term's is 1.
        :param embedder: The index's embedder.
        """
        return expander(self._view.snapshot, m, weight, embedder)

    def search(self, text: str, k: int = 10) -> list[Hit]:
        """Find the k best documents.

        :param text: The query; an empty one, or one of unknown words only, has no hits.
        :param k: Hits wanted, at least 1.
        :return: At most k hits (id, score, rank), best first; equal scores by ascending id.
        :raises ConfigError: k < 1.
        """
        view = self._view
        return view.engine.search(view.query_encoder.encode(text), k)

    def search_batch(self, texts: Sequence[str], k: int = 10, threads: int = 1) -> list[list[Hit]]:
        """Find the k best documents of each of many queries.

        :param texts: The queries.
        :param k: Hits wanted for each.
        :param threads: Queries searched at the same time.
        :return: One list of hits a query, in the order of the queries.
        :raises ConfigError: k or threads < 1.
        """
        view = self._view
        return view.engine.search_batch([view.query_encoder.encode(text) for text in texts], k, threads)

    def encode_query(self, text: str) -> dict[str, int]:
        """Return the impact query of a text: term -> weight."""
        return self._view.query_encoder.encode(text)

    def text(self, doc_id: str) -> str:
        """Return the text of a document.

        :raises DataError: The index has no such document.
        """
        return self._view.snapshot.text(doc_id)

    def document(self, doc_id: str) -> StoredDocument:
        """Return a document's id, text and impact vector; for the vector its whole segment is gone through.

        :raises DataError: The index has no such document.
        """
        snapshot = self._view.snapshot
        place = snapshot.place(doc_id)
        segment = snapshot.segments[place.segment]
        return StoredDocument(doc_id, segment.text(place.number), segment.vector(place.number))

    def explain(self, text: str, doc_id: str) -> Explanation:
        """Say why a document has its score for a query.

        :param text: The query.
        :param doc_id: The document.
        :return: The shared terms; their scores sum to the document's score, which is 0 if they share none.
        :raises DataError: The index has no such document.
        """
        view = self._view
        place = view.snapshot.place(doc_id)
        segment = view.snapshot.segments[place.segment]
        query = view.query_encoder.encode(text)
        impacts = segment.impacts(place.number, list(query))
        return explain(doc_id, query, impacts, set(view.literal.of(segment.text(place.number))), self.label)

    def label(self, term: str) -> str:
        """Return a term as people read it: pieces stand in the index as decimal ids."""
        view = self._view
        return term if isinstance(view.literal, WordTerms) else view.labels.get(term, term)

    @property
    def term_space(self) -> "TermSpace":
        """The index's known terms, read when first needed."""
        return self._view.snapshot.space

    def close(self) -> None:
        """Release the index; closing twice is no error."""
        self._view.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _on_last_commit(path: Path, use: Callable[[Snapshot], _Used]) -> _Used:
    """Open the last commit of an index and do something with it that reads further files of it.

    Where the commit is replaced meanwhile, and such a file is gone, the new commit is used instead.
    """
    for attempt in range(TRIES):
        snapshot = open_snapshot(path)
        try:
            return use(snapshot)
        except IndexFolderError:
            snapshot.close()
            if attempt == TRIES - 1 or read_manifest(path) == snapshot.manifest:
                raise
        except BaseException:
            snapshot.close()
            raise
    raise AssertionError("the last try returns or raises")


def expander(snapshot: Snapshot, m: int, weight: float, embedder: "TransformerEmbedder") -> Expanded:
    """Return an encoder of expanded queries.

    :param snapshot: The index.
    :param m: M, aligned terms of a query.
    :param weight: Weight of the best of them, where a literal term's is 1.
    :param embedder: The index's embedder.
    """
    from sparseembed.alignment.decoding import Decoder
    from sparseembed.alignment.head import decoding_head

    space, head = snapshot.space, decoding_head(embedder)
    rows = space.rows(head.matrix, embedder.tokenizer)
    adjustment = snapshot.adjustment("query").after(head.inputs)
    return Expanded(
        InferenceFree(space.literal), space, embedder, Decoder(rows, embedder.device), adjustment, m, weight
    )
