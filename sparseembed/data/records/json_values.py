"""JSON files: an array of objects, or objects that go over several lines; read a piece at a time."""

import codecs
import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import IO, Any

from sparseembed.data.lines import JSON_TYPES, UTF16, located, reading, undecodable
from sparseembed.data.records.base import LineRecords, Place, Record, Wants
from sparseembed.data.records.head import Head
from sparseembed.errors import DataError
from sparseembed.text import one_line

_PIECE = 1 << 16
_NEAR = 64  # an error so near to the end of what was read may be due to that end
_SPACE = " \t\r\n"


class JsonValues(LineRecords):
    """The objects of a JSON file, on the top level or in arrays on it; a place is the line that an object begins on."""

    def __init__(self, source: Traversable, wants: Wants) -> None:
        """Take a file; nothing is read yet."""
        super().__init__(source)
        self._example = wants.example

    def __iter__(self) -> Iterator[tuple[Place, Record]]:
        done = 0
        with reading(self.source, lambda: f"line {done}" if done else "") as stream:
            text = _Text(self.source, stream, self._example)
            while mark := text.mark():
                if mark != "[":
                    done, record = text.record()
                    yield done, record
                    continue
                text.skip()
                closed = text.mark() == "]"
                while not closed:
                    done, record = text.record()
                    yield done, record
                    closed = text.mark() == "]"
                    if not closed:
                        text.expect(",")
                text.skip()


def open_json_values(source: Traversable, head: Head, wants: Wants) -> JsonValues | None:
    """Open a JSON file whose first value is an array, or an object on several lines."""
    return JsonValues(source, wants) if head.first_line[:1] in ("{", "[") else None


class _Text:
    """The text of a stream, read as far as its JSON needs it."""

    def __init__(self, source: Traversable, stream: IO[bytes], example: str) -> None:
        self._source, self._stream, self._example = source, stream, example
        wide = stream.peek(2)[:2] in UTF16  # type: ignore[attr-defined]
        self._decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
        self._text, self._at, self._line, self._ended = "", 0, 1, False
        self._json = json.JSONDecoder()

    def mark(self) -> str:
        """Return the next character that is no white space; "" at the end."""
        while True:
            place = self._at
            while place < len(self._text) and self._text[place] in _SPACE:
                place += 1
            self._go(place)
            if place < len(self._text):
                return self._text[place]
            if not self._more(_PIECE):
                return ""

    def skip(self) -> None:
        """Go beyond the character that `mark` returned."""
        self._at += 1

    def expect(self, mark: str) -> None:
        """Go beyond a character that must come next."""
        found = self.mark()
        if found != mark:
            raise self._broken(self._at, f"Expecting '{mark}' delimiter" if found else "the file ends inside an array")
        self.skip()

    def record(self) -> tuple[int, dict[str, Any]]:
        """Return the object that comes next, and the line that it begins on."""
        self.mark()
        line, size = self._line, _PIECE
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                late = error.msg.startswith("Unterminated string") or error.pos > len(self._text) - _NEAR
                if late and self._more(size):
                    size = len(self._text)  # twice as much each time: what was read is parsed again
                    continue
                raise self._broken(error.pos, one_line(error.msg)) from None
            except (ValueError, RecursionError):  # a number of thousands of digits; thousands of nested lists
                raise located(self._source, line, f"JSON that cannot be read: {self._example}") from None
            break
        if not isinstance(value, dict):
            raise located(self._source, line, f"{JSON_TYPES[type(value)]} and not a JSON object: {self._example}")
        self._go(end)
        return line, value

    def _broken(self, place: int, problem: str) -> DataError:
        return located(self._source, self._line_of(place), f"broken JSON ({problem}): {self._example}")

    def _line_of(self, place: int) -> int:
        return self._line + self._text.count("\n", self._at, place)

    def _go(self, place: int) -> None:
        self._line, self._at = self._line_of(place), place

    def _more(self, size: int) -> bool:
        """Read on, and forget what was parsed; return whether there was anything."""
        if self._ended:
            return False
        raw = self._stream.read(size)
        try:
            text = self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].count(b"\n")
            raise located(self._source, self._line_of(len(self._text)) + before, undecodable(error)) from None
        self._ended = not raw
        self._text, self._at = self._text[self._at :] + text, 0
        return bool(raw)
