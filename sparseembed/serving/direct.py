"""Routes that are asked most: FastAPI describes them, and they are answered without it.

To find a route, to gather an endpoint's parameters and to open and close what they may depend on takes FastAPI longer
than a search takes. A route whose endpoint takes one model needs nothing of it: its parameters, or its body, are that
model. What is wrong with a request is told as FastAPI tells it.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, get_type_hints

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sparseembed.serving.problems import is_json, not_json, unreadable

Endpoint = Callable[[Request, Any], Awaitable[Response]]
"""Answers a request, given what it asks: `(request, asked)`."""


def direct_routes(router: APIRouter) -> Iterator[Route]:
    """Yield a route for each path of a router, to stand before those of FastAPI.

    :param router: Its endpoints have the parameters `request` and `asked`, a model, and return a response.
    """
    paths: dict[str, dict[str, APIRoute]] = {}
    for route in router.routes:
        assert isinstance(route, APIRoute)
        paths.setdefault(route.path, {}).update(dict.fromkeys(route.methods, route))
    for path, methods in paths.items():
        yield Route(path, _Direct(methods), methods=[*methods])


class _Direct:
    """The endpoints of one path, by method."""

    def __init__(self, routes: dict[str, APIRoute]) -> None:
        self._routes = routes
        self._endpoints: dict[str, tuple[Endpoint, type[BaseModel]]] = {
            method: (route.endpoint, get_type_hints(route.endpoint)["asked"]) for method, route in routes.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self._routes[scope["method"]]  # for counts and the log
        request = Request(scope, receive)
        endpoint, model = self._endpoints[scope["method"]]
        asked = _of_query(request, model) if scope["method"] == "GET" else await _of_body(request, model)
        response = await endpoint(request, asked)
        await response(scope, receive, send)


def _of_query(request: Request, model: type[BaseModel]) -> BaseModel:
    """Read a model from a URL; of a parameter that is given several times, lists have all and others the last."""
    given = request.query_params
    values: dict[str, Any] = dict(given)
    for name in values.keys() & model.model_fields.keys():
        if isinstance(model.model_fields[name].default, list):
            values[name] = given.getlist(name)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid("query", error) from None


async def _of_body(request: Request, model: type[BaseModel]) -> BaseModel:
    body = await request.body()
    if not body:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
    if not is_json(request.headers.get("content-type", "")):
        raise not_json()
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable(error) from None
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        raise _invalid("body", error) from None


def _invalid(place: str, error: ValidationError) -> RequestValidationError:
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**each, "loc": (place, *each["loc"])} for each in told])
