"""Looking through a store of embeddings for damage."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sparseembed.embedders.shards import (
    DAMAGE,
    IDS,
    STORE,
    read_about,
    read_counts,
    read_ids,
    read_shard,
    reason,
    shard_file,
)

_AGAIN = "run the same encode again, it makes it anew"
_SHARD = re.compile(r"([0-9]{5,})\.(npy|json)")
_Read = TypeVar("_Read")


def is_store(folder: Path) -> bool:
    """Tell whether a folder is a store of embeddings, whole or not."""
    return (folder / STORE).is_file()


def verify_store(folder: Path) -> list[str]:
    """Compare each file of a store with its checksum.

    :param folder: The store.
    :return: One line a problem: which file, what is wrong, how to repair it; none where all is well.
    """
    problems: list[str] = []

    def read(file: Path, repair: str, call: Callable[[], _Read]) -> _Read | None:
        try:
            return call()
        except DAMAGE as error:
            problems.append(f"{file} is damaged ({reason(error)}): {repair}")
            return None

    about = read(folder / STORE, "delete the folder and encode again", lambda: _whole(read_about(folder)))
    if about is None:
        return problems
    if not about.get("complete"):
        problems.append(f"{folder} holds unfinished embeddings: run the same encode again, it goes on where it was")
    read(folder / IDS, _AGAIN, lambda: read_ids(folder, about))
    size, count = about["shard_size"], about["count"]
    totals = dict.fromkeys(("tokens", "cut", "blank"), 0)
    for number in range(-(-count // size)):
        file = shard_file(folder, number)
        if not about.get("complete") and not file.exists():
            continue
        rows = min(size, count - number * size)
        vectors = read(file, _AGAIN, lambda number=number, rows=rows: read_shard(folder, number, rows))  # type: ignore[misc]
        if vectors is not None:
            if vectors.shape[1] != about.get("dimension", vectors.shape[1]):
                problems.append(f"{file} has vectors of another length: {_AGAIN}")
            counts = read_counts(folder, number)
            totals = {key: totals[key] + getattr(counts, key) for key in totals}
    if not problems and any(about.get(key) != total for key, total in totals.items()):
        problems.append(f"{folder / STORE} counts other tokens than the shards do: delete it and encode again")
    shards = -(-count // size)
    for other in sorted(folder.iterdir()):
        found = _SHARD.fullmatch(other.name)
        if found and int(found[1]) >= shards:
            problems.append(f"{other} belongs to no text of the store: delete it")
    return problems


def _whole(about: dict[str, Any]) -> dict[str, Any]:
    if not (isinstance(about["count"], int) and isinstance(about["shard_size"], int) and about["shard_size"] > 0):
        raise ValueError("it lacks its counts")
    return about
