"""What an export is: the documents of an index in, files or another engine out."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from sparseembed.data.metadata import NONE, Metadata, unpacked
from sparseembed.index.snapshot import Snapshot


class Exported(NamedTuple):
    """A document on its way out: its id, its text, its impacts by term, largest first, and its metadata."""

    id: str
    text: str
    impacts: dict[str, int]
    metadata: Metadata = NONE


class Sink(Protocol):
    """Takes documents, one after the other. A context manager: left without an error, what it made is complete."""

    def add(self, document: Exported) -> None:
        """Take a document."""

    def __enter__(self) -> Self: ...

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
