"""Folders of files of records, of one format or several, read in the order of their names."""

from collections.abc import Collection, Iterator, Sequence

from sparseembed.data.records.base import Place, Record, Records
from sparseembed.errors import DataError


class FolderRecords:
    """The records of several files; a place is a file's number, and the place in it."""

    def __init__(self, name: str, parts: Sequence[Records]) -> None:
        """Take the files' records.

        :param name: What to call all of them.
        :param parts: The records of each file, at least one.
        """
        self._name, self._parts = name, parts

    def __iter__(self) -> Iterator[tuple[Place, Record]]:
        for number, part in enumerate(self._parts):
            for place, record in part:
                yield (number, place), record

    def nullable(self, place: Place) -> bool:
        """Ask the file."""
        return self._part(place).nullable(place[1])

    def names(self, place: Place, record: Record) -> Collection[str]:
        """Give the names of a record's fields."""
        return self._part(place).names(place[1], record)

    def located(self, place: Place, problem: str) -> DataError:
        """Make the error for a record of a file."""
        return self._part(place).located(place[1], problem)

    def at(self, place: Place) -> str:
        """Say "in a.jsonl, on line 3"."""
        part = self._part(place)
        return f"in {part}, {part.at(place[1])}"

    def _part(self, place: Place) -> Records:
        return self._parts[int(place[0])]

    def __str__(self) -> str:
        return self._name
