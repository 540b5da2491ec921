"""`/search`: the best documents for a query."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from sparseembed.errors import ConfigError
from sparseembed.serving.indexes import ServedIndex, ServedIndexes
from sparseembed.serving.models import HitFound, PassageFound, SearchRequest, SearchResponse
from sparseembed.serving.pool import in_pool
from sparseembed.serving.problems import ALWAYS, documented, error_of
from sparseembed.serving.routes.asking import asked_of, check_k, check_query, json_of, scrubbed, tell
from sparseembed.serving.settings import Searching, Settings

if TYPE_CHECKING:
    from sparseembed.engines.base import Hit
    from sparseembed.retrieval.searcher import Searcher


def search_router(indexes: ServedIndexes, settings: Settings) -> APIRouter:
    """Return the routes of `/search`."""
    router = APIRouter(tags=["search"], responses=documented(*ALWAYS, 404, 415, 422))

    async def answer(request: Request, asked: SearchRequest) -> Response:
        check_query(asked.query, settings)
        check_k(asked.k, settings)
        index, searching = asked_of(indexes, asked)
        tell(request, settings, asked.query, index=index.name, k=asked.k)
        return await in_pool(request, lambda: json_of(_found(index, searching, asked)))

    @router.get("/search", response_model=SearchResponse, response_model_exclude_none=True)
    async def search(request: Request, asked: Annotated[SearchRequest, Query()]) -> Response:
        """Find the documents whose terms say most for a query."""
        return await answer(request, asked)

    @router.post("/search", response_model=SearchResponse, response_model_exclude_none=True)
    async def search_by_body(request: Request, asked: SearchRequest) -> Response:
        """Find the documents whose terms say most for a query that the body asks."""
        return await answer(request, asked)

    return router


def _found(index: ServedIndex, searching: Searching, asked: SearchRequest) -> SearchResponse:
    searcher = index.pinned(searching)
    try:
        hits = searcher.search(asked.query, asked.k, asked.filter or None)
    except ConfigError as error:
        raise error_of(error, 422, scrubbed(index)) from None
    found = [_told(searcher, hit, asked.fields) for hit in hits]
    return SearchResponse(index=index.name, generation=searcher.manifest.generation, hits=found)


def _told(searcher: "Searcher", hit: "Hit", fields: Sequence[str]) -> HitFound:
    """Return a hit with the fields that are wanted of it."""
    score = int(hit.score) if searcher.rescorer is None else hit.score
    told: dict[str, Any] = {}
    if "text" in fields:
        told["text"] = searcher.text(hit.id)
    wanted = {field.partition(".")[2] for field in fields if field.startswith("metadata")}
    if wanted and hit.metadata:
        told["metadata"] = {name: value for name, value in hit.metadata.items() if "" in wanted or name in wanted}
    if "passage" in fields and hit.passage is not None:
        told["passage"] = PassageFound(**hit.passage._asdict())
    return HitFound(rank=hit.rank, id=hit.id, score=score, **told)
