"""Qdrant Edge: Qdrant's engine inside the process, on a folder; no server, and its real index of sparse vectors."""

from typing import TYPE_CHECKING, Any

from sparseembed.engines.base import Engine, Hit
from sparseembed.errors import EngineError
from sparseembed.exports.asking import refuse, settled
from sparseembed.exports.folder import FolderSink
from sparseembed.exports.live import reason
from sparseembed.exports.qdrant import VECTOR, payload_of, point_id
from sparseembed.exports.sink import Exported, Facts, Target
from sparseembed.exports.terms import Terms
from sparseembed.extras import extra

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

SHARD = "shard"


def _edge(use: str) -> Any:
    return extra("qdrant_edge", "qdrant-edge", use)


class QdrantEdgeSink(FolderSink):
    """Writes a shard with one point a document: sparse vector `impacts`, payload id, text and metadata."""

    form = "qdrant-edge"
    _shard: Any = None

    def __init__(self, target: Target, facts: Facts) -> None:
        """Take the place; nothing is written yet.

        :raises ConfigError: qdrant-edge-py is not installed.
        """
        super().__init__(target, facts)
        self._edge = _edge("exporting to Qdrant Edge")
        self._points: list[Any] = []

    def begin(self) -> None:
        """Make the shard."""
        (self.part / SHARD).mkdir()
        config = self._edge.EdgeConfig(sparse_vectors={VECTOR: self._edge.EdgeSparseVectorParams()})
        self._shard = self._edge.EdgeShard.create(str(self.part / SHARD), config)

    def add(self, document: Exported) -> None:
        """Take a document; it is written with the others of its batch."""
        vector = self.facts.terms.numbered(document.impacts)
        sparse = self._edge.SparseVector(indices=list(vector), values=[float(each) for each in vector.values()])
        self._points.append(self._edge.Point(point_id(document.id), {VECTOR: sparse}, payload_of(document)))
        if len(self._points) >= self.target.batch:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and let the engine tidy up."""
        self._flush()
        self._shard.optimize()
        self._shard.flush()

    def close(self) -> None:
        """Close the shard."""
        if self._shard is not None:
            self._shard.close()

    def _flush(self) -> None:
        points, self._points = self._points, []
        if points:
            self._shard.update(self._edge.UpdateOperation.upsert_points(points))


class QdrantEdgeEngine(Engine):
    """Asks a shard that an export has written; hits and scores are ours, in our order."""

    def __init__(self, target: Target, terms: Terms) -> None:
        """Load the shard.

        :param target: Its folder.
        :param terms: The numbers of terms.
        :raises EngineError: It cannot be loaded.
        """
        self._edge, self._terms = _edge("searching with Qdrant Edge"), terms
        assert target.place is not None
        try:
            self._shard = self._edge.EdgeShard.load(str(target.place / SHARD))
        except Exception as error:  # its own kinds, which it does not name
            raise EngineError(f"{target.place} cannot be loaded ({reason(error)}): export the index again") from None

    @property
    def documents(self) -> int:
        """Number of points."""
        return int(self._shard.count(self._edge.CountRequest(exact=True)))

    def body(self, query: dict[str, int]) -> Any:
        """Return a query as Qdrant Edge takes it, a `Query`; None where no document has any of its terms."""
        numbered = self._terms.numbered(query)
        if not numbered:
            return None
        values = [float(each) for each in numbered.values()]
        return self._edge.Query.Nearest(self._edge.SparseVector(indices=list(numbered), values=values), using=VECTOR)

    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        refuse(selection)
        body = self.body(query)

        def fetch(limit: int) -> list[tuple[str, float]]:
            found = self._shard.query(self._edge.QueryRequest(limit=limit, query=body, with_payload=["id"]))
            return [(each.payload["id"], each.score) for each in found]

        return [] if body is None else settled(fetch, k)

    def close(self) -> None:
        """Close the shard."""
        self._shard.close()
