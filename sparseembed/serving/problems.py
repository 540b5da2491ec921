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
from starlette.routing import Match

from sparseembed.errors import ConfigError, DataError, SparseEmbedError
from sparseembed.serving.indexes import UnknownIndexError
from sparseembed.serving.logs import log_failure
from sparseembed.text import clean_text, one_line, shown

MEDIA_TYPE = "application/problem+json"
FAILED = "The server failed; its log says how."
ALWAYS = (400, 408, 413, 421, 500, 503)
"""Statuses that any request may get."""

_MOST_FAULTS = 20  # told of one request
_LONGEST_NAME = 60  # characters of a name that a request brings
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


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


def is_json(content_type: str) -> bool:
    """Say whether a body's type is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("application/") and (kind == "application/json" or kind.endswith("+json"))


def not_json() -> ProblemError:
    """Return the problem of a body of another type, which is also what curl sends where nothing is said of it."""
    return ProblemError(415, "The body is to be JSON: send it with the header Content-Type: application/json.")


def unreadable(error: ValueError | RecursionError) -> ProblemError:
    """Return the problem of a body that cannot be read as JSON, from what the reader says."""
    if isinstance(error, json.JSONDecodeError):
        reason = one_line(error)
    elif isinstance(error, UnicodeDecodeError):
        reason = f"its byte {error.start:,} is no UTF-8"
    elif isinstance(error, RecursionError):
        reason = "it is nested too deep"
    else:
        reason = "a number is too long"
    return ProblemError(400, f"The body cannot be read as JSON: {reason}.")


def add_handlers(app: FastAPI) -> None:
    """Let an application answer errors with problems."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        detail = error.detail
        if error.status_code == 404 and not isinstance(error, ProblemError):
            detail = "There is nothing at this path: /openapi.json says what there is."
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if error.status_code == 405 and not isinstance(error, ProblemError):
            headers["allow"] = ", ".join(_allowed(request))
            detail = f"This path takes the methods {headers['allow']}, and not {shown(request.method)}."
        if error.status_code == 400 and isinstance(error.__cause__, ValueError | RecursionError):
            detail = unreadable(error.__cause__).detail
        return problem(error.status_code, detail, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if isinstance(error.body, bytes) and not is_json(request.headers.get("content-type", "")):
            error_of_type = not_json()
            return problem(error_of_type.status_code, error_of_type.detail)
        faults = [Fault(where=_place(each["loc"]), message=each["msg"]) for each in error.errors()[:_MOST_FAULTS]]
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


def _allowed(request: Request) -> list[str]:
    """Return the methods that a path takes, whichever of its routes takes each."""
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    routes = request.app.router.routes
    takes = [method for method in scopes if any(each.matches(scopes[method])[0] is Match.FULL for each in routes)]
    return ["HEAD", *takes] if "GET" in takes else takes  # the guard makes one of the other


def _place(place: Sequence[int | str]) -> str:
    """Name a part of a request: `body.documents.3.id`."""
    return clean_text(".".join(str(part)[:_LONGEST_NAME] for part in place))


def raw_problem(status: int, detail: str) -> bytes:
    """Return the body of a problem, for what is no request yet."""
    title = http.HTTPStatus(status).phrase
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
