"""Milvus: a cluster, or Milvus Lite in a folder, and queries to either."""

import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sparseembed.engines.base import Engine, Hit
from sparseembed.errors import ConfigError
from sparseembed.exports.asking import refuse, settled
from sparseembed.exports.live import TIMEOUT, LiveSink, told
from sparseembed.exports.sink import Exported, Facts, Target
from sparseembed.exports.terms import Terms
from sparseembed.extras import extra, need
from sparseembed.progress import note
from sparseembed.text import shown

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

DATABASE = "milvus.db"
LONGEST = 65_535
"""Bytes of a text, at most: what Milvus takes."""
MOST = 16_384
"""Hits of a query, at most."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_COMMIT = "sparseembed.commit"


def open_client(target: Target) -> Any:
    """Open Milvus's client, on a cluster or on a folder.

    :raises ConfigError: It is not installed.
    """
    pymilvus = extra("pymilvus", "milvus", "exporting to Milvus")
    if target.url is not None:
        return pymilvus.MilvusClient(uri=target.url, token=target.key or "", timeout=TIMEOUT)
    extra("milvus_lite", "milvus", "exporting to Milvus in a folder")
    assert target.place is not None
    target.place.mkdir(parents=True, exist_ok=True)
    return pymilvus.MilvusClient(uri=str(target.place / DATABASE))


def close_client(client: Any, target: Target) -> None:
    """Disconnect, and let go of the folder, which Milvus Lite would hold until the process ends."""
    client.close()
    if target.url is None and target.place is not None:
        manager = extra("milvus_lite.server_manager", "milvus", "exporting to Milvus in a folder")
        manager.server_manager_instance.release_server(str(target.place / DATABASE))


def client_errors() -> tuple[type[Exception], ...]:
    """Return what Milvus's client raises."""
    return (extra("pymilvus.exceptions", "milvus", "exporting to Milvus").MilvusException, OSError, ValueError)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the client from writing to the log, with a traceback, what it raises anyway."""
    logger = logging.getLogger("pymilvus")
    before, logger.disabled = logger.level, False
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


class MilvusSink(LiveSink):
    """Fills a collection with the fields id, text, metadata and the sparse vector `impacts`."""

    form, engine = "milvus", "Milvus"
    _client: Any = None

    def __init__(self, target: Target, facts: Facts) -> None:
        """Take where documents go; nothing is opened yet."""
        super().__init__(target, facts)
        self._cut: dict[str, list[str]] = {"text": [], "metadata": []}

    @classmethod
    def check_name(cls, name: str) -> None:
        """Raise unless Milvus takes a collection of that name."""
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"Milvus takes no collection named {shown(name)}: give --name up to 255 letters, digits and "
                "underscores of ASCII, no digit first"
            )

    def check_packages(self) -> None:
        """Raise where Milvus's client is not installed, or for a folder Milvus Lite."""
        modules = ("pymilvus",) if self.target.url else ("pymilvus", "milvus_lite")
        need(modules, "milvus", "exporting to Milvus")

    def open(self) -> None:
        """Connect."""
        self.errors = client_errors()
        with quiet():
            self._client = open_client(self.target)

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            close_client(self._client, self.target)

    def retried(self, call: Callable[[], Any]) -> Any:
        """Call, again where what failed may go well another time."""
        with quiet():
            return super().retried(call)

    def commit(self) -> str | None:
        """Return the commit that stands among the collection's properties."""
        if not self.retried(lambda: self._client.has_collection(self.target.name)):
            return None
        return str(self._client.describe_collection(self.target.name).get("properties", {}).get(_COMMIT, ""))

    def drop(self) -> None:
        """Remove the collection."""
        self._client.drop_collection(self.target.name)

    def create(self) -> None:
        """Make the collection and its index."""
        kind = extra("pymilvus", "milvus", "exporting to Milvus").DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", kind.VARCHAR, is_primary=True, max_length=LONGEST)
        schema.add_field("text", kind.VARCHAR, max_length=LONGEST)
        schema.add_field("metadata", kind.JSON)
        schema.add_field("impacts", kind.SPARSE_FLOAT_VECTOR)
        index = self._client.prepare_index_params()
        index.add_index("impacts", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        self._client.create_collection(
            self.target.name,
            schema=schema,
            index_params=index,
            consistency_level="Strong",
            properties={_COMMIT: self.facts.commit},
        )

    def count(self) -> int:
        """Return the number of rows."""
        self._client.load_collection(self.target.name)
        return int(self._client.query(self.target.name, filter="", output_fields=["count(*)"])[0]["count(*)"])

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which documents have a row."""
        return {each["id"] for each in self._client.query(self.target.name, ids=list(ids), output_fields=["id"])}

    def send(self, documents: Sequence[Exported]) -> None:
        """Upsert rows."""
        self._client.upsert(self.target.name, [self.row(each) for each in documents])

    def finish(self) -> None:
        """Write all to disk, and say what was cut."""
        self._client.flush(self.target.name)
        for field, ids in self._cut.items():
            if ids:
                note(
                    f"Milvus holds at most {LONGEST:,} bytes of a {field}: that of {len(ids):,} documents is "
                    f"{'cut' if field == 'text' else 'left out'}, of {shown(ids[0])} first; "
                    "vectors and scores are whole"
                )

    def is_transient(self, error: Exception) -> bool:
        """Say whether the cluster was busy or not to be reached."""
        return not isinstance(error, ValueError) and getattr(error, "code", 1) in (1, 2, 8)

    def row(self, document: Exported) -> dict[str, Any]:
        """Return a document's row; what Milvus cannot hold is cut and remembered."""
        terms = self.facts.terms
        # Milvus takes no vector without a dimension: documents without terms get one that no query has.
        vector = terms.numbered(document.impacts) or {len(terms): 1}
        text, metadata = document.text.encode(), dict(document.metadata)
        if len(text) > LONGEST:
            self._cut["text"].append(document.id)
        if len(json_of(metadata)) > LONGEST:
            self._cut["metadata"].append(document.id)
            metadata = {}
        return {
            "id": document.id,
            "text": text[:LONGEST].decode(errors="ignore"),
            "metadata": metadata,
            "impacts": {number: float(weight) for number, weight in vector.items()},
        }


def json_of(metadata: dict[str, Any]) -> bytes:
    """Return metadata as JSON."""
    return json.dumps(metadata, ensure_ascii=False).encode()


class MilvusEngine(Engine):
    """Asks a collection that an export has filled; hits and scores are ours, in our order."""

    def __init__(self, target: Target, terms: Terms) -> None:
        """Connect.

        :param target: Where the collection is.
        :param terms: The numbers of terms.
        :raises EngineError: It is not there.
        """
        self._target, self._terms = target, terms
        with self._told():
            self._client = open_client(target)
            self._client.load_collection(target.name)

    @property
    def documents(self) -> int:
        """Number of rows."""
        with self._told():
            found = self._client.query(self._target.name, filter="", output_fields=["count(*)"])
            return int(found[0]["count(*)"])

    def body(self, query: dict[str, int]) -> dict[int, float]:
        """Return a query as Milvus takes it."""
        return {number: float(weight) for number, weight in self._terms.numbered(query).items()}

    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        refuse(selection)
        body = self.body(query)

        def fetch(limit: int) -> list[tuple[str, float]]:
            found = self._client.search(
                self._target.name,
                [body],
                anns_field="impacts",
                limit=limit,
                search_params={"metric_type": "IP", "params": {}},
                output_fields=["id"],
            )
            return [(each["id"], each["distance"]) for each in found[0]]

        with self._told():
            return settled(fetch, k, MOST) if body else []

    def close(self) -> None:
        """Disconnect."""
        close_client(self._client, self._target)

    @contextmanager
    def _told(self) -> Iterator[None]:
        with quiet(), told(f"Milvus at {self._target.url or self._target.place}", client_errors, "ask again"):
            yield
