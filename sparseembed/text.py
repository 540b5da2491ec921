"""Strings made fit for files and for messages."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN_CHARACTERS = 60
_SHOWN_NAMES = 20
PART = 1 << 18
"""Characters of a text that are taken apart at once."""
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts without spaces between words, as inside brackets of a regular expression: each of their characters counts as
a word (Thai to Burmese, Khmer, kana, Han)."""


def clean_text(text: str) -> str:
    """Replace lone surrogates, which no file can hold as UTF-8.

    :param text: Any string.
    :return: The text with U+FFFD in place of every surrogate.
    """
    if text.isascii():
        return text
    try:
        text.encode()  # far faster than searching, and surrogates are rare
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


_MOST_MARKS = 30


def stream_safe(text: str) -> str:
    """Cut rows of combining marks to the 30 that Unicode's stream-safe format allows (UAX #15); no letter has so many.

    Python puts the marks of a row in their order pair by pair, in the square of the row's length: a text goes through
    this before it is normalised.

    :param text: Any string.
    """
    if len(text) <= _MOST_MARKS or text.isascii():
        return text
    cut: str = _rows_of_marks().sub(r"\1", text)
    return cut


@cache
def _rows_of_marks() -> Any:
    """Compile what finds longer rows, and the marks to keep."""
    import regex

    return regex.compile(rf"(\P{{ccc=0}}{{{_MOST_MARKS}}})\P{{ccc=0}}++")


def shown(value: object) -> str:
    """Quote a value for a message: on one line, and cut if it is long.

    :param value: Usually a string that a user wrote.
    :return: The quoted value; control characters are escaped.
    """
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def one_line(text: object) -> str:
    """Fold a text into one printable line, as the messages of errors must be.

    :param text: A text or path.
    :return: The text with every run of white space as one space and surrogates replaced.
    """
    return clean_text(" ".join(str(text).split()))


def listed_names(names: Sequence[str]) -> str:
    """List names for a message: on one line, and not all of very many."""
    listed = ", ".join(one_line(shown(name)[1:-1]) for name in names[:_SHOWN_NAMES])
    return listed if len(names) <= _SHOWN_NAMES else f"{listed} and {len(names) - _SHOWN_NAMES:,} more"


def parts_of(text: str, size: int = PART) -> Iterator[str]:
    """Take a text apart at white space, so that what it is made into can be had some at a time.

    :param text: Any text.
    :param size: Characters of a part, at most.
    :return: The text itself where it is no longer; else its parts, without the white space between them. A part ends
        within a word only where the word fills more than half of it.
    """
    start = 0
    while len(text) - start > size:
        stop = _space_before(text, start + size, start + size // 2)
        yield text[start:stop]
        start = stop + text[stop].isspace()
    yield text[start:]


def _space_before(text: str, stop: int, least: int) -> int:
    """Return the place of the last white space before or at a place; the place itself where there is none near."""
    return next((place for place in range(stop, least - 1, -1) if text[place].isspace()), stop)
