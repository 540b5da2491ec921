"""Files that are either whole or not there: atomic writes, folders that appear in one step, and the user's cache."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO


def cache_folder(*parts: str) -> Path:
    """Return a folder of the user's cache, which need not exist yet.

    `$SPARSEEMBED_CACHE`, else `$XDG_CACHE_HOME/sparseembed`, else `~/.cache/sparseembed`.
    """
    own = os.environ.get("SPARSEEMBED_CACHE")
    if own:
        return Path(own).expanduser().joinpath(*parts)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").joinpath("sparseembed", *parts)


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
            part.chmod(0o666 & ~_umask())
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

    A folder that stands there already is replaced only once the new one is whole.

    :param path: The final place.
    :return: The folder to build in.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
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
        handle.write((json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def folder_bytes(path: Path) -> int:
    """Return the size of a file, or of all files below a folder, in bytes."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
