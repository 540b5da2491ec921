"""What an export is: the documents of an index in, files or another engine out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

from sparseembed.data.metadata import NONE, Metadata, unpacked
from sparseembed.exports.terms import Terms
from sparseembed.files import digest
from sparseembed.index.manifest import Manifest
from sparseembed.index.snapshot import Snapshot


class Exported(NamedTuple):
    """A document on its way out: its id, its text, its impacts by term, largest first, and its metadata."""

    id: str
    text: str
    impacts: dict[str, int]
    metadata: Metadata = NONE


@dataclass(frozen=True)
class Target:
    """Where an export goes, and how.

    :param place: A folder; None where all goes to a URL.
    :param url: A running engine; None where all goes to the folder.
    :param name: Of the collection, table or index that is made there.
    :param overwrite: Whether what stands there already is replaced.
    :param batch: Documents that are sent at once.
    :param gzip: Whether files are compressed, in forms that have it as a choice.
    :param key: What the engine asks for at its door; read from the environment, and never shown.
    """

    place: Path | None = None
    url: str | None = None
    name: str = "sparseembed"
    overwrite: bool = False
    batch: int = 500
    gzip: bool = False
    key: str | None = field(default=None, repr=False)


class Facts:
    """What is known of an index before its documents are read."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take a commit of an index, which stays open meanwhile."""
        self._snapshot = snapshot

    @property
    def snapshot(self) -> Snapshot:
        """The commit that is open."""
        return self._snapshot

    @property
    def manifest(self) -> Manifest:
        """What the index is made of."""
        return self._snapshot.manifest

    @property
    def documents(self) -> int:
        """Documents that are exported: those that are not deleted."""
        return self._snapshot.documents

    @cached_property
    def commit(self) -> str:
        """Names the commit: what two commits of that name would export is the same."""
        return digest(asdict(self.manifest))[:16]

    @cached_property
    def terms(self) -> Terms:
        """All terms of the documents, each with a number, for engines whose dimensions are numbers."""
        return Terms.of(self._snapshot)


class Sink(ABC):
    """Takes documents, one after the other. A context manager: left without an error, what it made is complete.

    A sink that feeds a running engine may be stopped at any time; the next one for the same target goes on, and does
    nothing twice. Memory grows with the vocabulary at most, not with the number of documents.
    """

    whole = False
    """Known once entered: whether all stands there already, from an earlier run, so that nothing is to be added."""

    @abstractmethod
    def add(self, document: Exported) -> None:
        """Take a document."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, *exception: object) -> None: ...


def documents_of(snapshot: Snapshot) -> Iterator[Exported]:
    """Yield the documents of an index that are not deleted, in their order; memory does not grow with their number.

    :param snapshot: The index.
    """
    for segment, deleted in zip(snapshot.segments, snapshot.deleted, strict=True):
        rows = zip(segment.raw_ids(), segment.raw_texts(), segment.vectors(), segment.raw_metadata(), strict=True)
        for doc_id, text, (number, vector), metadata in rows:
            if deleted is None or not deleted[number]:
                ordered = sorted(vector.items(), key=lambda item: (-item[1], item[0]))
                yield Exported(doc_id.decode(), text.decode(), dict(ordered), unpacked(metadata))
