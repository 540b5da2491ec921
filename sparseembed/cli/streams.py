"""Standard output and standard error, which may be closed, full, or of a terminal that lacks some letters."""

import codecs
import errno
import io
import json
import os
import sys
from contextlib import suppress
from typing import TextIO

from sparseembed.cli.text import printable
from sparseembed.errors import no_room, what_helps

ESCAPED = "sparseembed.escaped"
_OUTPUT = "standard output"
_LONGEST = 2000  # characters of a message; what a user gave may be longer than any screen


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Write characters as JSON escapes them: what is JSON stays JSON, with the same texts."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(ESCAPED, _escaped)


def open_standard_streams() -> None:
    """Put something in the place of closed streams, and escape what a terminal that is not of UTF-8 lacks.

    The next file that a process opens takes the number of a closed stream, and whatever is then said goes into it. So
    number 1 is opened in a way that refuses to be written: an error as any other, once there is something to say.
    """
    for number, how in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, how)  # the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), encoding="utf-8", errors=ESCAPED)
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), encoding="utf-8", errors=ESCAPED)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ESCAPED)


def flush_output() -> int:
    """Write what standard output still holds.

    :return: The exit status: 0, or 2 where it cannot be written, which is then told.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        discard_output()
        error.filename = _OUTPUT
        return fail(told(error))
    return 0


def discard_output() -> None:
    """Write what standard output still holds, or drop it, and all that is to come, where it cannot be written."""
    _settle(sys.stdout)


def settle_errors() -> None:
    """Do the same with standard error."""
    _settle(sys.stderr)


def _settle(stream: TextIO) -> None:
    # What is left in a stream, the interpreter complains of when it closes it, with status 120.
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # a stream in memory
        return
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        stream.flush()


def told(error: OSError) -> str:
    """Tell an error of the system in one line: where, and what to do."""
    where = f"{error.filename}: " if error.filename else ""
    if no_room(error):
        return f"{where}no room on the disk: {what_helps(error)}"
    if error.errno == errno.EBADF and error.filename in (None, _OUTPUT):
        return "standard output is closed, or open for reading only: let it be a terminal, a file, a pipe or /dev/null"
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"{where}cannot be written or read ({error.strerror}): choose another folder or change its permissions"
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return f"{where}a file stands where a folder is needed, or the reverse ({error.strerror}): choose another place"
    return f"{where}{error.strerror or error}"


def fail(message: str) -> int:
    """Tell a user's mistake in one line; return the exit status."""
    shown = printable(" ".join(message.split()))
    if len(shown) > _LONGEST:
        shown = f"{shown[: _LONGEST // 2]} … {shown[-_LONGEST // 2 :]}"
    with suppress(OSError):  # the status tells it where standard error cannot
        sys.stderr.write(f"sparseembed: error: {shown}\n")
    return 2
