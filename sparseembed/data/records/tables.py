"""Tables as text: values between tabs, commas, semicolons or bars, with a header or, where it is clear, without one."""

import csv
import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from sparseembed.data.lines import all_lines
from sparseembed.data.records.base import LineRecords, Place, Record, Wants
from sparseembed.data.records.head import Head
from sparseembed.data.records.quoting import is_quoted
from sparseembed.text import one_line, shown

DELIMITERS = "\t;,|"
_LONE_RETURN = re.compile(r"[^\r\n]*\r(?![\r\n])")
_EXCEL = "sep="  # Excel reads the delimiter from such a line, and some programs write it for Excel


@dataclass(frozen=True)
class Layout:
    """How a table is written.

    :param delimiter: What stands between two values.
    :param names: The columns' names.
    :param header: Whether the first row has the names.
    :param first: Lines before the table.
    :param end: What ends a line: Excel's "CSV (Macintosh)" has carriage returns alone.
    """

    delimiter: str
    names: tuple[str, ...]
    header: bool
    first: int = 0
    end: str = "\n"


class TableRecords(LineRecords):
    """The rows of a table; a place is the line that a row begins on."""

    def __init__(self, source: Traversable, layout: Layout) -> None:
        """Take a file; nothing is read yet."""
        super().__init__(source)
        self._layout = layout
        self._quoted: bool | None = None if layout.delimiter == "\t" else True

    def __iter__(self) -> Iterator[tuple[Place, Record]]:
        if self._quoted is None:
            self._quoted = is_quoted(self._lines(), len(self._layout.names), self._layout.header)
        names, header = self._layout.names, self._layout.header
        for number, row in self._quoted_rows() if self._quoted else self._plain_rows():
            if len(row) != len(names):
                problem = f"{len(row)} columns where {len(names)} are needed ({_listed(names)})"
                raise self.located(number, f"{problem}: mend the line or remove it")
            if header:
                header = False
                continue
            yield number, dict(zip(names, row, strict=True))

    def _quoted_rows(self) -> Iterator[tuple[int, list[str]]]:
        first = self._layout.first
        csv.field_size_limit(sys.maxsize)
        rows = csv.reader(self._lines(), delimiter=self._layout.delimiter, strict=True)
        while True:
            number = first + rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                at_end = "unexpected end" in str(error)
                problem = "a quotation mark is not closed" if at_end else f"broken CSV ({one_line(error)})"
                hint = "check that the file is complete, and that marks inside of quoted values are doubled"
                raise self.located(number, f"{problem}: {hint}") from None
            if row:
                yield number, row

    def _plain_rows(self) -> Iterator[tuple[int, list[str]]]:
        first = self._layout.first
        for number, line in enumerate(self._lines(), first + 1):
            if line and not line.isspace():
                yield number, line.rstrip("\r\n").split(self._layout.delimiter)

    def _lines(self) -> Iterator[str]:
        """Return the lines of the table."""
        lines = all_lines(self.source, self._layout.end)
        for _ in range(self._layout.first):
            next(lines, None)
        return lines


def open_table(source: Traversable, head: Head, wants: Wants) -> TableRecords | None:
    """Open a table whose header has the wanted names, or whose columns can be told without one."""
    layout = table_layout(head, wants)
    return None if layout is None else TableRecords(source, layout)


def table_layout(head: Head, wants: Wants) -> Layout | None:
    """Tell how a table is written; None where the file is none that has the wanted columns.

    :param head: The file's beginning.
    :param wants: The columns.
    """
    delimiters, first, text = DELIMITERS, 0, head.text
    end = "\r" if _LONE_RETURN.match(text) else "\n"
    if text.startswith(_EXCEL) and text[4:5] in DELIMITERS and text[5:].partition(end)[0].strip("\r") == "":
        delimiters, first, text = text[4], 1, text.partition(end)[2]
    rows = {delimiter: first_row(text, delimiter) for delimiter in delimiters}
    headers = {delimiter: tuple(name.strip() for name in row) for delimiter, row in rows.items()}
    fitting = [delimiter for delimiter in delimiters if wants.in_header(headers[delimiter])]
    if fitting:
        best = max(fitting, key=lambda delimiter: len(headers[delimiter]))
        return Layout(best, headers[best], header=True, first=first, end=end)
    for delimiter in delimiters:
        row = rows[delimiter]
        by_number = tuple(str(number) for number in range(1, len(row) + 1))
        if len(row) > 1 and _numbered(wants) and wants.in_header(by_number):
            return Layout(delimiter, by_number, header=False, first=first, end=end)
    row = rows.get("\t", [])
    names = wants.bare(row) if len(row) > 1 else None
    return None if names is None else Layout("\t", tuple(names), header=False, first=first, end=end)


def first_row(text: str, delimiter: str) -> list[str]:
    """Return the first row of a table that is not blank; an empty one where there is none."""
    csv.field_size_limit(sys.maxsize)
    try:
        return next(filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), [])
    except csv.Error:
        return []


def no_table(head: Head, wants: Wants) -> str:
    """Say why a file is neither JSON nor a table that can be read, and what to do.

    :param head: Its beginning.
    :param wants: The columns.
    """
    rows = [(first_row(head.text, delimiter), delimiter) for delimiter in DELIMITERS]
    row = max(rows, key=lambda found: len(found[0]))[0]
    if len(row) < 2:
        return f"neither JSON nor a table: {wants.example}"
    wanted = " and ".join(" or ".join(f'"{name}"' for name in group) for group in wants.groups)
    return f"a table whose first line does not name {wanted}, but has {_listed(row)}: {wants.hint}"


def _numbered(wants: Wants) -> bool:
    return all(name.isdecimal() for group in wants.groups for name in group)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(shown(name) for name in names[:10]) + more
