"""The two ways to the tools: standard input and output, and HTTP beside the other routes of a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from fastapi import FastAPI
from mcp.server.transport_security import TransportSecuritySettings

from sparseembed.serving.agents.server import agent_server
from sparseembed.serving.indexes import ServedIndexes
from sparseembed.serving.settings import Settings

PATH = "/mcp"

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve_stdio(indexes: ServedIndexes, settings: Settings) -> None:
    """Answer on standard input and output until the client closes them.

    What anything else prints meanwhile goes to standard error: the SDK sees to that.

    :param indexes: The open indexes.
    :param settings: Limits.
    """
    anyio.run(agent_server(indexes, settings).run_stdio_async)


def add_agents(app: FastAPI, indexes: ServedIndexes, settings: Settings, loopback: bool = True) -> None:
    """Add the tools to an application, by streamable HTTP at `/mcp`. There are no sessions: any process may answer.

    :param app: The application; its lifespan is extended.
    :param indexes: The open indexes.
    :param settings: Limits.
    :param loopback: Whether requests must name this machine, as they do where the server is bound to the loopback
        address: no page of another site can then reach the tools by a name of its own (DNS rebinding).
    """
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=loopback,
        allowed_hosts=[each for host in _LOOPBACK for each in (host, f"{host}:*")],
        allowed_origins=[each for host in _LOOPBACK for each in (f"http://{host}", f"http://{host}:*")],
    )
    server = agent_server(indexes, settings)
    agents = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=settings.max_body,
        transport_security=security,
    )
    app.router.routes.extend(agents.routes)
    before = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: FastAPI) -> AsyncIterator[Any]:
        async with before(started) as state, server.session_manager.run():
            yield state

    app.router.lifespan_context = lifespan
