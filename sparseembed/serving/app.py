"""The application: routes over open indexes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from sparseembed import __version__
from sparseembed.errors import SparseEmbedError
from sparseembed.progress import set_reporter
from sparseembed.serving.direct import direct_routes
from sparseembed.serving.guard import Guard
from sparseembed.serving.indexes import ServedIndexes
from sparseembed.serving.logs import LogReporter, log_failure
from sparseembed.serving.metrics import Metrics
from sparseembed.serving.page import page_router
from sparseembed.serving.pool import Pool
from sparseembed.serving.problems import add_handlers
from sparseembed.serving.routes.documents import documents_router
from sparseembed.serving.routes.explain import explain_router
from sparseembed.serving.routes.health import health_router
from sparseembed.serving.routes.search import search_router
from sparseembed.serving.routes.server import server_router
from sparseembed.serving.schema import DescribedApp
from sparseembed.serving.settings import Settings

ROUTERS = (search_router, explain_router, documents_router, server_router, health_router)
"""Functions from the indexes and the settings to the routes of one subject."""

DIRECT = frozenset({search_router, explain_router})
"""Those whose routes are answered without FastAPI (see `direct`)."""


def create_app(indexes: ServedIndexes, settings: Settings) -> FastAPI:
    """Return the application of a server; its end closes the indexes.

    :param indexes: The open indexes.
    :param settings: Limits, and what is allowed.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(_follow(indexes, settings, app.state.pool)) if settings.follow else None
        before = set_reporter(LogReporter())
        try:
            yield
        finally:
            set_reporter(before)
            if following is not None:
                following.cancel()
            app.state.pool.close()
            indexes.close()

    # No page of documentation: FastAPI's loads scripts from another host.
    app = DescribedApp(
        title="sparseembed",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.describe(settings, indexes.searching)
    app.state.pool = Pool(settings.threads)
    app.state.metrics = Metrics()
    app.state.metrics.look_at(indexes)
    add_handlers(app)
    app.add_middleware(Guard, settings=settings, metrics=app.state.metrics)
    for made in ROUTERS:
        router: APIRouter = made(indexes, settings)
        if made in DIRECT:
            app.router.routes.extend(direct_routes(router))
        app.include_router(router)
    if settings.page:
        app.include_router(page_router(indexes, settings))
    if settings.agents:
        from sparseembed.serving.agents.transports import add_agents

        add_agents(app, indexes, settings)
    return app


async def _follow(indexes: ServedIndexes, settings: Settings, pool: Pool) -> None:
    """Open new commits soon after they are published, whoever published them."""
    while True:
        await asyncio.sleep(settings.follow)
        try:
            await pool.run(indexes.follow)
        except SparseEmbedError as error:  # /health says why
            log_failure("a new commit cannot be opened: the one before goes on to answer", error)
