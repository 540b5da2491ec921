"""`/indexes`, `/reload` and `/metrics`: what a server serves, and what it has done."""

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from sparseembed.errors import SparseEmbedError
from sparseembed.serving import metrics
from sparseembed.serving.indexes import ServedIndex, ServedIndexes
from sparseembed.serving.models import IndexFound, IndexList, Strict
from sparseembed.serving.pool import in_pool
from sparseembed.serving.problems import ALWAYS, documented, error_of
from sparseembed.serving.routes.health import ServedCommit, commit_of
from sparseembed.serving.settings import Settings
from sparseembed.serving.tokens import authorized


class ReloadRequest(Strict):
    """Which index is to be reloaded; all of them when it is left out."""

    index: str | None = None


class ReloadResponse(BaseModel):
    """The indexes that had another commit than the open one, and the commits that are open now."""

    reloaded: list[str]
    indexes: list[ServedCommit]


def server_router(indexes: ServedIndexes, settings: Settings) -> APIRouter:
    """Return the routes that are about the server itself."""
    router = APIRouter(tags=["server"], responses=documented(*ALWAYS))
    guarded = settings.token is not None
    allowed = [Depends(authorized(settings))] if guarded else []
    refusals = documented(*((401,) if guarded else ()), 404, 415, 422)

    @router.get("/indexes")
    async def listed() -> IndexList:
        """List the indexes, and how they are searched where a request does not say."""
        searching = indexes.searching
        return IndexList(
            indexes=[_described(indexes, indexes.index(name)) for name in indexes.names()],
            expand=searching.expand,
            encoder=searching.named,
            feedback=searching.feedback,
            max_k=settings.max_k,
            max_query=settings.max_query,
        )

    @router.post("/reload", dependencies=allowed, responses=refusals)
    async def reload(request: Request, wanted: ReloadRequest | None = None) -> ReloadResponse:
        """Open the last commit of one index, or of all, at once; a server does so by itself within a second."""
        names = indexes.names() if wanted is None or wanted.index is None else [indexes.index(wanted.index).name]
        reloaded = await in_pool(request, lambda: [name for name in names if _reloaded(indexes.index(name))])
        return ReloadResponse(reloaded=reloaded, indexes=[commit_of(indexes, name) for name in names])

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def counted(request: Request) -> Response:
        """Return counts and times in Prometheus' text form."""
        counts: metrics.Metrics = request.app.state.metrics
        counts.look_at(indexes)
        return Response(counts.text(), headers={"content-type": metrics.MEDIA_TYPE})

    return router


def _reloaded(index: ServedIndex) -> bool:
    try:
        return index.reload()
    except SparseEmbedError as error:
        raise error_of(error, 500, {str(index.path): index.name}) from None


def _described(indexes: ServedIndexes, index: ServedIndex) -> IndexFound:
    searcher = index.pinned()
    manifest = searcher.manifest
    return IndexFound(
        name=index.name,
        default=index.name == indexes.default,
        documents=manifest.counts["documents"],
        terms=manifest.counts["terms"],
        generation=manifest.generation,
        build=manifest.build,
        corpus=manifest.corpus["name"],
        embedder=manifest.embedder["name"],
        term_space=manifest.sparse["terms"],
        analyzer=manifest.analyzer,
        fields=searcher.fields,
        rescoring=manifest.rescoring is not None,
    )
