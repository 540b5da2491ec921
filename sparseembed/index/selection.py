"""Which documents of a commit meet conditions on their metadata: to a search, the others are as if deleted."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from sparseembed.errors import ConfigError
from sparseembed.index.filters import Filter, Span
from sparseembed.index.keys import KINDS, after
from sparseembed.index.segment.metadata_reader import FieldColumn
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.snapshot import Snapshot
from sparseembed.index.tombstones import Flags
from sparseembed.text import listed_names

KEPT = 32
"""Selections that are remembered: a byte for each document and selection."""


class Selection:
    """Some of the live documents of a commit."""

    def __init__(self, passing: Sequence[Flags], deleted: Sequence[Flags | None]) -> None:
        """Take flags of all documents of each segment.

        :param passing: Whether it is selected, deleted or not.
        :param deleted: Whether it is deleted; None where none is.
        """
        self._deleted = deleted
        self.hidden = [~each if dead is None else ~each | dead for each, dead in zip(passing, deleted, strict=True)]
        """For each segment bool (documents,): whether a document is deleted or not selected."""
        self.counts = [int(len(each) - np.count_nonzero(each)) for each in self.hidden]
        """Selected documents of each segment."""
        self.documents = sum(self.counts)
        """Selected documents."""

    @cached_property
    def live(self) -> Flags:
        """Which of the live documents, in the order in which they were added, are selected: bool (live,)."""
        parts = [
            ~hidden if dead is None else ~hidden[~dead] for hidden, dead in zip(self.hidden, self._deleted, strict=True)
        ]
        found: Flags = np.concatenate(parts) if parts else np.empty(0, dtype=np.bool_)
        return found

    @cached_property
    def bits(self) -> bytes:
        """`live` as bits, the first one the lowest of the first byte."""
        return np.packbits(self.live, bitorder="little").tobytes()


class Selector:
    """Selects documents of one commit, and remembers what was selected last; may be shared by threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take a commit."""
        self._snapshot = snapshot
        self._known: OrderedDict[str, Selection] = OrderedDict()
        self._lock = threading.Lock()

    def select(self, conditions: Sequence[Filter]) -> Selection:
        """Return the documents that meet all conditions.

        :param conditions: The conditions; all documents where there is none.
        :raises ConfigError: No document has a field, or a value is of a kind that its field has not.
        :raises IndexFolderError: The metadata is damaged.
        """
        key = repr(conditions)  # equal conditions may differ: 1 == True
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
                return found
        found = self._selected(conditions)
        with self._lock:
            self._known[key] = found
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found

    def _selected(self, conditions: Sequence[Filter]) -> Selection:
        segments = self._snapshot.segments
        passing = [np.ones(segment.documents, dtype=np.bool_) for segment in segments]
        for condition in conditions:
            columns = [_column(segment, condition.field) for segment in segments]
            spans = condition.spans(self._kinds(condition, columns))
            for flags, column in zip(passing, columns, strict=True):
                met = np.zeros(len(flags), dtype=np.bool_)
                for span in spans if column is not None else ():
                    met[_documents(column, span)] = True  # type: ignore[arg-type]
                flags &= ~met if condition.operator == "!=" else met
        return Selection(passing, self._snapshot.deleted)

    def _kinds(self, condition: Filter, columns: Sequence[FieldColumn | None]) -> set[bytes]:
        """Return the kinds of values that a field has."""
        there = [column for column in columns if column is not None]
        if not there:
            names = self._snapshot.fields
            has = f"there are the fields {listed_names(names)}" if names else "no document has metadata"
            raise ConfigError(f"the filter {condition}: no document of {self._snapshot.path} has that field; {has}")
        return {kind for kind in KINDS for column in there if column.first(kind) < column.first(after(kind))}


def _column(segment: SegmentReader, field: str) -> FieldColumn | None:
    return None if segment.metadata is None else segment.metadata.column(field)


def _documents(column: FieldColumn, span: Span) -> np.ndarray:
    first = (column.past if span.after_first else column.first)(span.first)
    past = (column.past if span.with_last else column.first)(span.last)
    return column.documents(first, max(first, past))
