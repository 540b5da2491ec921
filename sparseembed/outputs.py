"""Places that a user names for what a command writes: looked at before the work, and written without harm.

A regular file is replaced in one step, and stays what it was where the writing fails. What is no regular file (a
device, a pipe, `/dev/stdout`) is written through and never replaced. Of a link the target is written.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sparseembed.errors import ConfigError, what_helps
from sparseembed.files import atomic_file, followed, is_mount
from sparseembed.text import one_line

_DESCRIPTORS = re.compile(r"/proc/(\d+)(?:/task/\d+)?/fd")
_LINKS = 40  # as many as Linux follows


@contextmanager
def output_file(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file that a user named; its folder is made if need be.

    :param path: The place.
    :return: Where to write, as bytes.
    :raises OSError: It cannot be written; its `filename` is set.
    """
    path = Path(path)
    number = _descriptor(path)
    if number is not None or _is_special(path):
        with _through(path, number) as handle:
            yield handle
        return
    path = followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and (is_mount(path) or not _writable(path.parent)):
        # The file can be written but not replaced: it is, once the new contents are whole.
        with tempfile.TemporaryFile() as handle:
            yield handle
            handle.seek(0)
            with path.open("wb") as file:
                shutil.copyfileobj(handle, file)
        return
    with atomic_file(path) as handle:
        yield handle


@contextmanager
def _through(path: Path, number: int | None) -> Iterator[BinaryIO]:
    """Write into what stands there: without O_CREAT, which would make a file where a device has gone."""
    try:
        if number is None:
            opened = os.open(path, os.O_WRONLY)
        else:
            if number == 1 and sys.stdout is not None:
                sys.stdout.flush()
            opened = os.dup(number)  # shares the place in the file: what is written later follows
        with os.fdopen(opened, "wb") as handle:
            yield handle
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def check_writable(path: str | Path) -> None:
    """Make sure that a file can be written, before the work whose result it is to hold. Nothing is changed.

    :param path: The place.
    :raises ConfigError: It is a folder or below a file, or lies where nothing can be written; the message names it.
    """
    path = Path(path)
    with _refusal(path):
        number = _descriptor(path)
        if number is not None:
            if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise OSError(errno.EBADF, "it is open for reading only")
            return
        target = followed(path)
        if target.is_dir():
            raise ConfigError(f"{one_line(path)} is a folder where a file is to be written: name a file in it")
        there = _stands(target)
        if there and not os.access(target, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        if not there or not (_is_special(path) or is_mount(target) or not _writable(target.parent)):
            _check_place(target.parent)


def check_output_folder(path: str | Path) -> Path:
    """Make sure that a folder can be written, before the work whose result it is to hold. Nothing is changed.

    An empty folder, a mount point, a link to a folder and a dangling link are fine places.

    :param path: The place, which need not exist.
    :return: What it leads to: the folder itself, which is to be made and filled; a link stays a link.
    :raises ConfigError: A file stands there or above it, or nothing can be written there; the message names it.
    """
    path = Path(path)
    with _refusal(path):
        target = followed(path)
        if _stands(target) and not target.is_dir():
            raise ConfigError(f"{one_line(path)} is a file where a folder is needed: choose another place")
        _check_place(target)
        return target


def _check_place(folder: Path) -> None:
    """Make sure that files can be made in a folder, or the folder itself where it is missing."""
    while not _stands(folder):
        folder = folder.parent
    folder = followed(folder)  # a dangling link on the way
    if not folder.exists():
        return _check_place(folder.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file and no folder")
    # Permissions alone say nothing of root, of read-only file systems, or of /proc.
    tempfile.TemporaryFile(dir=folder).close()
    return None


@contextmanager
def _refusal(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{one_line(path)} cannot be written ({one_line(reason)}): {what_helps(error, 'choose another place')}"
        ) from None


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _stands(path: Path) -> bool:
    """Whether anything has that name; unlike `os.path.lexists` it says why where it cannot be known.

    :raises OSError: No permission, a name that is too long.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _is_special(path: Path) -> bool:
    """Whether a path leads to what is neither a regular file nor a folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _descriptor(path: Path) -> int | None:
    """Return the number of the open file of this process that a path such as /dev/stdout stands for."""
    for _ in range(_LINKS):
        found = _DESCRIPTORS.fullmatch(str(path.parent.resolve()))
        if found and path.name.isascii() and path.name.isdigit():
            return int(path.name) if int(found[1]) == os.getpid() else None
        try:
            path = path.parent / path.readlink()
        except (OSError, ValueError):
            return None
    return None
