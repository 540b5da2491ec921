"""Embeddings on disk: shards in the corpus's order, written once, resumed after a kill, read by every index.

A store is a folder:

    store.json        what was encoded by what: corpus and embedder, counts, the sha256 of ids.json
    ids.json          ids, in the order of the rows
    00000.npy ...     float32 shards of `shard_size` rows each
    00000.json ...    tokens and cut texts of each shard, a fingerprint of its texts, the sha256 of its file of vectors

A shard is there whole or not at all, and a shard's vectors depend on its own texts only. So a run that was killed goes
on after its last full shard, and ends with the same bytes as one that was not. Checksums are compared when a file is
first read, and before a finished store is reused: a damaged shard is encoded anew. Neither writing nor reading holds
more than a few shards in memory.
"""

import re
from collections import OrderedDict
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Ints, Vectors
from sparseembed.embedders.blocks import Embedder, encode_blocks, missing_blocks
from sparseembed.embedders.shards import (
    DAMAGE,
    IDS,
    STORE,
    ids_sum,
    read_about,
    read_counts,
    read_ids,
    read_shard,
    reason,
    shard_file,
    write_about,
    write_ids,
)
from sparseembed.embedders.texts import Texts as Texts
from sparseembed.errors import DataError, EmbedderError
from sparseembed.files import sweep_files
from sparseembed.lock import ReaderLock, refuse_readers, writer_lock
from sparseembed.progress import note, track

FORMAT = 2
SHARD_SIZE = 256
_OPEN_SHARDS = 16


class EmbeddingStore:
    """The embeddings of a corpus by one embedder, complete."""

    def __init__(self, folder: Path) -> None:
        """Open a complete store.

        :param folder: Its folder.
        :raises DataError: The folder holds no store, or an unfinished or damaged one.
        """
        self.folder = folder
        self.about = _about(folder)
        if not self.about.get("complete"):
            raise DataError(f"{folder} holds unfinished embeddings: run the same encode again, it goes on where it was")
        try:
            self._count, self._size = int(self.about["count"]), int(self.about["shard_size"])
            self._dimension = int(self.about["dimension"])
        except (KeyError, TypeError, ValueError):
            raise _damaged_about(folder) from None
        try:
            self._reading = ReaderLock(folder / IDS)  # the only file that a run with `redo` alone replaces
        except OSError as error:
            raise _damaged(folder / IDS, error) from None
        self._checked: set[int] = set()
        self._open: OrderedDict[int, Vectors] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    @cached_property
    def ids(self) -> list[str]:
        """Ids, in the order of the rows; read when first asked for.

        :raises DataError: ids.json is damaged.
        """
        try:
            return read_ids(self.folder, self.about)
        except DAMAGE as error:
            raise _damaged(self.folder / IDS, error) from None

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return self._dimension

    def rows(self, start: int, stop: int) -> Vectors:
        """Return rows start..stop-1, shape (stop - start, d)."""
        return self.take(np.arange(start, min(stop, len(self))))

    def take(self, rows: Ints) -> Vectors:
        """Return the given rows in the given order.

        :param rows: Row numbers, shape (n,).
        :return: Shape (n, d), float32; only the shards that hold these rows are touched, each once.
        :raises IndexError: There is no such row.
        :raises DataError: A shard is damaged.
        """
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows of {self.folder} are 0 to {len(self) - 1:,}")
        result = np.empty((len(rows), self._dimension), dtype=np.float32)
        order = np.argsort(rows, kind="stable")
        shards = rows[order] // self._size
        borders = [*np.flatnonzero(np.diff(shards, prepend=-1)).tolist(), len(rows)]
        for start, stop in pairwise(borders):
            here = order[start:stop]
            result[here] = self._shard(int(shards[start]))[rows[here] % self._size]
        return result

    def blocks(self, size: int) -> Iterator[tuple[int, Vectors]]:
        """Give all rows in order, a block at a time; each shard is opened and compared with its checksum once.

        :param size: Rows of a block; the last one may have fewer.
        :return: Pairs of a block's first row and its vectors, shape (size, d).
        :raises DataError: A shard is damaged.
        """
        start, parts, held = 0, [np.empty((0, self._dimension), dtype=np.float32)], 0
        for number in range(self._shards):
            parts.append(self._read(number))
            held += len(parts[-1])
            if held >= size or number + 1 == self._shards:
                joined = np.concatenate(parts)
                whole = len(joined) if number + 1 == self._shards else len(joined) // size * size
                for first in range(0, whole, size):
                    yield start + first, joined[first : first + size]
                start, parts, held = start + whole, [joined[whole:]], len(joined) - whole

    def matrix(self) -> Vectors:
        """Return all rows, shape (N, d), in memory."""
        result = np.empty((len(self), self.dimension), dtype=np.float32)
        for start, vectors in self.blocks(self._size):
            result[start : start + len(vectors)] = vectors
        return result

    def blank(self) -> npt.NDArray[np.bool_]:
        """Return which rows belong to blank texts, shape (N,): those whose vector is all zeros."""
        result = np.empty(len(self), dtype=np.bool_)
        for start, vectors in self.blocks(self._size):
            result[start : start + len(vectors)] = ~vectors.any(axis=1)
        return result

    @property
    def _shards(self) -> int:
        return -(-self._count // self._size)

    def _shard(self, number: int) -> Vectors:
        """Return a shard's vectors, to be read in part; its checksum is compared the first time."""
        if not self._reading.current:
            raise self._replaced()
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        if number not in self._checked:
            vectors = self._read(number)
        else:
            try:
                vectors = np.load(shard_file(self.folder, number), mmap_mode="r")
            except DAMAGE as error:
                raise self._damaged_shard(number, error) from None
        self._open[number] = vectors
        if len(self._open) > _OPEN_SHARDS:
            self._open.popitem(last=False)
        return vectors

    def _read(self, number: int) -> Vectors:
        """Return a shard's vectors in memory, compared with their checksum."""
        rows = min(self._size, self._count - number * self._size)
        try:
            vectors = read_shard(self.folder, number, rows)
            if vectors.shape[1] != self._dimension:
                raise ValueError(f"its vectors have {vectors.shape[1]} numbers where {self._dimension} are needed")
        except DAMAGE as error:
            raise self._damaged_shard(number, error) from None
        if not self._reading.current:
            raise self._replaced()
        self._checked.add(number)
        return vectors

    def _damaged_shard(self, number: int, error: BaseException) -> DataError:
        return _damaged(shard_file(self.folder, number), error) if self._reading.current else self._replaced()

    def _replaced(self) -> DataError:
        return DataError(f"{self.folder} was encoded anew after it was opened: open it again")


def encode_to_store(
    folder: Path, texts: Texts, embedder: Embedder, side: str = "document", redo: bool = False
) -> EmbeddingStore:
    """Encode texts into a store, or go on with one that was begun, or reuse one that is complete.

    :param folder: Where the store is or shall be.
    :param texts: What to encode.
    :param embedder: By what.
    :param side: `document` or `query`.
    :param redo: Start anew where the store holds other texts or another embedder's vectors, instead of refusing.
    :return: The complete store.
    :raises DataError: The folder holds embeddings of other texts, or of an earlier version of these; or the texts
        changed while they were read.
    :raises EmbedderError: The folder holds another embedder's vectors, or the model failed; full shards are kept.
    :raises IndexFolderError: Another process encodes into the folder, or reads what is to be replaced; or the folder
        cannot be written.
    """
    wanted = {
        "format": FORMAT,
        "texts": texts.name,
        "fingerprint": texts.fingerprint,
        "count": len(texts.ids),
        "side": side,
        "shard_size": SHARD_SIZE,
        "embedder": embedder.identity(side),
    }
    if _finished(folder, wanted, texts, redo):
        note(f"reusing the embeddings of {texts.name} in {folder}")
        return EmbeddingStore(folder)
    with writer_lock(folder, f"encoding {texts.name}"):
        about = _begin(folder, wanted, texts, redo)
        _encode_missing(folder, texts, embedder, side)
        shards = range(-(-len(texts.ids) // SHARD_SIZE))
        totals = dict.fromkeys(("tokens", "cut", "blank"), 0)
        for number in shards:
            counts = read_counts(folder, number)
            for key in totals:
                totals[key] += getattr(counts, key)
        ids = {"ids_sha256": about["ids_sha256"]} if "ids_sha256" in about else {}
        write_about(folder, {**wanted, **ids, **totals, "dimension": embedder.dimension, "complete": True})
    cut = f", {totals['cut']:,} cut at {embedder.limit:,} tokens" if totals["cut"] else ""
    blank = f", {totals['blank']:,} blank" if totals["blank"] else ""
    note(f"encoded {texts.name}: {len(texts.ids):,} texts{cut}{blank}; wrote {folder}")
    return EmbeddingStore(folder)


def _finished(folder: Path, wanted: dict[str, Any], texts: Texts, redo: bool) -> bool:
    """Say whether a store is complete and undamaged: it is reused then, also from a place that cannot be written."""
    if not (folder / STORE).is_file():
        return False
    about = _about(folder)
    problem = _mismatch(about, wanted, folder)
    if problem is not None and not redo:
        raise problem
    if problem is not None or not about.get("complete") or not _ids_are_whole(folder, about, texts.ids):
        return False
    return all(not _problem(folder, start, len(texts.ids)) for start in range(0, len(texts.ids), SHARD_SIZE))


def _begin(folder: Path, wanted: dict[str, Any], texts: Texts, redo: bool) -> dict[str, Any]:
    """Make the folder ready; return what its store.json says."""
    if (folder / STORE).is_file():
        about = _about(folder)
        problem = _mismatch(about, wanted, folder)
        if problem is None:
            if not _ids_are_whole(folder, about, texts.ids):
                note(f"{folder}/{IDS} is damaged: writing it again")
                about["ids_sha256"] = write_ids(folder, texts.ids)
            return about
        if not redo:
            raise problem
        refuse_readers(folder / IDS, "embeddings")
        note(f"encoding anew: {re.split('[:;] pass --reencode', str(problem))[0]}")
        (folder / STORE).unlink()
    # Shards without a store.json are of unknown texts: a run was killed while it removed an older store.
    for stale in (*folder.glob("[0-9]*.npy"), *folder.glob("[0-9]*.json")):
        stale.unlink()
    about = {**wanted, "ids_sha256": write_ids(folder, texts.ids)}
    write_about(folder, about)
    return about


def _ids_are_whole(folder: Path, about: dict[str, Any], ids: Collection[str]) -> bool:
    try:
        if "ids_sha256" in about:
            return bool(ids_sum(folder) == about["ids_sha256"])
        return read_ids(folder, about) == list(ids)
    except DAMAGE:
        return False


def _mismatch(about: dict[str, Any], wanted: dict[str, Any], folder: Path) -> DataError | EmbedderError | None:
    if about.get("fingerprint") != wanted["fingerprint"]:
        return DataError(
            f"{wanted['texts']} has changed since it was encoded in {folder} ({about.get('count')} texts then, "
            f"{wanted['count']} now): pass --reencode to encode it anew"
        )
    for field in ("side", "shard_size", "format"):
        if about.get(field) != wanted[field]:
            return DataError(f"{folder} differs in {field}: it has {about.get(field)!r}; pass --reencode")
    before = about.get("embedder") or {}
    for field in {**wanted["embedder"], **before}:  # either side may have a part that the other lacks
        value = wanted["embedder"].get(field)
        if before.get(field) != value:
            return EmbedderError(
                f"{folder} was encoded by another embedder: {field} was {before.get(field)!r} and is {value!r} now; "
                "pass --reencode to encode anew"
            )
    return None


def _encode_missing(folder: Path, texts: Texts, embedder: Embedder, side: str) -> None:
    sweep_files(folder)
    count = len(texts.ids)
    starts = range(0, count, SHARD_SIZE)
    whole = [_is_whole(folder, start, count) for start in starts]
    done = sum(min(SHARD_SIZE, count - start) for start, there in zip(starts, whole, strict=True) if there)
    if done:
        note(f"going on after {done:,} of {count:,} texts in {folder}")
    with track(f"encoding {texts.name}", count, "texts", done) as bar:
        for block in encode_blocks(folder, missing_blocks(folder, texts, SHARD_SIZE, whole), embedder, side):
            bar.update(len(block.ids))


def _is_whole(folder: Path, start: int, count: int) -> bool:
    """Say whether a shard is there, undamaged; one that is damaged is told of, since it is encoded anew."""
    if not shard_file(folder, start // SHARD_SIZE).exists():
        return False
    problem = _problem(folder, start, count)
    if problem:
        note(f"{shard_file(folder, start // SHARD_SIZE)} is damaged ({problem}): encoding its texts again")
    return not problem


def _problem(folder: Path, start: int, count: int) -> str:
    try:
        read_shard(folder, start // SHARD_SIZE, min(SHARD_SIZE, count - start))
    except DAMAGE as error:
        return reason(error)
    return ""


def _about(folder: Path) -> dict[str, Any]:
    try:
        return read_about(folder)
    except FileNotFoundError:
        raise DataError(f"{folder} holds no embeddings (no store.json): run sparseembed encode first") from None
    except DAMAGE:
        raise _damaged_about(folder) from None


def _damaged_about(folder: Path) -> DataError:
    return DataError(f"{folder}/store.json is damaged: delete the folder and encode again")


def _damaged(file: Path, error: BaseException) -> DataError:
    return DataError(f"{file} is damaged ({reason(error)}): run the same encode again, it makes it anew")
