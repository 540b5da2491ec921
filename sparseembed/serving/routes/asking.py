"""What routes share: limits of queries, the search that is asked for, and responses."""

from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from sparseembed.serving.guard import TOLD
from sparseembed.serving.indexes import ServedIndex, ServedIndexes
from sparseembed.serving.models import Asked
from sparseembed.serving.problems import ProblemError
from sparseembed.serving.settings import Searching, Settings


def check_query(query: str, settings: Settings) -> None:
    """Refuse a query over the limit.

    :raises ProblemError: It is longer.
    """
    if len(query) > settings.max_query:
        raise ProblemError(
            422, f"query has {len(query):,} characters, and {settings.max_query:,} is the most here: shorten it"
        )


def check_k(k: int, settings: Settings) -> None:
    """Refuse more hits than the limit.

    :raises ProblemError: They are more.
    """
    if k > settings.max_k:
        raise ProblemError(422, f"k is {k:,}, and {settings.max_k:,} is the most here: ask for fewer hits")


def asked_of(indexes: ServedIndexes, asked: Asked) -> tuple[ServedIndex, Searching]:
    """Return the index that is asked, and how it is searched.

    :raises UnknownIndexError: There is no such index.
    :raises ConfigError: The server was not started for it.
    """
    return indexes.index(asked.index), indexes.searching.but(asked.expand, asked.encoder, asked.feedback)


def tell(request: Request, settings: Settings, query: str | None = None, **fields: Any) -> None:
    """Put something into the line of the log that the request gets; a query only where that is wanted."""
    told: dict[str, Any] = request.scope.setdefault("state", {}).setdefault(TOLD, {})
    told.update(fields)
    if settings.log_queries and query is not None:
        told["query"] = query


def json_of(content: BaseModel) -> Response:
    """Return a response; what is None is left out of it."""
    return Response(content.model_dump_json(exclude_none=True), media_type="application/json")


def scrubbed(index: ServedIndex) -> dict[str, str]:
    """Return what stands for the paths of an index in messages."""
    return {str(index.path): index.name}
