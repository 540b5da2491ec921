"""`/documents`: what an index holds, and where the server may write, changes of it."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from sparseembed.data.corpus import Document
from sparseembed.errors import ConfigError, DataError, IndexFolderError
from sparseembed.index.manifest import Manifest
from sparseembed.indexing.update import Index
from sparseembed.serving.indexes import ServedIndex, ServedIndexes
from sparseembed.serving.models import AddRequest, ChangeResponse, DocumentFound
from sparseembed.serving.pool import Pool, in_pool
from sparseembed.serving.problems import ALWAYS, ProblemError, documented, error_of
from sparseembed.serving.routes.asking import json_of, scrubbed, tell
from sparseembed.serving.settings import Settings
from sparseembed.serving.tokens import authorized
from sparseembed.text import shown

if TYPE_CHECKING:
    from sparseembed.retrieval.searcher import Searcher

_IndexName = Annotated[str | None, Query(description="Name of the index; the server's first when left out.")]
_Ids = Annotated[list[str], Query(min_length=1, description="Ids of documents.")]


def documents_router(indexes: ServedIndexes, settings: Settings) -> APIRouter:
    """Return the routes of `/documents`; those that change an index only where the server may."""
    router = APIRouter(tags=["documents"], responses=documented(*ALWAYS, 404, 422))

    @router.get("/documents/{id:path}", response_model=DocumentFound)
    async def document(request: Request, id: str, index: _IndexName = None) -> Response:
        """Return a document. In the path, an id's characters `%`, `?` and `#` are written `%25`, `%3F`, `%23`."""
        served = indexes.index(index)
        tell(request, settings, index=served.name)
        return await in_pool(request, lambda: json_of(_held(served, id)))

    if settings.writable:
        _add_writing(router, indexes, settings)
    return router


def _held(index: ServedIndex, doc_id: str) -> DocumentFound:
    searcher = index.pinned()
    try:
        text, metadata = searcher.text(doc_id), dict(searcher.metadata(doc_id))
    except DataError as error:
        raise error_of(error, 404, scrubbed(index)) from None
    return DocumentFound(
        index=index.name, generation=searcher.manifest.generation, id=doc_id, text=text, metadata=metadata
    )


def _add_writing(router: APIRouter, indexes: ServedIndexes, settings: Settings) -> None:
    """Add the routes that change an index."""
    allowed = [Depends(authorized(settings))]
    refusals = documented(401, 409, 415)

    async def changed(request: Request, index: ServedIndex, change: Callable[[Index], Manifest]) -> ChangeResponse:
        pool: Pool = request.app.state.pool
        tell(request, settings, index=index.name)
        return await pool.write(lambda: _changed(index, Index(index.path, indexes.embedder), change))

    @router.post("/documents", dependencies=allowed, responses=refusals)
    async def add(request: Request, wanted: AddRequest) -> ChangeResponse:
        """Add documents in one step: all of them are found from then on, or none is added."""
        index = indexes.index(wanted.index)
        documents = [Document(each.id, each.title, each.text, each.metadata) for each in wanted.documents]

        def change(there: Index) -> Manifest:
            if not wanted.replace:
                _refuse_known(index, [each.id for each in documents])
            return there.add(documents, wanted.replace)

        return await changed(request, index, change)

    @router.delete("/documents/{id:path}", dependencies=allowed, responses=refusals)
    async def delete(request: Request, id: str, index: _IndexName = None) -> ChangeResponse:
        """Delete a document."""
        served = indexes.index(index)
        return await changed(request, served, partial(_deleted, served, [id]))

    @router.delete("/documents", dependencies=allowed, responses=refusals)
    async def delete_several(request: Request, id: _Ids, index: _IndexName = None) -> ChangeResponse:
        """Delete documents in one step; none where the index lacks one of them."""
        served = indexes.index(index)
        return await changed(request, served, partial(_deleted, served, id))


def _deleted(index: ServedIndex, ids: list[str], there: Index) -> Manifest:
    try:
        return there.delete(ids)
    except DataError as error:
        raise error_of(error, 404, scrubbed(index)) from None


def _has(searcher: "Searcher", doc_id: str) -> bool:
    try:
        searcher.metadata(doc_id)
    except DataError:
        return False
    return True


def _refuse_known(index: ServedIndex, ids: list[str]) -> None:
    index.reload()  # another worker may have added them
    searcher = index.pinned()
    known = [doc_id for doc_id in ids if _has(searcher, doc_id)]
    if known:
        raise ProblemError(
            409,
            f"{index.name} has {len(known):,} of these documents already, the first is {shown(known[0])}: nothing was "
            "added; send replace: true to put the new ones in their place",
        )


def _changed(index: ServedIndex, there: Index, change: Callable[[Index], Manifest]) -> ChangeResponse:
    """Change an index, and open the new commit, so that who has changed it finds what he changed."""
    try:
        manifest = change(there)
    except DataError as error:
        raise error_of(error, 422, scrubbed(index)) from None
    except ConfigError as error:
        raise error_of(error, 409, scrubbed(index)) from None
    except IndexFolderError as error:
        refusal = error_of(error, 409, scrubbed(index))
        raise ProblemError(409, refusal.detail, {"retry-after": "1"}) from None
    index.reload()
    return ChangeResponse(index=index.name, generation=manifest.generation, documents=manifest.counts["documents"])
