"""Hits that give their documents' metadata, read when it is asked for."""

from collections.abc import Callable, Iterable

from sparseembed.data.metadata import Metadata
from sparseembed.engines.base import Hit

_Reader = Callable[[str], Metadata]


class DocumentHit(Hit):
    """A hit in an index whose documents have metadata; equal to a plain hit of the same id, score and rank."""

    _reader: _Reader

    @property
    def metadata(self) -> Metadata:
        """The document's metadata, as it was in the commit that was searched.

        :raises IndexFolderError: It is damaged.
        """
        return self._reader(self.id)

    def __reduce__(self) -> tuple[Callable[..., "DocumentHit"], tuple[tuple[object, ...], Metadata]]:
        return _copied, (tuple(self), self.metadata)


def with_metadata(hits: Iterable[Hit], reader: _Reader) -> list[Hit]:
    """Return hits that give metadata.

    :param hits: The hits.
    :param reader: Gives the metadata of a document by its id.
    """
    made: list[Hit] = []
    for hit in hits:
        one = tuple.__new__(DocumentHit, hit)
        one._reader = reader
        made.append(one)
    return made


def _copied(hit: tuple[object, ...], metadata: Metadata) -> DocumentHit:
    """Make a hit that has left its process, and has its metadata with it."""
    made: DocumentHit = tuple.__new__(DocumentHit, hit)
    made._reader = lambda _: metadata
    return made
