"""Files that are either whole or not there, folders that appear in one step, and files of others read with care."""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from sparseembed.errors import ConfigError, IndexFolderError, SparseEmbedError
from sparseembed.text import shown


def cache_folder(*parts: str) -> Path:
    """Return a folder of the user's cache, which need not exist yet.

    `$SPARSEEMBED_CACHE`, else `$XDG_CACHE_HOME/sparseembed`, else `~/.cache/sparseembed`.

    :param parts: The folder's path below the cache.
    :return: The folder.
    :raises ConfigError: None of the three tells a folder: the user has no home.
    """
    own, base = os.environ.get("SPARSEEMBED_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        if own:
            return Path(own).expanduser().joinpath(*parts)
        return (Path(base) if base else Path.home() / ".cache").joinpath("sparseembed", *parts)
    except RuntimeError:  # no HOME, and no entry in the system's list of users
        raise ConfigError(
            "no folder for the cache: this user has no home; set HOME, or SPARSEEMBED_CACHE to a folder (not ~)"
        ) from None


def expanded(name: str | Path) -> Path:
    """Return a path with a leading ~ or ~user as the home that it stands for; as it is where there is no such home."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that other processes see whole or not at all, also after a crash.

    :param path: The final place; its folder must exist.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False) as handle:
        part = Path(handle.name)
        try:
            _lock(handle.fileno())
            yield handle  # type: ignore[misc]
            handle.flush()
            os.fsync(handle.fileno())
            part.chmod(_mode(path))
            part.replace(path)
        except BaseException as error:
            part.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(path)  # a full disk in mid-write names no file by itself
            raise


def sweep_files(folder: Path) -> None:
    """Remove the unfinished files that killed runs of `atomic_file` left in a folder."""
    for stale in folder.glob(".*.tmp"):
        if _abandoned(stale):
            stale.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Build a folder beside its final place and move it there in one step.

    A folder that stands there already is replaced only once the new one is whole. A mount point, and a folder whose
    parent cannot be written, stay where they are: the new contents are made inside and moved to their places.

    :param path: The final place; where it is a link, the link stays and its target is the place.
    :return: The folder to build in.
    """
    path = followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and (is_mount(path) or not os.access(path.parent, os.W_OK | os.X_OK)):
        with _filled(path) as part:
            yield part
        return
    _sweep(path)
    with _scratch(path, ".building") as part:
        yield part
        if path.exists():
            with _scratch(path, ".old") as old:
                path.replace(old / "was")
                try:
                    part.replace(path)
                except BaseException:
                    (old / "was").replace(path)
                    raise
        else:
            part.replace(path)


@contextmanager
def _filled(path: Path) -> Iterator[Path]:
    """Build in a folder that cannot be moved, and change its contents for the new ones in the end."""
    place = path / path.name  # names what is made inside
    _sweep(place)
    with _scratch(place, ".building") as part, _scratch(place, ".old") as old:
        yield part
        moved: list[tuple[Path, Path]] = []
        kept = (part.name, old.name, "lost+found")
        try:
            for source, to in ((path, old), (part, path)):
                for entry in sorted(source.iterdir()):
                    if entry.name not in kept:
                        entry.replace(to / entry.name)
                        moved.append((entry, to / entry.name))
        except BaseException:
            for was, now in reversed(moved):
                now.replace(was)
            raise


def followed(path: Path) -> Path:
    """Return what a path leads to, itself where it is no link; a dangling link leads to what is not there yet.

    :raises OSError: The links lead in a circle.
    """
    try:
        return path.resolve() if path.is_symlink() else path
    except RuntimeError:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None


def is_mount(path: Path) -> bool:
    """Whether something is mounted at a path, which can then neither be moved nor replaced."""
    if os.path.ismount(path):
        return True
    # A mount of a part of the same file system is seen in Linux's list alone, where blanks are octal escapes.
    with suppress(OSError):
        here = os.fsencode(path.resolve())
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            place = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4])
            if place == here:
                return True
    return False


@contextmanager
def _scratch(path: Path, suffix: str) -> Iterator[Path]:
    """Make a locked folder beside `path`; removed in the end, where it was not moved away."""
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=suffix))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor)
        folder.chmod(0o777 & ~_umask())
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(path: Path) -> None:
    """Remove what killed runs left; if one died between the two moves, put the old folder back."""
    # The random part has no dot: leftovers of "scifact.folded" are none of "scifact".
    leftover = re.compile(rf"\.{re.escape(path.name)}\.[^.]+\.(building|old)")
    for stale in sorted(path.parent.iterdir()):
        if not leftover.fullmatch(stale.name) or not _abandoned(stale):
            continue
        if stale.suffix == ".old" and not path.exists() and (stale / "was").exists():
            (stale / "was").replace(path)
        shutil.rmtree(stale, ignore_errors=True)


def _lock(descriptor: int) -> None:
    """Mark an unfinished file or folder as in use; the mark ends with the process, however that ends."""
    with suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _abandoned(path: Path) -> bool:
    """Whether no running process is writing an unfinished file or folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return True


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, atomically: the same value gives the same bytes."""
    with atomic_file(path) as handle:
        handle.write(json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON with sorted keys: equal values give equal bytes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_json(path: Path, error: type[SparseEmbedError], remedy: str, pipes: bool = False) -> Any:
    """Read a file of JSON that may be damaged or meant to do harm.

    :param path: The file.
    :param error: What is raised where it cannot be read; a missing file is for the caller to tell apart before.
    :param remedy: What the user can do, the last part of the message.
    :param pipes: Whether it may be a pipe: so where the user has named the file, and not a folder of somebody's.
    :return: The value.
    :raises SparseEmbedError: Of the class `error`: it is no regular file, cannot be read, or holds no JSON.
    """
    try:
        if path.exists() and not path.is_file() and not pipes:  # a pipe would be waited for
            raise error(f"{path} is no regular file: {remedy}")
        return json.loads(path.read_bytes().decode("utf-8"), parse_constant=_no_number)
    except OSError as reason:
        raise error(f"{path} cannot be read ({reason.strerror}): {remedy}") from None
    except (ValueError, RecursionError, MemoryError):  # UnicodeDecodeError and endless integers are ValueErrors
        raise error(f"{path} cannot be read as JSON: {remedy}") from None


def inside(folder: Path, name: str, error: type[SparseEmbedError] = IndexFolderError) -> Path:
    """Return the path of a folder's own file, whatever the name and the folder's links try to reach.

    :param folder: The folder; it may itself be reached by a link.
    :param name: The file's name, or a relative path with `/`; it need not exist.
    :param error: What is raised for a name that leads out.
    :return: The path below the folder.
    :raises SparseEmbedError: Of the class `error`: an absolute name, one with `..`, or a link that leads out.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise error(f"{folder} names the file {shown(name)}, which is not its own: it is damaged or meant to do harm")
    path = folder.joinpath(*parts)
    try:
        own = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        own = False
    if not own:
        raise error(
            f"{path} is a link that leads out of {folder}: nothing is read there; copy the file into the folder"
        )
    return path


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def folder_bytes(path: Path) -> int:
    """Return the size of a file, or of all files below a folder, in bytes."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _mode(path: Path) -> int:
    """Return the permissions of the file that is replaced, or those of a new one."""
    with suppress(OSError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            return stat.S_IMODE(status.st_mode)
    return 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
