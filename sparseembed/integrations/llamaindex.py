"""A LlamaIndex retriever over an index.

>>> retriever = SparseEmbedRetriever("indexes/pydocs", similarity_top_k=4)
>>> nodes = retriever.retrieve("pick a random element from a list")
"""

import asyncio
from typing import Any

from sparseembed.extras import needing
from sparseembed.index.filters import Filter, FilterLike
from sparseembed.integrations.conditions import comparison, logic
from sparseembed.integrations.finding import IndexLike, find, opened
from sparseembed.retrieval.searcher import Searcher

with needing("llamaindex", "sparseembed.integrations.llamaindex"):
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
    from llama_index.core.vector_stores import MetadataFilters


class SparseEmbedRetriever(BaseRetriever):
    """Finds the documents of an index as nodes: id, text, metadata and score."""

    def __init__(
        self,
        index: IndexLike,
        similarity_top_k: int = 10,
        filters: MetadataFilters | FilterLike | None = None,
        passages: bool = False,
        options: dict[str, Any] | None = None,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
    ) -> None:
        """Open the index.

        :param index: An index folder, or an open `Searcher`.
        :param similarity_top_k: Nodes wanted.
        :param filters: What the metadata of nodes must meet: LlamaIndex's `MetadataFilters`, whose conditions all must
            be met (OR of values of one field and NOT of one comparison are had too), or a filter of `Searcher.search`.
        :param passages: Whether the text of a document of several passages is the one that carried it.
        :param options: Further arguments of `Searcher.open`, such as `{"rescore": 100}`.
        :param callback_manager: As LlamaIndex has it.
        :param verbose: As LlamaIndex has it.
        :raises IndexFolderError: There is no index, or it is damaged.
        :raises ConfigError: A filter that cannot be searched with.
        """
        super().__init__(callback_manager=callback_manager, verbose=verbose)
        self.similarity_top_k, self._passages = similarity_top_k, passages
        self._conditions: FilterLike | None = (
            conditions_of(filters) if isinstance(filters, MetadataFilters) else filters
        )
        self._index, self._options = index, options
        self._searcher = opened(index, options)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: the folder, which is opened anew, where the index was named by it."""
        state = dict(self.__dict__)
        if not isinstance(self._index, Searcher):
            del state["_searcher"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the index."""
        self.__dict__.update(state)
        self._searcher = opened(self._index, self._options)

    @property
    def searcher(self) -> Searcher:
        """The open index; close it when it is no longer needed."""
        return self._searcher

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = find(self._searcher, query_bundle.query_str, self.similarity_top_k, self._conditions, self._passages)
        return [
            NodeWithScore(node=TextNode(id_=hit.id, text=text, metadata=metadata), score=float(hit.score))
            for hit, text, metadata in found
        ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        nodes: list[NodeWithScore] = await asyncio.to_thread(self._retrieve, query_bundle)
        return nodes


def conditions_of(filters: MetadataFilters) -> list[Filter]:
    """Return LlamaIndex's filters as conditions that must all be met.

    :param filters: Comparisons, or further filters, and what joins them.
    :raises ConfigError: They cannot be had in this way.
    """
    return logic(filters.condition.value if filters.condition else "and", filters.filters, _one)


def _one(given: Any) -> list[Filter]:
    if isinstance(given, MetadataFilters):
        return conditions_of(given)
    return comparison(given.key, given.operator.value, given.value)
