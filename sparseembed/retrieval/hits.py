"""Hits that give their documents' metadata and passages, read when they are asked for."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

from sparseembed.data.metadata import NONE, Metadata
from sparseembed.engines.base import Hit, Passage

Reader = Callable[[str], Metadata]
"""Gives the metadata of a document by its id."""

Locate = Callable[[str], Passage | None]
"""Finds the passage of a document, by its id, for one query."""


class DocumentHit(Hit):
    """A hit in an index whose documents have metadata or passages; equal to a plain hit of the same values."""

    _reader: Reader | None
    _locate: Locate | None

    @classmethod
    def of(cls, hit: Hit, reader: Reader | None, locate: Locate | None) -> Self:
        """Return a hit that knows where to look.

        :param hit: The hit.
        :param reader: Gives metadata; None where no document has any.
        :param locate: Finds passages; None where they are not looked for.
        """
        made = tuple.__new__(cls, hit)
        made._reader, made._locate = reader, locate
        return made

    @cached_property
    def metadata(self) -> Metadata:
        """The document's metadata, as it was in the commit that was searched.

        :raises IndexFolderError: It is damaged.
        """
        return NONE if self._reader is None else self._reader(self.id)

    @cached_property
    def passage(self) -> Passage | None:
        """The passage that carried it; None where the document is one passage."""
        return None if self._locate is None else self._locate(self.id)

    def _replace(self, **changes: Any) -> Self:
        return self.of(Hit(*self)._replace(**changes), self._reader, self._locate)

    def __reduce__(self) -> tuple[Callable[..., "DocumentHit"], tuple[tuple[object, ...], Metadata]]:
        # An open index cannot go to another process.
        return _copied, (tuple(self), self.metadata)


def _copied(hit: tuple[object, ...], metadata: Metadata) -> DocumentHit:
    """Make a hit that has left its process, and has its metadata with it."""
    made: DocumentHit = tuple.__new__(DocumentHit, hit)
    made._reader, made._locate = lambda _: metadata, None
    return made
