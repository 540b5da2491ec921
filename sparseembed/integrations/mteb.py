"""MTEB's `SearchProtocol` over an index, or over the indexes that an embedder's sparse form makes of each task.

>>> import mteb
>>> mteb.evaluate(EmbedderSearch("smollm2-135m-aligned"), mteb.get_tasks(tasks=["NFCorpus"]))
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparseembed import __version__
from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.load import EmbedderLike, load_embedder
from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError, DataError
from sparseembed.evaluation.runs import falling
from sparseembed.extras import needing
from sparseembed.files import digest
from sparseembed.indexing.build import build_index
from sparseembed.integrations.finding import IndexLike, opened, scores_of
from sparseembed.retrieval.searcher import Searcher
from sparseembed.sparse.config import default_config
from sparseembed.text import shown

with needing("mteb", "sparseembed.integrations.mteb"):
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models import ModelMeta

Scores = dict[str, dict[str, float]]
"""Query id -> document id -> score."""


class _Search:
    """What both searches share: queries in, scores out, as MTEB's evaluator reads them."""

    def __init__(self, meta: "ModelMeta", options: Mapping[str, Any] | None) -> None:
        self._meta, self._options = meta, dict(options or {})
        self._searcher: Searcher | None = None

    @property
    def mteb_model_meta(self) -> "ModelMeta":
        """What results are filed under: its revision is another wherever hits could be."""
        return self._meta

    def search(
        self,
        queries: Iterable[Mapping[str, Any]],
        *,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **given: Any,
    ) -> Scores:
        """Search.

        :param queries: Rows with an id and a text, and perhaps an instruction, which is appended.
        :param top_k: Hits wanted of each.
        :param top_ranked: Query id -> the documents that are to be ranked, in tasks of reranking.
        :param given: What else the protocol has.
        :return: Scores by which MTEB ranks as the index does: ties, which it would order by id, are lowered by the
            smallest step. A document that is to be ranked and would not be found comes after those that are.
        """
        if self._searcher is None:
            raise ConfigError("nothing is indexed yet: MTEB calls index before search")
        rows = list(queries)
        texts = [_query(row) for row in rows]
        if top_ranked is not None:
            return {
                str(row["id"]): self._ranked(text, list(top_ranked.get(row["id"], ())))
                for row, text in zip(rows, texts, strict=True)
            }
        found = self._searcher.search_batch(texts, top_k)
        return {str(row["id"]): _scores(hits) for row, hits in zip(rows, found, strict=True)}

    def _ranked(self, text: str, documents: list[str]) -> dict[str, float]:
        searcher = self._searcher
        assert searcher is not None
        found = scores_of(lambda k: searcher.search(text, k), set(documents))
        last = min(0.0, min(found.values(), default=1.0) - 1.0)
        ordered = sorted(documents, key=lambda document: (-found.get(document, last), document.encode()))
        return _scores([Hit(document, found.get(document, last), 0) for document in ordered])


class IndexSearch(_Search):
    """Searches an index that is there: it must be one of the task's own documents."""

    def __init__(self, index: IndexLike, options: Mapping[str, Any] | None = None) -> None:
        """Open the index.

        :param index: An index folder, or an open `Searcher`.
        :param options: Further arguments of `Searcher.open`, such as `{"rescore": 100}`.
        :raises IndexFolderError: There is no index, or it is damaged.
        """
        searcher = opened(index, options)
        manifest = searcher.manifest
        key = [manifest.build, manifest.generation, {name: str(value) for name, value in (options or {}).items()}]
        super().__init__(_meta(str(manifest.embedder["name"]), digest(key)), options)
        self._searcher = searcher

    def index(self, corpus: Iterable[Mapping[str, Any]], **given: Any) -> None:
        """Make sure that the index holds the task's documents, and no others.

        :param corpus: Rows with an id.
        :param given: What else the protocol has.
        :raises DataError: It does not.
        """
        searcher, count = self._searcher, 0
        assert searcher is not None
        for row in corpus:
            searcher.metadata(str(row["id"]))
            count += 1
        held = searcher.engine.documents
        if held != count:
            raise DataError(
                f"{searcher.path} holds {held:,} documents and the task has {count:,}: index the task's own"
            )


class EmbedderSearch(_Search):
    """Builds an index of each task's documents, and searches that."""

    def __init__(
        self,
        embedder: EmbedderLike | None = None,
        terms: str = "word",
        folder: str | Path | None = None,
        options: Mapping[str, Any] | None = None,
        **choices: Any,
    ) -> None:
        """Say what to build.

        :param embedder: As in `build_index`.
        :param terms: As in `build_index`.
        :param folder: Where the indexes go, one a task, subset and split; a temporary place when None.
        :param options: Further arguments of `Searcher.open`, such as `{"rescore": 100}`.
        :param choices: As in `build_index`.
        :raises ConfigError: A choice is outside its range.
        """
        self._embedder, self._terms, self._choices = load_embedder(embedder), terms, choices
        self._temporary = None if folder is not None else TemporaryDirectory(prefix="sparseembed-mteb-")
        self._folder = Path(folder if folder is not None else self._temporary.name)  # type: ignore[union-attr]
        fields = default_config(terms, **{name: value for name, value in choices.items() if name != "language"})
        key = [fields.as_dict(), choices.get("language"), self._embedder.identity()]
        told = {name: str(value) for name, value in (options or {}).items()}
        super().__init__(_meta(self._embedder.spec.name, digest([key, told])), options)

    def index(
        self,
        corpus: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        **given: Any,
    ) -> None:
        """Index the task's documents.

        :param corpus: Rows with an id, a text and perhaps a title.
        :param task_metadata: The task's.
        :param hf_split: Name of the split.
        :param hf_subset: Name of the subset.
        :param given: What else the protocol has.
        """
        name = f"{task_metadata.name}-{hf_subset}-{hf_split}"
        documents = Corpus(map(_document, corpus), name, f"mteb:{name}")
        built = build_index(
            documents,
            self._folder / documents.name,
            self._embedder,
            self._terms,
            overwrite=True,
            reencode=True,
            **self._choices,
        )
        if self._searcher is not None:
            self._searcher.close()
        self._searcher = Searcher.open(built.path, **{"embedder": self._embedder, **self._options})


def collection_task(collection: Collection, split: str = "test") -> "AbsTaskRetrieval":
    """Return a collection of ours as a retrieval task of MTEB, which asks nothing of the hub.

    :param collection: The collection, such as `open_collection("path/to/scifact")`.
    :param split: The split whose judgements count.
    :return: The task; as in BEIR, a document of the query's own id is no hit.
    :raises DataError: There is no such split, or a file is wrong.
    """
    corpus, queries, qrels = collection.corpus, collection.queries(split), collection.qrels(split)
    about = TaskMetadata(
        name=corpus.name,
        description=f"the collection {corpus.name}",
        dataset={"path": corpus.identity, "revision": corpus.fingerprint},
        type="Retrieval",
        category="t2t",
        eval_splits=[split],
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
    )

    class CollectionTask(AbsTaskRetrieval):
        """The collection."""

        metadata = about
        ignore_identical_ids = True

        def load_data(self, *given: Any, **named: Any) -> None:
            """Hand over what is there."""
            documents = [{"id": each.id, "title": each.title, "text": each.text} for each in corpus]
            asked = [{"id": query, "text": text} for query, text in queries.items()]
            data = RetrievalSplitData(
                corpus=Dataset.from_list(documents),
                queries=Dataset.from_list(asked),
                relevant_docs={query: dict(qrels[query]) for query in queries},
                top_ranked=None,
            )
            self.dataset, self.data_loaded = {"default": {split: data}}, True

    return CollectionTask()


def _document(row: Mapping[str, Any]) -> Document:
    return Document(str(row["id"]), row.get("title") or "", row.get("text") or "")


def _query(row: Mapping[str, Any]) -> str:
    text = row["text"]
    if not isinstance(text, str):
        raise ConfigError(f"query {shown(str(row['id']))} is a conversation and no text: take another task")
    instruction = row.get("instruction")
    return f"{text} {instruction}" if instruction else text


def _scores(hits: Sequence[Hit]) -> dict[str, float]:
    lowered = falling([hit.score for hit in hits])
    return {hit.id: float(score) for hit, score in zip(hits, lowered, strict=True)}


def _meta(name: str, revision: str) -> "ModelMeta":
    return ModelMeta(
        loader=None,
        name=f"sparseembed/{name}",
        revision=f"{__version__}-{revision[:12]}",
        release_date=None,
        languages=None,
        n_parameters=None,
        memory_usage_mb=None,
        max_tokens=None,
        embed_dim=None,
        license=None,
        open_weights=None,
        public_training_code=None,
        public_training_data=None,
        framework=[],
        similarity_fn_name="dot",
        use_instructions=None,
        training_datasets=None,
        model_type=["sparse"],
    )
