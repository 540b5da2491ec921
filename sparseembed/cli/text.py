"""Small tables of plain text, and strings of others made fit for a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparseembed.engines.base import Passage


def columns(rows: Sequence[Sequence[object]], heads: Sequence[str], right: frozenset[int] = frozenset()) -> str:
    """Lay rows out in aligned columns.

    :param rows: The cells.
    :param heads: Headings.
    :param right: Numbers of the columns that are aligned to the right.
    :return: The lines, without a last newline.
    """
    cells = [[str(head) for head in heads], *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def snippet(text: str, width: int = 80) -> str:
    """Return the beginning of a text on one line.

    >>> snippet("one\\ntwo three", 9)
    'one two …'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def passage_snippet(text: str, passage: "Passage | None", width: int = 80) -> str:
    """Return the beginning of a text on one line, or the best sentence of the passage that carried it, numbered.

    :param text: The document's text.
    :param passage: The passage; None where the document is one.
    :param width: Characters at most.
    """
    if passage is None:
        return snippet(text, width)
    begun = "" if passage.focus == passage.start else "… "
    rest = passage.text[passage.focus - passage.start :]
    return snippet(f"[{passage.number}/{passage.of}] {begun}{rest}", width)


def printable(text: str) -> str:
    """Escape what a terminal would obey rather than show: control characters, and those that turn the direction.

    >>> printable("a\\x1b[2J\\u202eb")
    'a\\\\x1b[2J\\\\u202eb'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def visible(token: str) -> str:
    """Return a token with its leading space and control characters shown."""
    shown = printable(token)
    return "␣" + shown[1:] if shown.startswith(" ") else shown
