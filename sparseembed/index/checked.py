"""Files whose bytes are compared with what was written, whenever they are read."""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sparseembed.errors import IndexFolderError
from sparseembed.text import shown

REPAIR = "build the index again, or take it from a copy"
OPENING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # neither a link nor a pipe leads on
_AT_ONCE = 1 << 20

Records = dict[str, dict[str, Any]]
"""File name -> {"bytes": its size, "sha256": of its bytes}."""


def record(folder: Path, names: Iterable[str] | None = None) -> Records:
    """Return size and checksum of files.

    :param folder: Their folder.
    :param names: The files; all of the folder when None.
    """
    chosen = sorted(names if names is not None else (file.name for file in folder.iterdir()))
    return {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in chosen}


def sha256_of(file: Path) -> str:
    """Return the sha256 of a file's bytes, 64 hexadecimal digits."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def plain_name(name: object, where: Path) -> str:
    """Return a name that is one of a file or folder directly in a folder.

    :param name: A name from a manifest, which may say anything.
    :param where: The folder, for the message.
    :raises IndexFolderError: It is no string, or would lead elsewhere.
    """
    if not isinstance(name, str) or not name or name in (".", "..") or "/" in name or "\0" in name or len(name) > 255:
        raise IndexFolderError(f"{where} names {shown(name)}, which is no file in it: {REPAIR}")
    return name


def own_folder(index: Path, name: object) -> Path:
    """Return a folder of an index.

    :param index: The index.
    :param name: The folder's name, from a manifest, which may say anything.
    :raises IndexFolderError: It is no name, or that of a link, which could lead anywhere.
    """
    folder = index / plain_name(name, index)
    if folder.is_symlink():
        raise IndexFolderError(f"{folder} is a link: {REPAIR}")
    return folder


class CheckedFiles:
    """Some files of a folder, open: they can be read when the folder has been replaced, and from any thread.

    Links are not followed, so that nothing outside the folder is read.
    """

    def __init__(self, folder: Path, records: Mapping[str, Any]) -> None:
        """Open the files.

        :param folder: The folder.
        :param records: What is known of each, see `record`.
        :raises FileNotFoundError: One is missing.
        :raises IndexFolderError: One cannot be opened or has another size.
        """
        self.folder = folder
        self._records = dict(records)
        self._open: dict[str, int] = {}
        try:
            for name, known in self._records.items():
                self._open[name] = _opened(folder / plain_name(name, folder), known)
        except BaseException:
            self.close()
            raise

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        :raises IndexFolderError: There is no such file, or its bytes are not those that were written.
        """
        if name not in self._open:
            raise IndexFolderError(f"{self.folder / name} is missing: {REPAIR}")
        size = int(self._records[name]["bytes"])
        parts = []
        read = 0
        while read < size:
            part = os.pread(self._open[name], min(_AT_ONCE, size - read), read)
            if not part:
                break
            parts.append(part)
            read += len(part)
        found = b"".join(parts)
        if hashlib.sha256(found).hexdigest() != self._records[name]["sha256"]:
            raise IndexFolderError(f"{self.folder / name} is damaged (its checksum is another): {REPAIR}")
        return found

    def close(self) -> None:
        """Close the files; closing twice is no error."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __del__(self) -> None:
        self.close()


def check_files(folder: Path, records: Mapping[str, Any]) -> list[str]:
    """Compare all bytes of files.

    :param folder: Their folder.
    :param records: What is known of each, see `record`.
    :return: One line for each file that is missing or damaged.
    """
    problems = []
    for name, known in records.items():
        file = folder / plain_name(name, folder)
        try:
            os.close(_opened(file, known))
            if sha256_of(file) != known["sha256"]:
                problems.append(f"{file} is damaged (its checksum is another)")
        except FileNotFoundError:
            problems.append(f"{file} is missing")
        except (IndexFolderError, OSError) as error:
            problems.append(str(error).removesuffix(f": {REPAIR}"))
    return problems


def _opened(file: Path, known: Any) -> int:
    try:
        handle = os.open(file, OPENING)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IndexFolderError(f"{file} cannot be opened ({error.strerror}): {REPAIR}") from None
    status = os.fstat(handle)
    size = status.st_size if stat.S_ISREG(status.st_mode) else -1
    if not isinstance(known, Mapping) or size != known.get("bytes") or not isinstance(known.get("sha256"), str):
        os.close(handle)
        what = f"it has {size:,} bytes, which is not its size" if size >= 0 else "it is no regular file"
        raise IndexFolderError(f"{file} is damaged ({what}): {REPAIR}")
    return handle
