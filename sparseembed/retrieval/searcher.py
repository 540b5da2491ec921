"""Search an index: the Python API of the query side."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from sparseembed.analyzers.registry import DEFAULT, open_analyzer
from sparseembed.data.metadata import Metadata
from sparseembed.engines.base import Engine, Hit, Passage, check_count
from sparseembed.engines.native_loading import BATCH
from sparseembed.engines.registry import DEFAULT_ENGINE, open_engine
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.joined import Places
from sparseembed.index.manifest import Manifest
from sparseembed.index.snapshot import Snapshot
from sparseembed.retrieval.explain import Explanation, SharedTerm
from sparseembed.retrieval.hits import DocumentHit
from sparseembed.retrieval.insight import Fitted, Insight
from sparseembed.retrieval.opening import on_last_commit
from sparseembed.retrieval.passages import find_passage
from sparseembed.retrieval.query import DEFAULT_EXPANSION_WEIGHT, Expanded, InferenceFree, QueryEncoder, check_text
from sparseembed.retrieval.reading import Asked, Reading, expander
from sparseembed.retrieval.rescoring import Rescorer
from sparseembed.sparse.literal import LiteralTerms, WordTerms

if TYPE_CHECKING:
    from sparseembed.embedders.load import EmbedderLike
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.index.filters import FilterLike
    from sparseembed.index.selection import Selection, Selector
    from sparseembed.retrieval.embedder import Named
    from sparseembed.sparse.terms import TermSpace

__all__ = ["Explanation", "Searcher", "SharedTerm", "StoredDocument"]


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
        self.rescorer: Rescorer | None = None

    def _literal(self) -> LiteralTerms:
        # Plain words need no vocabulary: the analyzer alone gives the query's terms.
        if self.manifest.sparse["terms"] != "word":
            return self.snapshot.space.literal
        try:
            return WordTerms(open_analyzer(self.manifest.analyzer or DEFAULT))
        except ConfigError as error:
            raise IndexFolderError(f"{self.snapshot.path}: {error}") from None

    @cached_property
    def _selector(self) -> "Selector":
        from sparseembed.index.selection import Selector

        return Selector(self.snapshot)

    def selection(self, given: "FilterLike | None") -> "Selection | None":
        """Return the documents that meet conditions; None for all."""
        if given is None:
            return None
        from sparseembed.index.filters import filters_of

        conditions = filters_of(given)
        return self._selector.select(conditions) if conditions else None

    def search(self, text: str, k: int, given: "FilterLike | None") -> list[Hit]:
        """Find the k best documents for a text."""
        check_text(text)
        query, selection = self.query_encoder.encode(text), self.selection(given)
        if self.rescorer is None:
            return self._told(self.engine.search(query, k, selection), query)
        check_count("k", k)
        hits = self.engine.search(query, max(k, self.rescorer.candidates), selection)
        vector = self.rescorer.encode([text])[0]
        return self._told(self.rescorer.ordered(hits, vector, k, selection), query)

    def search_batch(self, texts: Sequence[str], k: int, threads: int, given: "FilterLike | None") -> list[list[Hit]]:
        """Find the k best documents for each of many texts."""
        if isinstance(texts, str):
            raise ConfigError("the queries must be a list of texts, not one text: search takes one")
        texts = list(texts)
        for text in texts:
            check_text(text)
        selection = self.selection(given)
        queries = [self.query_encoder.encode(text) for text in texts]
        rescorer = self.rescorer
        if rescorer is None:
            found = self.engine.search_batch(queries, k, threads, selection)
            return [self._told(hits, query) for hits, query in zip(found, queries, strict=True)]
        check_count("k", k)
        found = self.engine.search_batch(queries, max(k, rescorer.candidates), threads, selection)
        if len(queries) > BATCH:
            rescorer.load()
        vectors = rescorer.encode(texts)
        return [
            self._told(rescorer.ordered(hits, vector, k, selection), query)
            for hits, vector, query in zip(found, vectors, queries, strict=True)
        ]

    def _told(self, hits: list[Hit], query: Mapping[str, int]) -> list[Hit]:
        """Let hits read their metadata and find their passages, where any document has some."""
        read = self.snapshot.metadata if self.snapshot.has_metadata else None
        if read is None and not any(len(segment.split) for segment in self.snapshot.segments):
            return hits

        def locate(doc_id: str) -> Passage | None:
            return self.passage(query, doc_id)

        return [DocumentHit.of(hit, read, locate) for hit in hits]

    def passage(self, query: Mapping[str, int], doc_id: str) -> Passage | None:
        """Find the passage of a document that a query's terms say most for; None where the document is one."""
        place = self.snapshot.place(doc_id)
        return find_passage(self.snapshot.segments[place.segment], place.number, query, self.literal)

    @cached_property
    def fitted(self) -> Fitted:
        return Fitted(self.snapshot)

    def close(self) -> None:
        self.engine.close()
        self.snapshot.close()


class Searcher:
    """Searches an index folder. Open one with `Searcher.open`; close it, or use it in a `with` statement.

    Any number of threads may use one searcher, and with the native engine forked processes too. It keeps answering
    from the commit that it has opened, whatever is added, deleted or replaced in the folder, until `reload`.
    """

    def __init__(self, places: Places, snapshot: Snapshot, engine: str, reading: Reading | None, warm: bool) -> None:
        """Use `Searcher.open` instead."""
        self.path: Path = snapshot.path
        self._places = places
        self._engine, self._reading, self._warm = engine, reading, warm
        self._view = self._viewed(snapshot)

    @classmethod
    def open(
        cls,
        path: Places,
        *,
        expand: int = 0,
        expansion_weight: float = DEFAULT_EXPANSION_WEIGHT,
        rescore: int = 0,
        encoder: str | None = None,
        feedback: bool = False,
        budget: float | None = None,
        embedder: "EmbedderLike | Named | None" = None,
        engine: str = DEFAULT_ENGINE,
        warm: bool = True,
    ) -> "Searcher":
        """Open an index.

        :param path: The index folder; or several indexes that are searched as one, with the hits and scores of one
            index: a list of the folders of all parts (`index --shard I/N`), or a folder that holds them; or a list of
            indexes of other documents, all but the first built with `--statistics` of the first.
        :param expand: M, aligned terms added to each query by one model call; 0 for inference-free queries, which load
            neither torch nor a model.
        :param expansion_weight: Weight of the best of them, where a literal term's is 1.
        :param rescore: Best hits that are put in a new order by embeddings, and with an encoder as many of the
            documents nearest to the query beside them; 0 for none, or where an encoder or feedback is asked for 100,
            which is a good number.
        :param encoder: What encodes queries for it: `none`; `full`, the whole embedder; `small`, its first layers and a
            map that was fitted to the collection, in a sixth of the time; `static`, vectors of the query's tokens and
            such a map, for which neither torch nor the model is loaded; or `auto`, the cheapest of them that the
            collection's own sentences say is enough, with feedback. None is `full` with `rescore`, else `none`.
        :param feedback: Whether the hits most like a hit count for it, by the embeddings of documents: no model call.
            As much as was chosen for the collection, which may be not at all (`manifest.rescoring` says why).
        :param budget: Milliseconds that encoding a query may take, for `auto`.
        :param embedder: The embedder that reads queries; the one that the manifest names when None, if a preset.
        :param engine: `native`, which needs no Java; `lucene`; or `exact`, the reference, which holds all in memory.
        :param warm: Whether the first search begins to load, in the background, what makes later ones fast; False for a
            process that makes few.
        :return: The searcher.
        :raises IndexFolderError: There is no index, it is damaged or of another version, or it was not made by
            `embedder`, or with the statistics of the others (which field differs).
        :raises ConfigError: Unknown engine or query encoder; M or `rescore` < 0; a budget without `auto`; nothing to
            rescore by; parts are missing, or several indexes were given to Lucene.
        :raises EngineError: Java or Lucene fails.
        """
        asked = Asked(expand, expansion_weight, rescore, encoder, feedback, budget)

        def opened(snapshot: Snapshot) -> "Searcher":
            return cls(path, snapshot, engine, asked.of(snapshot, embedder), warm)

        return on_last_commit(path, opened)

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

        view = on_last_commit(self._places, viewed)
        if view is not None:
            # The former view is closed when its last search has ended: nothing refers to it then.
            self._view = view
        return view is not None

    def _viewed(self, snapshot: Snapshot) -> _View:
        view = _View(snapshot, self._engine, self._warm)
        if self._reading is not None:
            try:
                view.query_encoder = self._reading.encoder_of(snapshot) or view.query_encoder
                view.rescorer = self._reading.rescorer_of(snapshot, self._warm)
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

    @property
    def rescorer(self) -> "Rescorer | None":
        """What puts the best hits in a new order; None where it was not asked for."""
        return self._view.rescorer

    def expander(self, m: int, weight: float, embedder: "TransformerEmbedder") -> Expanded:
        """Return an encoder of expanded queries for this index.

        :param m: M, aligned terms of a query.
        :param weight: Weight of the best of them, where a literal term's is 1.
        :param embedder: The index's embedder.
        """
        return expander(self._view.snapshot, m, weight, embedder)

    def search(self, text: str, k: int = 10, filter: "FilterLike | None" = None) -> list[Hit]:
        """Find the k best documents.

        :param text: The query; an empty one, or one of unknown words only, has no hits.
        :param k: Hits wanted, at least 1.
        :param filter: What the metadata of hits must meet: a condition such as `year>=2019` or `lang=de|fr` (see
            `parse_filter`), a `Filter`, or several of these, all of which must be met. The hits are the k best of the
            documents that meet it; so are the candidates where hits are rescored.
        :return: At most k hits (id, score, rank), best first; equal scores by ascending id. The scores are
            whole numbers, or where hits are rescored from 0 to 1, and below 0 for hits beyond the candidates.
            A hit's `metadata` and `passage` are looked for when they are asked for, while the searcher is open.
        :raises ConfigError: k < 1; a query that is no text; a filter that cannot be read, or that does not fit the
            documents' fields.
        """
        return self._view.search(text, k, filter)

    def search_batch(
        self, texts: Sequence[str], k: int = 10, threads: int = 1, filter: "FilterLike | None" = None
    ) -> list[list[Hit]]:
        """Find the k best documents of each of many queries.

        :param texts: The queries.
        :param k: Hits wanted for each.
        :param threads: Queries searched at the same time.
        :param filter: As in `search`, for all queries.
        :return: One list of hits a query, in the order of the queries.
        :raises ConfigError: k or threads < 1; queries that are no texts; a filter as in `search`.
        """
        return self._view.search_batch(texts, k, threads, filter)

    def encode_query(self, text: str) -> dict[str, int]:
        """Return the impact query of a text: term -> weight."""
        return self._view.query_encoder.encode(text)

    def text(self, doc_id: str) -> str:
        """Return the text of a document.

        :raises DataError: The index has no such document.
        """
        return self._view.snapshot.text(doc_id)

    def metadata(self, doc_id: str) -> Metadata:
        """Return the metadata of a document; empty where it has none.

        :raises DataError: The index has no such document.
        """
        return self._view.snapshot.metadata(doc_id)

    @property
    def fields(self) -> list[str]:
        """Names of the metadata's fields, which a filter may name."""
        return self._view.snapshot.fields

    def document(self, doc_id: str) -> StoredDocument:
        """Return a document's id, text and impact vector; for the vector its whole segment is gone through.

        :raises DataError: The index has no such document.
        """
        snapshot = self._view.snapshot
        place = snapshot.place(doc_id)
        segment = snapshot.segments[place.segment]
        return StoredDocument(doc_id, segment.text(place.number), segment.vector(place.number))

    def explain(self, text: str, doc_id: str, filter: "FilterLike | None" = None) -> Explanation:
        """Say why a document has its score for a query.

        :param text: The query.
        :param doc_id: The document.
        :param filter: As in `search`: where hits are rescored, it decides which documents are candidates.
        :return: The shared terms; their scores sum to the document's score, which is 0 if they share none. Where hits
            are rescored, what that makes of a candidate.
        :raises DataError: The index has no such document.
        :raises ConfigError: A filter as in `search`.
        """
        return self.insight.explain(text, [doc_id], filter)[0]

    @property
    def insight(self) -> "Insight":
        """What can be told of the commit that searches are answered from, its documents and its hits."""
        return Insight(self._view)

    def label(self, term: str) -> str:
        """Return a term as people read it: pieces stand in the index as decimal ids."""
        return self.insight.label(term)

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
