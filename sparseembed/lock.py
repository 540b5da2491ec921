"""Locks on folders: one writer at a time, and nobody who replaces what another process reads.

The locks are those of `flock`: they end with their process, however that ends. The holder of a writer's lock leaves a
note in the folder, which serves messages alone. A file system without locks is used without them.
"""

import errno
import fcntl
import json
import os
import socket
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sparseembed.errors import IndexFolderError, what_helps
from sparseembed.text import one_line

NOTE = ".lock"  # the holder's note: {"host", "process", "since", "what"}
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@contextmanager
def writer_lock(path: Path, what: str) -> Iterator[None]:
    """Be the only one who writes into a folder, or be told who is.

    The lock is on the folder itself, so that a mount point or a link will do. A folder that is not there is made; if
    nothing is put into it, it is removed in the end. The folder may be replaced by another one meanwhile.

    :param path: The folder.
    :param what: What is done there, for others who want to write: "encoding scifact", "build of an index".
    :raises IndexFolderError: Another process writes there (which, since when), or the folder cannot be written.
    """
    made = not path.exists()
    try:
        place = path.resolve()
        place.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(place, path)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise _unwritable(path, error) from None
    try:
        try:
            _leave_note(descriptor, what)
        except OSError as error:
            raise _unwritable(path, error) from None
        yield
    finally:
        with suppress(OSError):
            os.unlink(NOTE, dir_fd=descriptor)
        os.close(descriptor)
        if made:
            with suppress(OSError):  # not empty: it is wanted
                place.rmdir()


class ReaderLock:
    """Says to other processes that a file is in use, as long as the object lives."""

    def __init__(self, file: Path) -> None:
        """Lock a file.

        :param file: The file.
        :raises OSError: It cannot be opened.
        :raises IndexFolderError: Another process is just replacing it.
        """
        self._file = file
        self._descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        self.inode = _inode(os.fstat(self._descriptor))
        _READERS.add(self)
        if not self.hold():
            raise IndexFolderError(f"{one_line(file.parent)} is being replaced by another process: try again later")

    def hold(self) -> bool:
        """Take the lock, or take it again; say whether nobody else wants the file for itself."""
        return _flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Give the lock up."""
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @property
    def current(self) -> bool:
        """Whether the file is still the one that was opened."""
        with suppress(OSError):
            return _inode(self._file.stat()) == self.inode
        return False


_READERS: "weakref.WeakSet[ReaderLock]" = weakref.WeakSet()


def refuse_readers(file: Path, what: str) -> None:
    """Make sure that no other process uses a file that is about to be replaced.

    Locks of this very process do not count: its readers see by `current` that the file was replaced.

    :param file: The file; one that is not there has no reader.
    :param what: What is about to be replaced, for messages.
    :raises IndexFolderError: Another process reads it.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        inode = _inode(os.fstat(descriptor))
        own = [reader for reader in _READERS if reader.inode == inode]
        for reader in own:
            reader.release()
        free = _flock(descriptor, fcntl.LOCK_EX)
        if not free:
            for reader in own:
                reader.hold()
            who = _holder(inode)
            raise IndexFolderError(
                f"{one_line(file.parent)}: {what} cannot be replaced while {who} uses them: wait until that has "
                "ended, or stop it"
            )
    finally:
        os.close(descriptor)


def _locked(place: Path, path: Path) -> int:
    """Return a descriptor of the folder, locked."""
    while True:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not _flock(descriptor, fcntl.LOCK_EX):
                raise IndexFolderError(f"{one_line(path)}: {_writer(place)}: wait until that has ended, or stop it")
            if _inode(place.stat()) == _inode(os.fstat(descriptor)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the folder was replaced in between


def _writer(place: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads((place / NOTE).read_text(encoding="utf-8"))
        process, host, since = int(note["process"]), one_line(note["host"]), one_line(note["since"])
        return f"process {process} on {host} writes there since {since} ({one_line(note['what'])})"
    return "another process writes there"


def _leave_note(descriptor: int, what: str) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    note = {"host": socket.gethostname(), "process": os.getpid(), "since": since, "what": what}
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(NOTE, flags, 0o666, dir_fd=descriptor), "wb") as handle:
        handle.write(json.dumps(note).encode())


def _flock(descriptor: int, kind: int) -> bool:
    """Try to lock; a file system that knows no locks never refuses one."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD
    return True


def _holder(inode: tuple[int, int]) -> str:
    """Name a process of this machine that holds a lock, where Linux tells."""
    wanted = f"{os.major(inode[0]):02x}:{os.minor(inode[0]):02x}:{inode[1]}"
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if wanted in fields and int(fields[4]) != os.getpid():
                process = int(fields[4])
                return f"process {process} on {one_line(socket.gethostname())}, which runs since {_started(process)},"
    return "another process"


def _started(process: int) -> str:
    """Say when a process was started: see proc(5), field 22 of stat, in ticks since the machine was."""
    ticks = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    booted = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line[:5] == "btime")
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(booted + ticks / os.sysconf("SC_CLK_TCK")))


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _unwritable(path: Path, error: Exception) -> IndexFolderError:
    reason = getattr(error, "strerror", None) or one_line(error)
    return IndexFolderError(
        f"{one_line(path)}: cannot be written ({reason}): {what_helps(error, 'choose another folder')}"
    )
