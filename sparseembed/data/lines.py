"""Reading text files line by line, with errors that name the file and the line."""

import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources.abc import Traversable
from typing import IO, Any

from sparseembed.data.opening import open_bytes
from sparseembed.errors import DataError
from sparseembed.text import one_line

_BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
JSON_TYPES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    str: "a string",
    type(None): "null",
}
# RuntimeError: a member of a zip file that is encrypted or compressed in an unknown way.
_UNREADABLE = (OSError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def located(source: Traversable, line: int, problem: str) -> DataError:
    """Make the error for one line of a file.

    :param source: The file.
    :param line: The line's number, from 1.
    :param problem: What is wrong and what to do about it.
    :return: The error, to be raised.
    """
    return DataError(f"{one_line(source)}:{line}: {problem}")


@contextmanager
def reading(source: Traversable, done: Callable[[], str] = str) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked, and tell what goes wrong in one line.

    :param source: A file, a pipe or a member of a zip file; compressed ones are told by their content.
    :param done: Says how far the reading has come, such as "line 3"; "" where it has not begun.
    :return: Its bytes; can be peeked into.
    :raises DataError: The file cannot be opened, read or unpacked.
    """
    try:
        with ExitStack() as stack:
            yield open_bytes(source, stack)
    except FileNotFoundError:
        raise DataError(f"{one_line(source)}: no such file: check the path") from None
    except _UNREADABLE as error:
        problem = getattr(error, "strerror", None) or one_line(error) or type(error).__name__
        where = f" after {done()}" if done() else ""
        hint = "check its permissions, and that it is complete"
        raise DataError(f"{one_line(source)}: cannot be read{where} ({problem}): {hint}") from None


def all_lines(source: Traversable, end: str = "\n") -> Iterator[str]:
    """Read the lines of a text file in UTF-8, or in UTF-16 where it begins with that byte order mark.

    :param source: A file, a pipe or a member of a zip file; compressed ones are told by their content.
    :param end: What ends a line.
    :return: Each line with its end, without a byte order mark.
    :raises DataError: If the file cannot be read or decoded.
    """
    number = 0
    with reading(source, lambda: f"line {number}" if number else "") as stream:
        try:
            wide = stream.peek(2)[:2] in UTF16  # type: ignore[attr-defined]
            if wide or end != "\n":
                for line in io.TextIOWrapper(stream, "utf-16" if wide else "utf-8-sig", newline=end):
                    number += 1
                    yield line
                return
            # Only "\n" ends a line here: JSON strings may hold U+2028 and other characters that str.splitlines cuts at.
            for number, raw in enumerate(stream, 1):
                yield (raw.removeprefix(_BOM) if number == 1 else raw).decode()
        except UnicodeDecodeError as error:
            raise located(source, max(number, 1), undecodable(error)) from None


def undecodable(error: UnicodeDecodeError) -> str:
    """Say what is wrong with bytes that are no text."""
    if error.encoding.lower().startswith("utf-16"):
        return f"not UTF-16 ({one_line(error.reason)}): check that the file is complete, or save it as UTF-8"
    return f"not UTF-8 (byte 0x{error.object[error.start]:02x}): convert the file, for example with iconv"


def read_lines(source: Traversable) -> Iterator[tuple[int, str]]:
    """Read the lines of a text file that are not blank.

    :param source: As for `all_lines`.
    :return: Pairs of a line's number (from 1, blank ones counted) and its text, without a byte order mark.
    :raises DataError: If the file cannot be read or decoded.
    """
    for number, text in enumerate(all_lines(source), 1):
        if text and not text.isspace():
            yield number, text


def parse_object(source: Traversable, number: int, line: str, example: str) -> dict[str, Any]:
    """Parse a line that must be a JSON object.

    :param source: The file.
    :param number: The line's number, from 1.
    :param line: The line.
    :param example: What to do: how a right line looks.
    :return: The object.
    :raises DataError: It is none; names file and line.
    """
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        problem = f"broken JSON ({one_line(error.msg)}, column {error.colno}): {example}"
        raise located(source, number, problem) from None
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of nested lists
        raise located(source, number, f"JSON that cannot be read: {example}") from None
    if not isinstance(record, dict):
        raise located(source, number, f"{JSON_TYPES[type(record)]} and not a JSON object: {example}")
    return record
