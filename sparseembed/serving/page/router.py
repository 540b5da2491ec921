"""The addresses of the page."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from sparseembed.errors import ConfigError, DataError, SparseEmbedError
from sparseembed.retrieval.searcher import Searcher
from sparseembed.serving.found import find, title_of
from sparseembed.serving.indexes import ServedIndexes, UnknownIndexError
from sparseembed.serving.page.rendering import asset, page
from sparseembed.serving.page.seen import LONGEST, SIDES, BusyError, Reader
from sparseembed.serving.page.views import MOST_POSTINGS, columns, fields, held_bars, hit_view
from sparseembed.serving.pool import in_pool
from sparseembed.serving.settings import Settings

HITS = 10
MOST = 50  # hits on one page
COMPARED = 10
WAIT = 6.0  # seconds for a model to be loaded and to read a text
SHOWN = 100_000  # characters of a document, at most

Text = Annotated[str, Query()]
Name = Annotated[str | None, Query()]
Filters = Annotated[list[str], Query(alias="filter")]

View = Callable[[Searcher], tuple[str, dict[str, Any]]]
"""Gives a template and what it shows."""


class Pages:
    """Renders the pages of a server."""

    def __init__(self, indexes: ServedIndexes, settings: Settings) -> None:
        """Take the open indexes and the limits."""
        self._indexes, self._settings = indexes, settings
        self.reader = Reader(indexes.embedder, min(WAIT, settings.seconds / 2))
        self.reads = settings.inspect or indexes.searching.reads
        """Whether texts may be read by a model."""

    def show(self, kind: str, index: str | None, query: str, view: View) -> Response:
        """Render a page of an index, or say in it what is wrong.

        :param kind: Which page: `search`, `compare`, `seen` or `document`.
        :param index: The index; the default when None, or empty as a form sends it.
        :param query: The query, which every page keeps.
        :param view: What the page shows.
        """
        shared = {
            "kind": kind,
            "query": query,
            "names": self._indexes.names(),
            "default": self._indexes.default,
            "reads": self.reads,
            "longest": self._settings.max_query,
            "longest_text": LONGEST,
        }
        name = index or self._indexes.default
        try:
            if len(query) > self._settings.max_query:
                raise _long("query", query, self._settings.max_query)
            with self._indexes.searcher(name) as searcher:
                template, values = view(searcher)
                about = {"index": name, "documents": searcher.manifest.counts["documents"]}
                return page(template, {**shared, **about, **values})
        except SparseEmbedError as error:
            known = name in self._indexes.names()
            about = {"index": name if known else self._indexes.default, "documents": None}
            status = _status(error)
            return page("problem.html", {**shared, **about, "problem": str(error), "status": status}, status)

    def search(self, query: str, k: int, filters: Sequence[str]) -> View:
        """Return the view of a search, or of the start where nothing is asked."""
        conditions = [each for each in filters if each.strip()]

        def view(searcher: Searcher) -> tuple[str, dict[str, Any]]:
            if not query.strip():
                return "start.html", {"manifest": searcher.manifest, "filters": conditions}
            begin = time.perf_counter()
            hits = find(searcher, query, k, conditions or None)
            spelled = searcher.insight.spelled(query)
            milliseconds = 1000 * (time.perf_counter() - begin)
            return "search.html", {
                "hits": [hit_view(each, spelled) for each in hits],
                "milliseconds": milliseconds,
                "filters": conditions,
                "filterable": "metadata" in searcher.manifest.corpus,
                "more": min(k + HITS, MOST, self._settings.max_k) if len(hits) == k else 0,
                "k": k,
            }

        return view

    def compare(self, query: str) -> View:
        """Return the view of three rankings side by side."""

        def view(searcher: Searcher) -> tuple[str, dict[str, Any]]:
            if not query.strip():
                return "compare.html", {"columns": [], "found": None, "words": True}
            found = searcher.insight.compare(query, COMPARED)
            words = bool(searcher.manifest.sparse["literal"])
            return "compare.html", {"columns": columns(searcher, found), "found": found, "words": words}

        return view

    def seen(self, text: str, doc_id: str | None, side: str) -> View:
        """Return the view of what the model sees in a text, or in a document."""

        def view(searcher: Searcher) -> tuple[str, dict[str, Any]]:
            read = text if doc_id is None else searcher.text(doc_id)[:LONGEST]
            if side not in SIDES:
                raise ConfigError(f"the side is {side[:20]!r}: it must be one of {', '.join(SIDES)}")
            if len(read) > LONGEST:
                raise _long("text", read, LONGEST)
            seen = self.reader.read(searcher, read, side) if self.reads and read.strip() else None
            return "seen.html", {"text": read, "side": side, "seen": seen, "sides": SIDES}

        return view

    def document(self, doc_id: str) -> View:
        """Return the view of a document: its text, and the terms that the index holds for it."""

        def view(searcher: Searcher) -> tuple[str, dict[str, Any]]:
            text, metadata = searcher.text(doc_id), searcher.metadata(doc_id)
            few = searcher.manifest.counts["postings"] <= MOST_POSTINGS
            return "document.html", {
                "id": doc_id,
                "title": title_of(doc_id, text, metadata),
                "text": text[:SHOWN],
                "length": len(text),
                "fields": fields(metadata),
                "bars": held_bars(searcher.insight, doc_id, text[:SHOWN]) if few else None,
            }

        return view


def page_router(indexes: ServedIndexes, settings: Settings) -> APIRouter:
    """Return the page's routes: `/`, `/compare`, `/seen`, `/document` and `/assets`.

    :param indexes: The open indexes.
    :param settings: Limits, and whether a model may be loaded to show what it sees.
    """
    pages, router = Pages(indexes, settings), APIRouter(include_in_schema=False)

    async def show(request: Request, kind: str, index: str | None, query: str, view: View) -> Response:
        return await in_pool(request, lambda: pages.show(kind, index, query, view))

    @router.get("/")
    async def search(
        request: Request,
        q: Text = "",
        index: Name = None,
        k: int = HITS,
        filters: Filters = [],  # noqa: B006
    ) -> Response:
        wanted = min(max(k, 1), MOST, settings.max_k)
        return await show(request, "search", index, q, pages.search(q, wanted, filters))

    @router.get("/compare")
    async def compare(request: Request, q: Text = "", index: Name = None) -> Response:
        return await show(request, "compare", index, q, pages.compare(q))

    @router.get("/seen")
    async def seen(
        request: Request, text: Text = "", id: Name = None, side: Text = "document", q: Text = "", index: Name = None
    ) -> Response:
        return await show(request, "seen", index, q, pages.seen(text, id, side))

    @router.get("/document")
    async def document(request: Request, id: Text, q: Text = "", index: Name = None) -> Response:
        return await show(request, "document", index, q, pages.document(id))

    @router.get("/assets/{name}")
    async def assets(name: str) -> Response:
        found = asset(name)
        if found is None:
            raise HTTPException(404)
        return found

    return router


def _long(what: str, text: str, most: int) -> ConfigError:
    return ConfigError(f"the {what} has {len(text):,} characters: {most:,} is the most, so leave some out")


def _status(error: SparseEmbedError) -> int:
    if isinstance(error, UnknownIndexError | DataError):
        return 404
    if isinstance(error, BusyError):
        return 503
    return 400 if isinstance(error, ConfigError) else 500
