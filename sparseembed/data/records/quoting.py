"""Whether values between tabs are quoted as in CSV files, or stand there as they are: programs do both."""

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain


@dataclass
class _Lines:
    """Counts what passes by: lines that are not blank, and the first that has another number of columns."""

    width: int
    number: int = 0
    filled: int = 0
    odd: int = 0

    def through(self, lines: Iterable[str]) -> Iterator[str]:
        for self.number, line in enumerate(lines, 1):
            if line and not line.isspace():
                self.filled += 1
                if not self.odd and line.count("\t") != self.width - 1:
                    self.odd = self.number
            yield line


def is_quoted(lines: Iterable[str], width: int, header: bool) -> bool:
    """Tell whether a table between tabs is quoted, which all of it decides.

    It is if each name of its header is. Else it is if every row, read as CSV, has as many columns as the first, and is
    not if every line has. Where both hold, a table with a header was written by a program, which quotes; in one
    without, a quoted value that goes over several lines would join rows. A last line that opens a quotation and does
    not close it is one that was cut off.

    :param lines: The lines, with their ends.
    :param width: Columns of the first row.
    :param header: Whether the first row is a header.
    """
    lines = iter(lines)
    first = next((line for line in lines if line.strip()), "")
    if header and all(len(name) > 1 and name[0] == name[-1] == '"' for name in first.strip().split("\t")):
        return True
    csv.field_size_limit(sys.maxsize)
    seen = _Lines(width)
    rows = csv.reader(seen.through(chain([first], lines)), delimiter="\t", strict=True)
    count, start = 0, 1
    try:
        for row in rows:
            if row and len(row) != width and not (len(row) == 1 and not row[0].strip()):
                return bool(seen.odd) and rows.line_num > seen.odd
            count += bool(row)
            start = rows.line_num + 1
    except csv.Error as error:
        cut_off = "unexpected end" in str(error) and (start == seen.number or bool(seen.odd))
        return (cut_off and header) or (bool(seen.odd) and start > seen.odd)
    return header or bool(seen.odd) or count == seen.filled
