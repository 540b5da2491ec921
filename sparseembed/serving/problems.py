"""What a server answers where it does not do what it was asked: JSON problems, as RFC 9457 has them."""

import http
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sparseembed.errors import ConfigError, DataError, SparseEmbedError
from sparseembed.serving.indexes import UnknownIndexError
from sparseembed.serving.logs import log_failure

MEDIA_TYPE = "application/problem+json"
FAILED = "The server failed; its log says how."


class Fault(BaseModel):
    """One thing that is wrong with a request: where it stands, and what is wrong with it."""

    where: str
    message: str


class Problem(BaseModel):
    """A problem, as RFC 9457 has it; its title is the status's usual phrase."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] | None = None


class ProblemError(HTTPException):
    """Ends a request with a problem."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """Say what is wrong.

        :param status: The HTTP status.
        :param detail: One line for people: what is wrong, and what to do.
        :param headers: Further headers of the response.
        """
        super().__init__(status, detail, headers)


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Sequence[Fault] | None = None
) -> Response:
    """Return a response that tells a problem. See `ProblemError`."""
    content = Problem(
        title=http.HTTPStatus(status).phrase, status=status, detail=detail, errors=None if errors is None else [*errors]
    )
    return Response(content.model_dump_json(exclude_none=True), status, headers, MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI schema says of problems, for the parameter `responses` of a route."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": http.HTTPStatus(status).phrase, "content": content} for status in statuses}


def error_of(error: SparseEmbedError, status: int, names: Mapping[str, str]) -> ProblemError:
    """Return a problem for an error of the library.

    :param error: The error.
    :param status: The status that says whose mistake it is.
    :param names: Paths of this machine, which nobody else need know, and what stands in their place.
    """
    detail = str(error)
    for path, name in names.items():
        detail = detail.replace(path, name)
    return ProblemError(status, detail)


def add_handlers(app: FastAPI) -> None:
    """Let an application answer errors with problems."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        detail = error.detail
        if error.status_code == 404 and not isinstance(error, ProblemError):
            detail = "There is nothing at this path: /openapi.json says what there is."
        if error.status_code == 405 and not isinstance(error, ProblemError):
            detail = "This path does not take this method."
        return problem(error.status_code, detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [Fault(where=_place(each["loc"]), message=each["msg"]) for each in error.errors()]
        malformed = any(each["type"] == "json_invalid" for each in error.errors())
        first = faults[0]
        return problem(400 if malformed else 422, f"{first.where}: {first.message}", errors=faults)

    @app.exception_handler(SparseEmbedError)
    async def failed(_: Request, error: SparseEmbedError) -> Response:
        if isinstance(error, UnknownIndexError):
            return problem(404, str(error))
        if isinstance(error, ConfigError | DataError):
            return problem(422, str(error))
        log_failure("a request failed", error)
        return problem(500, FAILED)


def _place(place: Sequence[int | str]) -> str:
    """Name a part of a request: `body.documents.3.id`."""
    return ".".join(str(part) for part in place)


def raw_problem(status: int, detail: str) -> bytes:
    """Return the body of a problem, for what is no request yet."""
    title = http.HTTPStatus(status).phrase
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
