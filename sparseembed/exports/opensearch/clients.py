"""The engines' own Python clients, as far as an export needs them, behind one face."""

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sparseembed.errors import ConfigError, EngineError
from sparseembed.extras import extra
from sparseembed.text import one_line, shown

TIMEOUT = 60  # seconds that an engine has for an answer
CHUNK = 10_000_000  # bytes of a bulk body
TRANSIENT = (429, 502, 503, 504)
"""Answers after which the same request may go well."""


class Client(ABC):
    """A connection to an engine, for one index."""

    engine = ""
    variables = ""
    """Its name, and the prefix of the environment variables that hold its users and keys."""

    def __init__(self, url: str, index: str, key: str | None) -> None:
        """Make the client; nothing is sent.

        :param url: Where the engine is.
        :param index: Name of the index.
        :param key: Its password or key, if it wants one.
        :raises ConfigError: The URL is none, or holds a password; the client is not installed.
        """
        self.url, self.index = check_url(url, self.variables), index
        self.client = self._made(key)
        # Each failed request would be reported on its own; what comes of them is told once.
        for name in ("opensearch", "elasticsearch", "elastic_transport"):
            logging.getLogger(name).addHandler(logging.NullHandler())

    @abstractmethod
    def _made(self, key: str | None) -> Any: ...

    @property
    @abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """The exceptions that it raises."""

    @abstractmethod
    def check_product(self) -> None:
        """Raise an EngineError where another engine, or one that is too old, answers."""

    @abstractmethod
    def _settings(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return an index's body as the client takes it."""

    @abstractmethod
    def _ids(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return ids to look for as the client takes them."""

    @abstractmethod
    def _streamed(self, actions: Iterable[dict[str, Any]]) -> Iterator[tuple[bool, dict[str, Any]]]:
        """Run the client's bulk helper, without its tries."""

    def is_transient(self, error: Any) -> bool:
        """Say whether a request may go well another time."""
        return getattr(error, "status_code", None) in TRANSIENT or self._is_lost(error)

    @abstractmethod
    def _is_lost(self, error: Exception) -> bool:
        """Say whether no answer came."""

    def about(self) -> dict[str, Any] | None:
        """Return what the index says that it was made of: empty where it is not ours, None where there is none.

        :raises ConfigError: The name is an alias.
        """
        if not self.client.indices.exists(index=self.index):
            return None
        found = self.client.indices.get_mapping(index=self.index)
        if self.index not in found:
            raise ConfigError(
                f"{shown(self.index)} is an alias at {one_line(self.url)}: give the index a --name of its own, and let "
                "the alias point to it then"
            )
        about = found[self.index]["mappings"].get("_meta", {}).get("sparseembed", {})
        return about if isinstance(about, dict) else {}

    def create(self, body: Mapping[str, Any]) -> None:
        """Make the index."""
        self.client.indices.create(index=self.index, **self._settings(body))

    def drop(self) -> None:
        """Delete the index."""
        self.client.indices.delete(index=self.index)

    def count(self) -> int:
        """Return its number of documents, those sent last included."""
        self.client.indices.refresh(index=self.index)
        return int(self.client.count(index=self.index)["count"])

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which of some `_id`s it has."""
        found = self.client.mget(index=self.index, **self._ids(ids))["docs"]
        return {each["_id"] for each in found if each.get("found")}

    def bulk(self, actions: Iterable[dict[str, Any]]) -> Iterator[tuple[int, str]]:
        """Send actions by the client's bulk helper.

        :param actions: Documents to create.
        :return: For each its status, and why where that is no success.
        """
        for _, result in self._streamed(actions):
            (item,) = result.values()
            yield int(item["status"]), why(item.get("error", ""))


class OpenSearchClient(Client):
    """opensearch-py."""

    engine, variables = "OpenSearch", "OPENSEARCH"

    def _made(self, key: str | None) -> Any:
        self._package = extra("opensearchpy", "opensearch", "exporting to OpenSearch")
        user = os.environ.get("OPENSEARCH_USER", "admin")
        return self._package.OpenSearch(
            [self.url],
            http_auth=(user, key) if key else None,
            http_compress=True,
            timeout=TIMEOUT,
            max_retries=0,
            **_certificates(self.variables),
        )

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """All of opensearch-py's."""
        return (self._package.OpenSearchException,)

    def check_product(self) -> None:
        """Refuse Elasticsearch, and OpenSearch before 2.10, which has no `delimited_term_freq`."""
        version = self.client.info().get("version", {})
        number = str(version.get("number", ""))
        if version.get("distribution") != "opensearch":
            raise EngineError(f"at {one_line(self.url)} is no OpenSearch: for Elasticsearch export --to elasticsearch")
        major, _, rest = number.partition(".")
        minor = rest.partition(".")[0]
        if major.isdecimal() and minor.isdecimal() and (int(major), int(minor)) < (2, 10):
            raise EngineError(
                f"OpenSearch {number} at {one_line(self.url)} has no token filter delimited_term_freq: 2.10 or newer "
                "is needed"
            )

    def _settings(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"body": body}

    def _ids(self, ids: Sequence[str]) -> dict[str, Any]:
        return {"body": {"ids": list(ids)}, "_source": False}

    def _streamed(self, actions: Iterable[dict[str, Any]]) -> Iterator[tuple[bool, dict[str, Any]]]:
        found: Iterator[tuple[bool, dict[str, Any]]] = self._package.helpers.streaming_bulk(
            self.client, actions, max_chunk_bytes=CHUNK, raise_on_error=False, index=self.index
        )
        return found

    def _is_lost(self, error: Exception) -> bool:
        errors = self._package.exceptions
        return isinstance(error, errors.ConnectionError) and not isinstance(error, errors.SSLError)


class ElasticsearchClient(Client):
    """elasticsearch-py; its major version must not be above the cluster's."""

    engine, variables = "Elasticsearch", "ELASTICSEARCH"

    def _made(self, key: str | None) -> Any:
        self._package = extra("elasticsearch", "elasticsearch", "exporting to Elasticsearch")
        extra("elasticsearch.helpers", "elasticsearch", "exporting to Elasticsearch")
        user, password = (os.environ.get(f"ELASTICSEARCH_{name}") for name in ("USER", "PASSWORD"))
        return self._package.Elasticsearch(
            [self.url],
            api_key=key or None,
            basic_auth=(user or "elastic", password) if password and not key else None,
            http_compress=True,
            request_timeout=TIMEOUT,
            max_retries=0,
            **_certificates(self.variables),
        )

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """All of elasticsearch-py's."""
        return (self._package.ApiError, self._package.TransportError)

    def check_product(self) -> None:
        """Refuse what is not Elasticsearch: the client looks at that by itself."""
        try:
            self.client.info()
        except self._package.UnsupportedProductError:
            raise EngineError(
                f"at {one_line(self.url)} is no Elasticsearch: for OpenSearch export --to opensearch"
            ) from None

    def _settings(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return dict(body)

    def _ids(self, ids: Sequence[str]) -> dict[str, Any]:
        return {"ids": list(ids), "source": False}

    def _streamed(self, actions: Iterable[dict[str, Any]]) -> Iterator[tuple[bool, dict[str, Any]]]:
        found: Iterator[tuple[bool, dict[str, Any]]] = self._package.helpers.streaming_bulk(
            self.client, actions, max_chunk_bytes=CHUNK, raise_on_error=False, index=self.index
        )
        return found

    def _is_lost(self, error: Exception) -> bool:
        errors = self._package
        kinds = (errors.ConnectionError, errors.ConnectionTimeout)
        return isinstance(error, kinds) and not isinstance(error, errors.SSLError)


CLIENTS: dict[str, type[Client]] = {
    "opensearch": OpenSearchClient,
    "elasticsearch": ElasticsearchClient,
    "elasticsearch-vector": ElasticsearchClient,
}


def check_url(url: str, variables: str) -> str:
    """Return a URL that a client takes.

    :param url: The URL.
    :param variables: Prefix of the environment variables that hold users and passwords.
    :raises ConfigError: It is none, or holds a password, which other users of the machine would see.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigError(f"{shown(url)} is no address of an engine: give one such as http://localhost:9200")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"the address of {host} holds a user or password, which stays in lists of processes: leave it out, and set "
            f"{variables}_USER and {variables}_PASSWORD"
        )
    if port is None:  # what the clients take for granted differs
        port = 443 if parts.scheme == "https" else 9200
    return parts._replace(netloc=f"[{host}]:{port}" if ":" in host else f"{host}:{port}").geturl()


def _certificates(variables: str) -> dict[str, str]:
    path = os.environ.get(f"{variables}_CA_CERTS")
    return {"ca_certs": path} if path else {}


def why(error: Any) -> str:
    """Return the reason of an error that an engine reports, innermost last, in one line."""
    reasons = []
    while isinstance(error, Mapping):
        reason = one_line(error.get("reason") or error.get("type") or "")
        if reason and reason not in reasons:
            reasons.append(reason)
        error = error.get("caused_by")
    return (": ".join(reasons) or one_line(error or ""))[:300]
