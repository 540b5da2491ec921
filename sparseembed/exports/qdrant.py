"""Qdrant: a server, its local mode in a folder, and queries to either."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from sparseembed.engines.base import Engine, Hit
from sparseembed.errors import ConfigError, EngineError
from sparseembed.exports.asking import refuse, settled
from sparseembed.exports.live import TIMEOUT, LiveSink, told
from sparseembed.exports.sink import Exported, Target
from sparseembed.exports.terms import Terms
from sparseembed.extras import extra, need
from sparseembed.text import shown

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

VECTOR = "impacts"
"""Name of the sparse vector."""
DATABASE = "qdrant"
_SPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122's namespace of URLs
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_BUSY = (408, 429, 500, 502, 503, 504)


def point_id(doc_id: str) -> str:
    """Return the UUID of a document's point: Qdrant's ids are numbers and UUIDs, and the id is in the payload."""
    return str(uuid5(_SPACE, f"sparseembed:{doc_id}"))


def payload_of(document: Exported) -> dict[str, Any]:
    """Return what stands beside a document's vector."""
    payload: dict[str, Any] = {"id": document.id, "text": document.text}
    return {**payload, "metadata": dict(document.metadata)} if document.metadata else payload


def open_client(target: Target) -> Any:
    """Open Qdrant's client, on a server or on a folder.

    :raises ConfigError: It is not installed.
    :raises EngineError: The folder's database is in use.
    """
    client = extra("qdrant_client", "qdrant", "exporting to Qdrant")
    if target.url is not None:
        return client.QdrantClient(url=target.url, api_key=target.key, timeout=TIMEOUT, check_compatibility=False)
    assert target.place is not None
    try:
        return client.QdrantClient(path=str(target.place / DATABASE))
    except RuntimeError as error:  # its own lock
        raise EngineError(f"{target.place} is in use by another program ({error}): close that first") from None


def client_errors() -> tuple[type[Exception], ...]:
    """Return what Qdrant's client raises."""
    exceptions = extra("qdrant_client.http.exceptions", "qdrant", "exporting to Qdrant")
    return (exceptions.ApiException, OSError, ValueError)


class QdrantSink(LiveSink):
    """Fills a collection with one point a document: sparse vector `impacts`, payload id, text and metadata."""

    form, engine = "qdrant", "Qdrant"
    _client: Any = None

    @classmethod
    def check_name(cls, name: str) -> None:
        """Raise unless Qdrant takes a collection of that name."""
        if not 0 < len(name.encode()) <= 255 or _FORBIDDEN.search(name):
            raise ConfigError(
                f"Qdrant takes no collection named {shown(name)}: give --name 1 to 255 bytes, without any of "
                '< > : " / \\ | ? * and control characters'
            )

    def check_packages(self) -> None:
        """Raise where Qdrant's client is not installed."""
        need(("qdrant_client",), "qdrant", "exporting to Qdrant")

    def open(self) -> None:
        """Connect."""
        self.errors = client_errors()
        self._client = open_client(self.target)
        self.models = extra("qdrant_client.models", "qdrant", "exporting to Qdrant")

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()

    def commit(self) -> str | None:
        """Return the commit that stands in the collection's metadata."""
        if not self.retried(lambda: self._client.collection_exists(self.target.name)):
            return None
        metadata = self._client.get_collection(self.target.name).config.metadata or {}
        return str(metadata.get("sparseembed_commit", ""))

    def drop(self) -> None:
        """Remove the collection."""
        self._client.delete_collection(self.target.name)

    def create(self) -> None:
        """Make the collection."""
        self._client.create_collection(
            self.target.name,
            vectors_config={},
            sparse_vectors_config={VECTOR: self.models.SparseVectorParams()},
            metadata={"sparseembed_commit": self.facts.commit, "sparseembed_terms": len(self.facts.terms)},
        )
        if not self.commit():
            self.drop()
            raise EngineError(f"{self.where} keeps no metadata of collections: use Qdrant 1.16 or newer")

    def count(self) -> int:
        """Return the number of points."""
        return int(self._client.count(self.target.name, exact=True).count)

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which documents have a point."""
        found = self._client.retrieve(self.target.name, [point_id(each) for each in ids], with_payload=["id"])
        return {each.payload["id"] for each in found}

    def send(self, documents: Sequence[Exported]) -> None:
        """Upsert points."""
        self._client.upsert(self.target.name, [self._point(each) for each in documents], wait=True)

    def is_transient(self, error: Exception) -> bool:
        """Say whether the server was busy or not to be reached."""
        return not isinstance(error, ValueError) and getattr(error, "status_code", 503) in _BUSY

    def _point(self, document: Exported) -> Any:
        vector = self.facts.terms.numbered(document.impacts)
        sparse = self.models.SparseVector(indices=list(vector), values=[float(each) for each in vector.values()])
        return self.models.PointStruct(id=point_id(document.id), vector={VECTOR: sparse}, payload=payload_of(document))


class QdrantEngine(Engine):
    """Asks a collection that an export has filled; hits and scores are ours, in our order."""

    def __init__(self, target: Target, terms: Terms) -> None:
        """Connect.

        :param target: Where the collection is.
        :param terms: The numbers of terms.
        :raises EngineError: It is not there.
        """
        self._target, self._terms = target, terms
        self._client = open_client(target)
        self._models = extra("qdrant_client.models", "qdrant", "searching in Qdrant")

    @property
    def documents(self) -> int:
        """Number of points."""
        with self._told():
            return int(self._client.count(self._target.name, exact=True).count)

    def body(self, query: dict[str, int]) -> Any:
        """Return a query as Qdrant takes it, a `SparseVector`; None where no document has any of its terms."""
        numbered = self._terms.numbered(query)
        if not numbered:
            return None
        return self._models.SparseVector(indices=list(numbered), values=[float(each) for each in numbered.values()])

    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        refuse(selection)
        body = self.body(query)

        def fetch(limit: int) -> list[tuple[str, float]]:
            found = self._client.query_points(
                self._target.name, query=body, using=VECTOR, limit=limit, with_payload=["id"]
            )
            return [(each.payload["id"], each.score) for each in found.points]

        with self._told():
            return [] if body is None else settled(fetch, k)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _told(self) -> Any:
        place: str | Path | None = self._target.url or self._target.place
        return told(f"Qdrant at {place}", client_errors, "ask again")
