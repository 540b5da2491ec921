"""What a file of records is to those that read it, whatever its format."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Protocol

from sparseembed.data.lines import located
from sparseembed.errors import DataError
from sparseembed.text import one_line

Place = Any  # where a record stands: the number of a line or row, or that and a file's
Record = Mapping[str, Any]


class Records(Protocol):
    """Records of a file or folder, read anew each time they are iterated over; `str` names it on one line."""

    def nullable(self, place: Place) -> bool:
        """Whether a null is how the format writes an empty value."""
        ...

    def __iter__(self) -> Iterator[tuple[Place, Record]]:
        """Give each record with its place.

        :raises DataError: It cannot be read; names file and place.
        """
        ...

    def names(self, place: Place, record: Record) -> Collection[str]:
        """Give the names of all fields that a record has, also of those that nobody wanted."""
        ...

    def located(self, place: Place, problem: str) -> DataError:
        """Make the error for one record, which names its place."""
        ...

    def at(self, place: Place) -> str:
        """Say where a record stands, such as "on line 3"."""
        ...


def no_names(row: Sequence[str]) -> Sequence[str] | None:
    """Name no columns: a table must have a header."""
    return None


@dataclass(frozen=True)
class Wants:
    """What a reader wants of records, which tells a table's header from its first row.

    :param groups: Names of fields; a header has at least one of each group.
    :param every: Names of all fields that are looked at.
    :param example: What to do about a file that is none: how a right one looks.
    :param hint: What to do about a table whose columns have other names.
    :param bare: Names the columns of a table without a header from its first row; None where that would be misread.
    :param rest: Whether other fields are wanted too; a format may leave them out where they are not.
    :param lists: Whether lists of strings in JSONL are rows of such a table, too.
    """

    groups: tuple[Collection[str], ...]
    every: Collection[str]
    example: str
    hint: str
    bare: Callable[[Sequence[str]], Sequence[str] | None] = no_names
    rest: bool = False
    lists: bool = False

    def in_header(self, names: Sequence[str]) -> bool:
        """Tell whether a row of names holds one of each group."""
        return all(any(name in names for name in group) for group in self.groups)


class LineRecords:
    """The part of `Records` that all text files share: a place is the number of a line."""

    def __init__(self, source: Traversable) -> None:
        """Take a file; nothing is read yet."""
        self.source = source

    def nullable(self, place: Place) -> bool:
        """Take a null for a mistake."""
        return False

    def names(self, place: Place, record: Record) -> Collection[str]:
        """Give a record's fields."""
        return record.keys()

    def located(self, place: Place, problem: str) -> DataError:
        """Make the error for a line."""
        return located(self.source, place, problem)

    def at(self, place: Place) -> str:
        """Say "on line 3"."""
        return f"on line {place}"

    def __str__(self) -> str:
        return one_line(self.source)
