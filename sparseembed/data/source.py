"""Standard input and pipes, which can be read once, as files that can be read again."""

import sys
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

from sparseembed.data.opening import Spool
from sparseembed.data.remote import is_url, open_url
from sparseembed.errors import DataError
from sparseembed.text import one_line

STANDARD_INPUT = "-"


def spooled(name: str) -> Spool:
    """Copy standard input or a pipe into a temporary file, which goes when the process ends.

    :param name: The pipe, or "-" for standard input.
    :raises OSError: It cannot be read, or the disk is full.
    :raises DataError: There is no standard input.
    """
    if name != STANDARD_INPUT:
        return Spool.of(Path(name))
    if sys.stdin is None:
        raise DataError("-: standard input is closed: give a file, or let a program write into this one by a pipe")
    return Spool("standard input").fill(sys.stdin.buffer)


def open_source(name: str) -> Traversable:
    """Return a file that can be read as often as wanted.

    :param name: A file, a pipe, "-" for standard input, or a URL of fsspec.
    :raises DataError: It cannot be read; a file that is not there is told of when it is opened.
    """
    if is_url(name):
        return cast("Traversable", open_url(name))
    path = Path(name)
    try:
        if name == STANDARD_INPUT or path.is_fifo():
            return cast("Traversable", spooled(name))
    except OSError as error:
        raise DataError(f"{one_line(name)}: cannot be read ({error.strerror or one_line(error)}): check it") from None
    return path
