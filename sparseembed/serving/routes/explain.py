"""`/explain`: why a document has its score."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from sparseembed.errors import ConfigError, DataError
from sparseembed.serving.indexes import ServedIndex, ServedIndexes
from sparseembed.serving.models import (
    ExplainRequest,
    ExplainResponse,
    NeighbourFound,
    PassageFound,
    RescoredHit,
    TermShared,
)
from sparseembed.serving.pool import in_pool
from sparseembed.serving.problems import ALWAYS, documented, error_of
from sparseembed.serving.routes.asking import asked_of, check_query, json_of, scrubbed, tell
from sparseembed.serving.settings import Searching, Settings


def explain_router(indexes: ServedIndexes, settings: Settings) -> APIRouter:
    """Return the routes of `/explain`."""
    router = APIRouter(tags=["search"], responses=documented(*ALWAYS, 404, 415, 422))

    async def answer(request: Request, asked: ExplainRequest) -> Response:
        check_query(asked.query, settings)
        index, searching = asked_of(indexes, asked)
        tell(request, settings, asked.query, index=index.name)
        return await in_pool(request, lambda: json_of(_explained(index, searching, asked)))

    @router.get("/explain", response_model=ExplainResponse, response_model_exclude_none=True)
    async def explain(request: Request, asked: Annotated[ExplainRequest, Query()]) -> Response:
        """Say which terms a query and a document share, and how they sum to the document's score."""
        return await answer(request, asked)

    @router.post("/explain", response_model=ExplainResponse, response_model_exclude_none=True)
    async def explain_by_body(request: Request, asked: ExplainRequest) -> Response:
        """Say which terms a query that the body asks and a document share."""
        return await answer(request, asked)

    return router


def _explained(index: ServedIndex, searching: Searching, asked: ExplainRequest) -> ExplainResponse:
    searcher = index.pinned(searching)
    try:
        told = searcher.explain(asked.query, asked.id, asked.filter or None)
    except DataError as error:
        raise error_of(error, 404, scrubbed(index)) from None
    except ConfigError as error:
        raise error_of(error, 422, scrubbed(index)) from None
    rescored = told.rescored and RescoredHit(
        **{
            **told.rescored._asdict(),
            "neighbours": [NeighbourFound(**each._asdict()) for each in told.rescored.neighbours],
        }
    )
    return ExplainResponse(
        index=index.name,
        generation=searcher.manifest.generation,
        id=told.id,
        score=told.score,
        terms=[TermShared(**term._asdict()) for term in told.terms],
        unmatched=told.unmatched,
        rescored=rescored,
        passage=told.passage and PassageFound(**told.passage._asdict()),
        filtered=told.filtered or None,
    )
