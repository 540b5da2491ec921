"""A LangChain retriever over an index.

>>> retriever = SparseEmbedRetriever(index="indexes/pydocs", k=4)
>>> documents = retriever.invoke("pick a random element from a list")
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from sparseembed.extras import needing
from sparseembed.index.filters import FilterLike
from sparseembed.integrations.conditions import of_mapping
from sparseembed.integrations.finding import IndexLike, find, opened
from sparseembed.retrieval.searcher import Searcher

with needing("langchain", "sparseembed.integrations.langchain"):
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from pydantic import Field, PrivateAttr


class SparseEmbedRetriever(BaseRetriever):
    """Finds the documents of an index; `invoke` and `ainvoke` take `k` and `filter` of their own.

    A document's `page_content` is its text, its `id` its id in the index, and its `metadata` that of the index with
    the score beside it.

    :param index: An index folder, or an open `Searcher`.
    :param k: Documents wanted.
    :param filter: What their metadata must meet: `{"lang": "de", "year": {"$gte": 2019}}`, or a filter of
        `Searcher.search` such as `year>=2019`.
    :param passages: Whether the text of a document of several passages is the one that carried it.
    :param score_key: Name of the score among the metadata; None to leave it out.
    :param options: Further arguments of `Searcher.open`, such as `{"rescore": 100}`.
    :raises IndexFolderError: There is no index, or it is damaged.
    """

    index: Any
    k: int = 10
    filter: Any = None
    passages: bool = False
    score_key: str | None = "score"
    options: dict[str, Any] = Field(default_factory=dict)
    _searcher: Any = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Open the index."""
        index: IndexLike = self.index
        self._searcher = opened(index, self.options)

    @property
    def searcher(self) -> Searcher:
        """The open index; close it when it is no longer needed."""
        searcher: Searcher = self._searcher
        return searcher

    def __getstate__(self) -> dict[Any, Any]:
        """Return what is pickled: the folder, which is opened anew, where the index was named by it."""
        state = super().__getstate__()
        return state if isinstance(self.index, Searcher) else {**state, "__pydantic_private__": None}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Open the index."""
        super().__setstate__(state)
        self.model_post_init(None)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a retriever of the same open index, which is only read."""
        copied: Self = self.model_copy()
        return copied

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun | None = None,
        k: int | None = None,
        filter: FilterLike | Mapping[str, Any] | None = None,
    ) -> list[Document]:
        given = of_mapping(self.filter if filter is None else filter)
        found = find(self.searcher, query, self.k if k is None else k, given, self.passages)
        return [
            Document(
                id=hit.id,
                page_content=text,
                metadata={**metadata, **({self.score_key: hit.score} if self.score_key is not None else {})},
            )
            for hit, text, metadata in found
        ]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun | None = None,
        k: int | None = None,
        filter: FilterLike | Mapping[str, Any] | None = None,
    ) -> list[Document]:
        documents: list[Document] = await asyncio.to_thread(self._get_relevant_documents, query, k=k, filter=filter)
        return documents
