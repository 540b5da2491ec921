"""A Haystack retriever over an index.

>>> retriever = SparseEmbedRetriever("indexes/pydocs", top_k=4)
>>> documents = retriever.run("pick a random element from a list")["documents"]
"""

import asyncio
from typing import Any, Self

from sparseembed.errors import ConfigError
from sparseembed.extras import needing
from sparseembed.index.filters import Filter, FilterLike
from sparseembed.integrations.conditions import both, comparison, logic
from sparseembed.integrations.finding import IndexLike, find, folder_of, opened
from sparseembed.retrieval.searcher import Searcher

with needing("haystack", "sparseembed.integrations.haystack"):
    from haystack import Document, component, default_from_dict, default_to_dict
    from haystack.document_stores.types import FilterPolicy


@component
class SparseEmbedRetriever:
    """Finds the documents of an index: a component with the inputs and outputs of Haystack's own retrievers.

    A document's `content` is its text, its `id` its id in the index, its `meta` the metadata, and its `score` the
    score.
    """

    def __init__(
        self,
        index: IndexLike,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        passages: bool = False,
        filter_policy: str | FilterPolicy = FilterPolicy.REPLACE,
        options: dict[str, Any] | None = None,
    ) -> None:
        """Name the index; it is opened by `warm_up`, which a pipeline calls, or by the first search.

        :param index: An index folder, or an open `Searcher`.
        :param filters: What the metadata must meet, in Haystack's form: comparisons (`==`, `!=`, `<`, `<=`, `>`, `>=`,
            `in`, `not in`) and AND of them; OR of values of one field, and NOT of one `==` or `!=`.
        :param top_k: Documents wanted.
        :param passages: Whether the text of a document of several passages is the one that carried it.
        :param filter_policy: Whether filters of a run replace these (`replace`) or must be met beside them (`merge`).
        :param options: Further arguments of `Searcher.open`, such as `{"rescore": 100}`.
        """
        self.index, self.filters, self.top_k, self.passages = index, filters, top_k, passages
        policy = filter_policy
        self.filter_policy = FilterPolicy.from_str(policy) if isinstance(policy, str) else policy
        self.options = options
        self._searcher: Searcher | None = None

    def warm_up(self) -> None:
        """Open the index.

        :raises IndexFolderError: There is no index, or it is damaged.
        """
        if self._searcher is None:
            self._searcher = opened(self.index, self.options)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: not the open index, which the first search opens anew."""
        return {**self.__dict__, "_searcher": None}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return dict(
            default_to_dict(
                self,
                index=folder_of(self.index),
                filters=self.filters,
                top_k=self.top_k,
                passages=self.passages,
                filter_policy=self.filter_policy.value,
                options=self.options,
            )
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make it of what `to_dict` returned."""
        made: Self = default_from_dict(cls, data)
        return made

    @component.output_types(documents=list[Document])
    def run(self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None) -> dict[str, Any]:
        """Find documents.

        :param query: The query.
        :param filters: Filters of this run.
        :param top_k: Documents wanted, where it is not the usual number.
        :return: `documents`, best first.
        :raises ConfigError: A filter that cannot be searched with, or `top_k` < 1.
        """
        self.warm_up()
        assert self._searcher is not None
        wanted = self.top_k if top_k is None else top_k
        found = find(self._searcher, query, wanted, self._conditions(filters), self.passages)
        return {
            "documents": [
                Document(id=hit.id, content=text, meta=metadata, score=float(hit.score))
                for hit, text, metadata in found
            ]
        }

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, Any]:
        """Find documents in another thread; as `run`."""
        found: dict[str, Any] = await asyncio.to_thread(self.run, query, filters, top_k)
        return found

    def _conditions(self, filters: dict[str, Any] | None) -> FilterLike | None:
        given = [self.filters, filters] if self.filter_policy is FilterPolicy.MERGE else [filters or self.filters]
        return both(*(conditions_of(each) for each in given if each))


def conditions_of(filters: dict[str, Any]) -> list[Filter]:
    """Return Haystack's filters as conditions that must all be met.

    :param filters: A comparison, or AND, OR or NOT of others.
    :raises ConfigError: They cannot be had in this way.
    """
    if "conditions" in filters:
        operator = str(filters.get("operator", "AND")).lower()
        if operator not in ("and", "or", "not"):
            raise ConfigError(f"a filter joins conditions by {filters['operator']!r}: AND, OR and NOT can be used")
        return logic(operator, filters["conditions"], conditions_of)
    missing = [name for name in ("field", "operator", "value") if name not in filters]
    if missing:
        raise ConfigError(f"the filter {filters!r:.200} has no {missing[0]}: give it field, operator and value")
    return comparison(filters["field"].removeprefix("meta."), filters["operator"], filters["value"])
