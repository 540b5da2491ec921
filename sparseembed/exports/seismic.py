"""Seismic: an index in memory that looks at the most promising blocks alone, saved to a file; approximate."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparseembed.engines.base import Engine, Hit
from sparseembed.errors import EngineError
from sparseembed.exports.asking import refuse
from sparseembed.exports.folder import FolderSink
from sparseembed.exports.live import reason
from sparseembed.exports.sink import Exported, Facts, Target
from sparseembed.exports.terms import Terms
from sparseembed.extras import extra
from sparseembed.progress import note

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

FILE = "vectors"  # Seismic adds .index.seismic
SUFFIX = ".index.seismic"
EXACT = 2048
"""The largest impact that the 16-bit floats of Seismic hold exactly, with all below it."""
QUERY_CUT = 100
"""Terms of a query that are looked at, those of the largest weights."""
HEAP_FACTOR = 0.7
"""How promising a block must be, from 0 (all are looked at) to 1."""
_NARROW = 1 << 16  # terms, above which their numbers need 32 bits


def _class(kind: str, terms: int) -> Any:
    seismic = extra("seismic", "seismic", "exporting to Seismic")
    return getattr(seismic, kind if terms <= _NARROW else f"{kind}LV")


class SeismicSink(FolderSink):
    """Collects all documents in memory, as Seismic itself does, and saves its index of them."""

    form = "seismic"

    def __init__(self, target: Target, facts: Facts) -> None:
        """Take the place; nothing is written yet.

        :raises ConfigError: pyseismic-lsr is not installed.
        """
        super().__init__(target, facts)
        self._data = _class("SeismicDataset", len(facts.terms))()
        self._batch: list[tuple[str, dict[int, int]]] = []
        self._rounded = 0

    def add(self, document: Exported) -> None:
        """Take a document; one without terms is never found, and Seismic leaves it out."""
        vector = self.facts.terms.numbered(document.impacts)
        self._batch.append((document.id, vector))
        self._rounded += any(impact > EXACT for impact in vector.values())
        self.keep(document)
        if len(self._batch) >= self.target.batch:
            self._flush()

    def finish(self) -> None:
        """Build the index and save it."""
        self._flush()
        if self._rounded:
            note(f"Seismic rounds impacts above {EXACT:,} to 16-bit floats: those of {self._rounded:,} documents")
        index = _class("SeismicIndex", len(self.facts.terms)).build_from_dataset(self._data)
        try:
            index.save(str(self.part / FILE))
        except OSError as error:
            raise EngineError(f"Seismic cannot save its index ({reason(error)}): see that there is room") from None

    def _flush(self) -> None:
        rows, self._batch = self._batch, []
        if rows:
            self._data.add_documents_by_id(
                [doc_id for doc_id, _ in rows],
                np.array([number for _, vector in rows for number in vector], dtype=np.int64),
                np.array([impact for _, vector in rows for impact in vector.values()], dtype=np.float32),
                np.cumsum([0, *(len(vector) for _, vector in rows)], dtype=np.int64),
            )


class SeismicEngine(Engine):
    """Asks an index that an export has saved. What it finds has our score, and some of our hits may be missing."""

    def __init__(self, target: Target, terms: Terms) -> None:
        """Load the index into memory.

        :param target: Its folder.
        :param terms: The numbers of terms.
        :raises EngineError: It cannot be loaded.
        """
        assert target.place is not None
        place = Path(target.place) / (FILE + SUFFIX)
        try:
            self._index = _class("SeismicIndex", len(terms)).load(str(place))
        except (OSError, ValueError) as error:
            raise EngineError(f"{place} cannot be loaded ({reason(error)}): export the index again") from None
        self._terms = terms

    @property
    def documents(self) -> int:
        """Number of documents with terms."""
        return int(self._index.len)

    def body(self, query: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return a query as Seismic takes it: the numbers of terms as strings, and their weights."""
        numbered = self._terms.numbered(query)
        text = extra("seismic", "seismic", "searching with Seismic").get_seismic_string()
        return np.array(list(map(str, numbered)), dtype=text), np.array(list(numbered.values()), dtype=np.float32)

    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        refuse(selection)
        numbers, weights = self.body(query)
        if not len(numbers):
            return []
        found = self._index.search("", numbers, weights, k=k, query_cut=QUERY_CUT, heap_factor=HEAP_FACTOR)
        ordered = sorted(
            ((doc_id, score) for _, score, doc_id in found if score > 0), key=lambda each: (-each[1], each[0])
        )
        return [Hit(doc_id, float(score), rank) for rank, (doc_id, score) in enumerate(ordered, start=1)]
