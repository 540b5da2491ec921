"""Fingerprints of weight files: whole files are hashed, each once as long as it does not change."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sparseembed.files import cache_folder, digest, write_json


def fingerprint_of(files: Sequence[Path]) -> str:
    """Return a fingerprint of files and their order.

    :param files: The files.
    :return: 64 hexadecimal digits: sha256 over each file's name, size and sha256.
    """
    state = hashlib.sha256()
    for file in files:
        state.update(f"{file.name}:{file.stat().st_size}:{file_sha256(file)};".encode())
    return state.hexdigest()


def file_sha256(file: Path) -> str:
    """Return the sha256 of a file's bytes, which is remembered in the user's cache.

    A remembered hash counts while path, size, time of change (in nanoseconds) and inode are what they were. Gigabytes
    of weights are so read once and not at each start.

    :param file: The file.
    :return: 64 hexadecimal digits.
    """
    path = file.resolve()
    status = path.stat()
    mark = [str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]
    memory = cache_folder("hashes", f"{digest(str(path))[:32]}.json")
    with suppress(OSError, ValueError, TypeError, KeyError):
        remembered = json.loads(memory.read_text(encoding="utf-8"))
        if remembered["mark"] == mark:
            return str(remembered["sha256"])
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    with suppress(OSError):  # a cache that cannot be written costs time, and nothing else
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_json(memory, {"mark": mark, "sha256": found})
    return found
