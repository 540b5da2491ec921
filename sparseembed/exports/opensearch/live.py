"""Feeds OpenSearch or Elasticsearch where it runs, by its own client's bulk helper."""

import time
from collections.abc import Sequence
from typing import Any

from sparseembed.errors import ConfigError, EngineError
from sparseembed.exports.live import LiveSink
from sparseembed.exports.opensearch.clients import CLIENTS, TRANSIENT, Client, why
from sparseembed.exports.opensearch.documents import id_of, source_of
from sparseembed.exports.opensearch.forms import check_index_name
from sparseembed.exports.opensearch.plan import Plan
from sparseembed.exports.sink import Exported, Facts, Target
from sparseembed.text import shown

TRIES = 8
WAIT = 1.0  # seconds before the second try of what an engine had no room for; twice as long before each further one
LONGEST = 30.0  # seconds of a wait
_THERE = 409  # the status of creating a document that is there already


class SearchEngineSink(LiveSink):
    """Makes an index and creates its documents; `_id`s follow from their ids, so that none is there twice."""

    def __init__(self, to: str, target: Target, facts: Facts) -> None:
        """Take where documents go; nothing is sent yet.

        :param to: A key of `FORMS`.
        :param target: The engine and the name of the index there.
        :param facts: What is known of our index.
        :raises ConfigError: A name or address that will not do; the engine's client is not installed.
        """
        self.form, self.engine = to, CLIENTS[to].engine
        super().__init__(target, facts)
        self._plan = Plan(to, target, facts)
        assert target.url is not None
        self._client: Client = CLIENTS[to](target.url, target.name, target.key)
        self.errors = self._client.errors

    @classmethod
    def check_name(cls, name: str) -> None:
        """Refuse what is no name of an index."""
        check_index_name(name)

    def advice(self, said: str) -> str:
        """Name the variable that certificates of one's own need; else as all engines do."""
        if "CERTIFICATE_VERIFY_FAILED" in said or "TLS error" in said:  # OpenSearch's client; Elasticsearch's
            return f"name the file of its certificate's authority in {self._client.variables}_CA_CERTS"
        return super().advice(said)

    def open(self) -> None:
        """See who answers."""
        self._client.check_product()
        self._plan.tell()

    def close(self) -> None:
        """Close the connections."""
        self._client.client.close()

    def commit(self) -> str | None:
        """Return the commit that the index says it was made from."""
        about = self._client.about()
        if about is None:
            return None
        return str(about.get("commit", "")) if about.get("form") == self.form else ""

    def drop(self) -> None:
        """Delete the index, if an export of ours made it."""
        if not self._client.about():
            raise ConfigError(
                f"the index {shown(self.target.name)} of {self.where} was not made by an export: choose another "
                "--name, or delete it yourself"
            )
        self._client.drop()

    def create(self) -> None:
        """Make the index."""
        try:
            self._client.create(self._plan.body)
        except self.errors as error:
            if getattr(error, "status_code", None) != 400:
                raise
            info: Any = getattr(error, "info", None)
            said = why(info.get("error")) if isinstance(info, dict) else ""
            raise EngineError(
                f"{self.where} refuses the index {shown(self.target.name)} ({said or type(error).__name__}): see what "
                "its version and settings lack, or write files (--out) and change index.json"
            ) from None

    def count(self) -> int:
        """Return how many documents can be found."""
        return self._client.count()

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which documents are there."""
        found = self._client.present([id_of(doc_id) for doc_id in ids])
        return {doc_id for doc_id in ids if id_of(doc_id) in found}

    def is_transient(self, error: Exception) -> bool:
        """Say whether it may go well another time."""
        return self._client.is_transient(error)

    def send(self, documents: Sequence[Exported]) -> None:
        """Create documents, again where the engine had no room for them."""
        left = documents
        for attempt in range(TRIES):
            if attempt:
                time.sleep(min(WAIT * 2 ** (attempt - 1), LONGEST))
            left, said = self._sent(left)
            if not left:
                return
        raise EngineError(
            f"{self.where} had no room for {shown(left[0].id)} and {len(left) - 1:,} others, {TRIES} times ({said}): "
            "wait, and run the same command again, which goes on from there"
        )

    def _sent(self, documents: Sequence[Exported]) -> tuple[list[Exported], str]:
        """Send documents once; return those to be sent again, and why."""
        again, told = [], ""
        actions = (
            {"_op_type": "create", "_id": id_of(each.id), "_source": source_of(self._plan.form, self._plan.space, each)}
            for each in documents
        )
        for document, (status, reason) in zip(documents, self._client.bulk(actions), strict=True):
            if status in TRANSIENT:
                again.append(document)
                told = reason
            elif status >= 300 and status != _THERE:
                raise EngineError(f"{self.where} refuses the document {shown(document.id)}: {reason or status}")
        return again, told
