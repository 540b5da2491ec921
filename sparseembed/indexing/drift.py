"""How far added documents are from those that the statistics were fitted to."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sparseembed.index.statistics import Statistics
from sparseembed.indexing.write import Written

COMMON = 1000  # known terms whose frequencies are compared, those that stand in most documents
LIMITS = {"unknown": 0.05, "frequency": 0.3, "embedding": 0.5}
_TOLD = {
    "unknown": "the share of words that the index does not know is {value:.3f} higher than when it was fitted",
    "frequency": "the document frequencies of its commonest terms are off by {value:.2f} (0: the same, 1: disjoint)",
    "embedding": "the mean embedding has moved by {value:.2f} of the collection's spread",
}


class Drift(NamedTuple):
    """What was added since the fit, in sums and shares.

    :param documents: Documents added.
    :param unknown: Share of their words that are not known, less that of the collection when it was fitted.
    :param frequency: sum |a - b| / sum (a + b) over the commonest terms, a and b the shares of documents that hold a
        term among those added and among those fitted to: 0 to 1.
    :param embedding: Distance of the mean unit embeddings over the root mean square distance of the fitted ones from
        their mean, less what chance gives for so many documents.
    """

    documents: int
    unknown: float
    frequency: float
    embedding: float

    def joined(self, before: Mapping[str, Any] | None) -> "Drift":
        """Return the drift of these and of documents that were added before, by their numbers."""
        if not before or not before.get("documents"):
            return self
        total = self.documents + int(before["documents"])
        share = self.documents / max(1, total)
        return Drift(
            total,
            *(
                share * getattr(self, name) + (1 - share) * float(before[name])
                for name in ("unknown", "frequency", "embedding")
            ),
        )

    def warnings(self) -> list[str]:
        """Say in words what has drifted beyond its limit."""
        return [_TOLD[name].format(value=getattr(self, name)) for name in LIMITS if getattr(self, name) > LIMITS[name]]


def measure_drift(statistics: Statistics, written: Written) -> Drift:
    """Compare added documents with what the statistics were fitted to.

    :param statistics: What was fitted.
    :param written: Sums over the added documents.
    """
    filled = written.documents - written.blank
    if not filled:
        return Drift(written.documents, 0.0, 0.0, 0.0)
    fitted = statistics.collection
    common = np.argsort(-fitted.frequency, kind="stable")[:COMMON]
    here = written.frequency[common] / filled
    there = fitted.frequency[common] / max(1, fitted.documents)
    both = float((here + there).sum())
    mean = np.asarray(written.mean, dtype=np.float64) / filled
    spread = max(1e-6, 1.0 - float(statistics.mean @ statistics.mean))
    moved = float(((mean - statistics.mean) ** 2).sum()) / spread - 1 / filled
    return Drift(
        written.documents,
        round(statistics.known_share - written.known_share, 4),
        round(float(np.abs(here - there).sum()) / both if both else 0.0, 4),
        round(float(np.sqrt(max(0.0, moved))), 4),
    )
