"""The two ways to the tools: standard input and output, and HTTP beside the other routes of a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route

from sparseembed.serving.agents.server import agent_server
from sparseembed.serving.indexes import ServedIndexes
from sparseembed.serving.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

PATH = "/mcp"


def serve_stdio(indexes: ServedIndexes, settings: Settings) -> None:
    """Answer on standard input and output until the client closes them.

    What anything else prints meanwhile goes to standard error: the SDK sees to that.

    :param indexes: The open indexes.
    :param settings: Limits.
    """
    anyio.run(agent_server(indexes, settings).run_stdio_async)


def add_agents(app: "FastAPI", indexes: ServedIndexes, settings: Settings) -> None:
    """Add the tools to an application, by streamable HTTP at `/mcp`. There are no sessions: any process may answer.

    :param app: The application; its lifespan is extended.
    :param indexes: The open indexes.
    :param settings: Limits, and the names of the server: pages of other sites do not reach the tools.
    """
    names = [f"[{name}]" if ":" in name else name for name in settings.hosts or ()]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=settings.hosts is not None,
        allowed_hosts=[each for name in names for each in (name, f"{name}:*")],
        allowed_origins=[
            f"{scheme}://{name}{port}" for scheme in ("http", "https") for name in names for port in ("", ":*")
        ],
    )
    server = agent_server(indexes, settings)
    agents = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=settings.max_body,
        transport_security=security,
    )
    for route in agents.routes:
        assert isinstance(route, Route)
        # Without sessions there is nothing to tell a client that only listens: a stream would end by the time limit,
        # and be opened again and again.
        route.methods = {"POST"}
        app.router.routes.append(route)
    before = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: "FastAPI") -> AsyncIterator[Any]:
        async with before(started) as state, server.session_manager.run():
            yield state

    app.router.lifespan_context = lifespan
