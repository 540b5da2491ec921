"""What all retrievers do: open an index, search it, and read the texts of the hits."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.engines.base import Hit
from sparseembed.errors import DataError
from sparseembed.index.filters import FilterLike
from sparseembed.retrieval.searcher import Searcher

IndexLike = str | Path | Searcher
"""An index folder, or a searcher that has one open."""


class Found(NamedTuple):
    """A document that a search found, as frameworks want it.

    :param hit: Its id, score and rank.
    :param text: Its text, or the passage that carried it.
    :param metadata: Its metadata, to be changed as one likes.
    """

    hit: Hit
    text: str
    metadata: dict[str, Any]


def opened(index: IndexLike, options: Mapping[str, Any] | None = None) -> Searcher:
    """Open an index, unless it is open.

    :param index: An index folder or a searcher.
    :param options: Further arguments of `Searcher.open`, such as `{"rescore": 100}`; none for a searcher.
    :raises IndexFolderError: There is no index, or it is damaged.
    :raises TypeError: `Searcher.open` has no such argument.
    """
    return index if isinstance(index, Searcher) else Searcher.open(index, **(options or {}))


def folder_of(index: IndexLike) -> str:
    """Return the folder of an index, as text, for what is written to disk."""
    return str(index.path if isinstance(index, Searcher) else index)


def find(
    searcher: Searcher, query: str, k: int, given: FilterLike | None = None, passages: bool = False
) -> list[Found]:
    """Search, and read the texts of the hits.

    :param searcher: The index.
    :param query: The query.
    :param k: Hits wanted.
    :param given: Conditions on the metadata of hits.
    :param passages: Whether the text of a document of several passages is the one that carried it.
    :return: At most k documents, best first.
    :raises ConfigError: k < 1, or conditions that cannot be read or do not fit the documents' fields.
    """
    found = []
    for hit in searcher.search(query, k, given):
        passage = hit.passage if passages else None
        try:
            text = passage.text if passage is not None else searcher.text(hit.id)
        except DataError:  # deleted in a commit that another thread has loaded since the search
            continue
        found.append(Found(hit, text, dict(hit.metadata)))
    return found


def scores_of(search: Callable[[int], list[Hit]], wanted: AbstractSet[str], depth: int = 1000) -> dict[str, float]:
    """Return the scores that a search gives to certain documents; what it would not find is left out.

    :param search: Finds the k best documents, for a k.
    :param wanted: Ids of the documents.
    :param depth: The first k; while a document is missing and there are more hits, ten times as many are asked for.
    """
    while True:
        hits = search(depth)
        found = {hit.id: float(hit.score) for hit in hits if hit.id in wanted}
        if len(found) == len(wanted) or len(hits) < depth:
            return found
        depth *= 10
