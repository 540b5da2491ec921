"""Numbers for terms, for engines whose dimensions are numbers."""

import heapq
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import groupby
from pathlib import Path

from sparseembed.errors import DataError
from sparseembed.files import atomic_file
from sparseembed.index.snapshot import Snapshot, open_snapshot

FILE = "terms.txt"


class Terms:
    """The terms of an index, in ascending order of their UTF-8 bytes; a term's number is its place, from 0.

    As a file they stand one a line: no term holds white space.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        """Take the terms, in order."""
        self.list = list(terms)

    @classmethod
    def of(cls, index: Snapshot | str | Path) -> "Terms":
        """Number the terms of an index; one commit always gives the same numbers.

        :param index: An index folder, or a commit that is open.
        :raises IndexFolderError: There is no index, or it is damaged.
        """
        if not isinstance(index, Snapshot):
            snapshot = open_snapshot(Path(index))
            try:
                return cls.of(snapshot)
            finally:
                snapshot.close()
        ways = [(term.encode() for term, _ in segment.terms_iter()) for segment in index.segments]
        return cls(raw.decode() for raw, _ in groupby(heapq.merge(*ways)))

    @classmethod
    def read(cls, path: Path) -> "Terms":
        """Read a file that `write` has written.

        :raises DataError: It cannot be read.
        """
        try:
            lines = path.read_bytes().decode().split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read ({error}): export the index again") from None
        return cls(lines[:-1])

    def write(self, path: Path) -> None:
        """Write the terms, one a line."""
        with atomic_file(path) as handle:
            handle.writelines(term.encode() + b"\n" for term in self.list)

    def __len__(self) -> int:
        return len(self.list)

    @cached_property
    def number(self) -> dict[str, int]:
        """Each term's number."""
        return {term: number for number, term in enumerate(self.list)}

    def numbered(self, vector: Mapping[str, int]) -> dict[int, int]:
        """Return a vector by numbers, which ascend; terms that no document has are left out.

        :param vector: Term -> weight, of a document or a query.
        """
        number = self.number
        return dict(sorted((number[term], weight) for term, weight in vector.items() if term in number))
