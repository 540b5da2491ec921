"""The files of a store of embeddings: shards of vectors, and small JSON files that notice a change of any byte."""

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparseembed.arrays import Vectors
from sparseembed.files import atomic_file, digest, write_json
from sparseembed.text import one_line

STORE, IDS = "store.json", "ids.json"
DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, RecursionError)  # what reading a damaged file raises
_SEAL = "checksum"
# Fields of the files that were written before they had checksums.
_OLD_COUNTS = frozenset({"tokens", "cut", "blank", "sha256"})
_OLD_STORE = frozenset(
    {"format", "texts", "fingerprint", "count", "side", "shard_size", "embedder"}
    | {"tokens", "cut", "blank", "dimension", "complete"}
)
_IDS_AT_ONCE = 10_000


class Counts(NamedTuple):
    """What is known of a shard: the tokens of its texts, and how many of them were cut or blank.

    :param texts: `texts_sum` of its texts; None in a shard written by an earlier version.
    """

    tokens: int
    cut: int
    blank: int
    texts: str | None = None


def read_about(folder: Path) -> dict[str, Any]:
    """Read a store's store.json.

    :raises FileNotFoundError: There is none.
    :raises OSError: It cannot be read.
    :raises ValueError: It is damaged.
    """
    return _read_sealed(folder / STORE, _OLD_STORE)


def write_about(folder: Path, about: dict[str, Any]) -> None:
    """Write a store's store.json."""
    _write_sealed(folder / STORE, about)


def write_ids(folder: Path, ids: Sequence[str]) -> str:
    """Write a store's ids.json; return its sha256."""
    found = hashlib.sha256()
    with atomic_file(folder / IDS) as handle:
        for start in range(0, max(len(ids), 1), _IDS_AT_ONCE):
            part = json.dumps(list(ids[start : start + _IDS_AT_ONCE]), ensure_ascii=False)[1:-1]
            last = start + _IDS_AT_ONCE >= len(ids)
            raw = f"{', ' if start else '['}{part}{']' if last else ''}".encode()
            found.update(raw)
            handle.write(raw)
    return found.hexdigest()


def ids_sum(folder: Path) -> str:
    """Return the sha256 of a store's ids.json.

    :raises OSError: It cannot be read.
    """
    with (folder / IDS).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_ids(folder: Path, about: dict[str, Any]) -> list[str]:
    """Read a store's ids.

    :param about: Its store.json.
    :raises OSError: ids.json cannot be read.
    :raises ValueError: It is damaged.
    """
    raw = (folder / IDS).read_bytes()
    if about.get("ids_sha256", found := hashlib.sha256(raw).hexdigest()) != found:
        raise ValueError("its checksum is not the stored one")
    ids = json.loads(raw)
    if not isinstance(ids, list) or len(ids) != about["count"] or not all(isinstance(each, str) for each in ids):
        raise ValueError(f"it does not hold {about['count']} ids")
    return ids


def shard_file(folder: Path, number: int) -> Path:
    """Return the file of a shard's vectors."""
    return folder / f"{number:05d}.npy"


def texts_sum(ids: Sequence[str], texts: Sequence[str]) -> str:
    """Return a fingerprint of the texts of a shard."""
    return digest([list(ids), list(texts)])


def write_shard(folder: Path, number: int, vectors: Vectors, counts: Counts) -> None:
    """Write a shard: the counts, which hold the checksum of the vectors, and then the vectors.

    :param vectors: Shape (n, d), float32.
    """
    stored = io.BytesIO()
    np.save(stored, vectors)
    checksum = hashlib.sha256(stored.getbuffer()).hexdigest()
    _write_sealed(shard_file(folder, number).with_suffix(".json"), {**counts._asdict(), "sha256": checksum})
    with atomic_file(shard_file(folder, number)) as handle:
        handle.write(stored.getbuffer())


def read_counts(folder: Path, number: int) -> Counts:
    """Read a shard's counts.

    :raises OSError: They cannot be read.
    :raises ValueError: They are damaged.
    """
    values = _read_sealed(shard_file(folder, number).with_suffix(".json"), _OLD_COUNTS)
    return Counts(int(values["tokens"]), int(values["cut"]), int(values["blank"]), values.get("texts"))


def read_shard(folder: Path, number: int, rows: int | None = None) -> Vectors:
    """Read the vectors of a shard and compare their checksum.

    :param folder: The store.
    :param number: The shard's number, from 0.
    :param rows: How many it must have; any number when None.
    :return: Shape (n, d), float32.
    :raises OSError: A file of it cannot be read.
    :raises ValueError: Its bytes are not the ones that were written.
    """
    counts = _read_sealed(shard_file(folder, number).with_suffix(".json"), _OLD_COUNTS)
    stored = shard_file(folder, number).read_bytes()
    if counts.get("sha256") != hashlib.sha256(stored).hexdigest():
        raise ValueError("its checksum is not the stored one")
    vectors: Vectors = np.load(io.BytesIO(stored), allow_pickle=False)
    if vectors.ndim != 2 or vectors.dtype != np.float32 or not np.isfinite(vectors).all():
        raise ValueError("it holds no finite float32 vectors")
    if rows is not None and len(vectors) != rows:
        raise ValueError(f"it has {len(vectors)} rows where {rows} are needed")
    return vectors


def reason(error: BaseException) -> str:
    """Say in a few words what is wrong with a damaged file."""
    return one_line(getattr(error, "strerror", None) or error)[:160] or type(error).__name__


def _write_sealed(path: Path, value: dict[str, Any]) -> None:
    write_json(path, {**value, _SEAL: digest(value)})


def _read_sealed(path: Path, older: frozenset[str]) -> dict[str, Any]:
    """Read a file of `_write_sealed`; one without a checksum must be of an earlier version."""
    raw = path.read_bytes().decode()  # `read_text` would take a flipped line end for a right one
    try:
        value = json.loads(raw)
    except RecursionError:
        raise ValueError("it is no JSON that was written here") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    seal = value.pop(_SEAL, None)
    if seal is None:
        if not value.keys() <= older:
            raise ValueError("it has fields that are not known")
        return value
    # The form counts too: a space more is a byte that nobody here has written.
    written = json.dumps({**value, _SEAL: seal}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if seal != digest(value) or raw != written:
        raise ValueError("its checksum is not the stored one")
    return value
