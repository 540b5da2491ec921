"""The application: routes over open indexes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from sparseembed import __version__
from sparseembed.serving.indexes import ServedIndexes
from sparseembed.serving.page import page_router
from sparseembed.serving.pool import Pool
from sparseembed.serving.routes.health import health_router
from sparseembed.serving.settings import Settings

ROUTERS = (health_router, page_router)
"""Functions from the indexes and the settings to the routes of one subject."""


def create_app(indexes: ServedIndexes, settings: Settings) -> FastAPI:
    """Return the application of a server; its end closes the indexes.

    :param indexes: The open indexes.
    :param settings: Limits, and what is allowed.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(_follow(indexes, settings, app.state.pool)) if settings.follow else None
        try:
            yield
        finally:
            if following is not None:
                following.cancel()
            app.state.pool.close()
            indexes.close()

    app = FastAPI(title="sparseembed", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.pool = Pool(settings.threads)
    for router in ROUTERS:
        app.include_router(router(indexes, settings))
    return app


async def _follow(indexes: ServedIndexes, settings: Settings, pool: Pool) -> None:
    """Open new commits soon after they are published, whoever published them."""
    from sparseembed.errors import SparseEmbedError

    while True:
        await asyncio.sleep(settings.follow)
        with suppress(SparseEmbedError):  # told by /health
            await pool.run(indexes.follow)
