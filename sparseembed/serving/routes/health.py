"""`/health`: whether the server answers, and which commits it answers from."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from sparseembed import __version__
from sparseembed.serving.indexes import ServedIndexes
from sparseembed.serving.problems import ALWAYS, documented
from sparseembed.serving.settings import Settings


class ServedCommit(BaseModel):
    """A commit of an index that is open, and why a later one is not."""

    name: str
    build: str
    generation: int
    problem: str | None = None


class Health(BaseModel):
    """Whether all is well: `degraded` where a later commit of an index cannot be opened, and an older one answers."""

    status: Literal["ok", "degraded"]
    version: str
    indexes: list[ServedCommit]


def health_router(indexes: ServedIndexes, settings: Settings) -> APIRouter:
    """Return the route of `/health`."""
    router = APIRouter(tags=["server"], responses=documented(*ALWAYS))

    @router.get("/health")
    async def health() -> Health:
        """Say whether the server answers, without a search."""
        commits = [commit_of(indexes, name) for name in indexes.names()]
        well = all(commit.problem is None for commit in commits)
        return Health(status="ok" if well else "degraded", version=__version__, indexes=commits)

    return router


def commit_of(indexes: ServedIndexes, name: str) -> ServedCommit:
    """Describe the open commit of an index."""
    index = indexes.index(name)
    manifest = index.manifest
    problem = index.problem and index.problem.replace(str(index.path), name)
    return ServedCommit(name=name, build=manifest.build, generation=manifest.generation, problem=problem)
