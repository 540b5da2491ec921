"""What a server counts, in Prometheus' text form; of several worker processes together, wherever they are asked."""

import os
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from sparseembed.serving.indexes import ServedIndexes

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable: the folder in which worker processes put their counts. Set before this module is imported."""

_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters with a registry of their own."""

    def __init__(self) -> None:
        """Set all to nothing."""
        own = self._registry = CollectorRegistry()
        self._requests = Counter(
            "sparseembed_requests", "Requests answered.", ("route", "method", "status"), registry=own
        )
        self._seconds = Histogram(
            "sparseembed_request_seconds",
            "From a request's head to the last byte of its response.",
            ("route",),
            buckets=_SECONDS,
            registry=own,
        )
        self._running = Gauge(
            "sparseembed_requests_running", "Requests in hand now.", registry=own, multiprocess_mode="livesum"
        )
        self._documents = Gauge(
            "sparseembed_index_documents",
            "Documents of an index that can be found.",
            ("index",),
            registry=own,
            multiprocess_mode="mostrecent",
        )
        self._generation = Gauge(
            "sparseembed_index_generation",
            "Commits of an index, from 1 on; the lowest that a worker answers from.",
            ("index",),
            registry=own,
            multiprocess_mode="livemin",
        )

    def began(self) -> None:
        """Count a request in."""
        self._running.inc()

    def ended(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request out.

        :param route: The template of its path, so that there are few of them.
        :param method: Its method.
        :param status: The status of its response.
        :param seconds: What it took.
        """
        self._running.dec()
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def look_at(self, indexes: "ServedIndexes") -> None:
        """Take down what the indexes hold."""
        for name in indexes.names():
            manifest = indexes.index(name).manifest
            self._documents.labels(name).set(manifest.counts["documents"])
            self._generation.labels(name).set(manifest.generation)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text form."""
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        everywhere = CollectorRegistry()
        MultiProcessCollector(everywhere)
        return generate_latest(everywhere)
