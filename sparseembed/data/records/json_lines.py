"""JSONL: one JSON object a line; also lists of strings, where they are told apart by their places."""

import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable

from sparseembed.data.lines import parse_object, read_lines
from sparseembed.data.records.base import LineRecords, Place, Record, Wants
from sparseembed.data.records.head import Head


class JsonLines(LineRecords):
    """The objects of a JSONL file; blank lines are passed over."""

    def __init__(self, source: Traversable, wants: Wants) -> None:
        """Take a file; nothing is read yet."""
        super().__init__(source)
        self._wants = wants

    def __iter__(self) -> Iterator[tuple[Place, Record]]:
        for number, line in read_lines(self.source):
            row = _row(line, self._wants)
            yield number, parse_object(self.source, number, line, self._wants.example) if row is None else row


def open_json_lines(source: Traversable, head: Head, wants: Wants) -> JsonLines | None:
    """Open a JSONL file: its first line is an object or begins one, or is a list of strings."""
    if not head.text or head.text.isspace():
        return JsonLines(source, wants)
    if head.first_line.startswith("{") and (head.one_line or not _goes_on(head)):
        return JsonLines(source, wants)
    return JsonLines(source, wants) if _row(head.first_line, wants) is not None else None


def _goes_on(head: Head) -> bool:
    """Tell whether the first object goes on after its line, as in indented JSON."""
    line = head.first_line
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        pass
    else:
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(head.text.lstrip())
    except (ValueError, RecursionError):
        # Of a larger object than the head, or of a broken one: lines of JSONL do not end like this.
        return line.endswith(("{", "[", ",", ":"))
    return "\n" in head.text.lstrip()[:end]


def _row(line: str, wants: Wants) -> Record | None:
    """Return a line that is a list of strings as a record; None for another line, or where no lists are wanted."""
    if not wants.lists or not line.lstrip().startswith("["):
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, list) or not all(isinstance(value, str) for value in row):
        return None
    names = wants.bare(row)
    return None if names is None else dict(zip(names, row, strict=True))
