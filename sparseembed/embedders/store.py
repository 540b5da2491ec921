"""Embeddings on disk: shards in the corpus's order, written once, resumed after a kill, read by every index.

A store is a folder:

    store.json        what was encoded by what: corpus and embedder, counts
    ids.json          ids, in the order of the rows
    00000.npy ...     float32 shards of `shard_size` rows each
    00000.json ...    tokens and cut texts of each shard, and the sha256 of its file of vectors

A shard is there whole or not at all, and a shard's vectors depend on its own texts only. So a run that was killed goes
on after its last full shard, and ends with the same bytes as one that was not. A shard's checksum is compared when it
is first read, and before a finished store is reused: a damaged shard is encoded anew.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.embedders.transformer import TransformerEmbedder, Vectors
from sparseembed.errors import DataError, EmbedderError
from sparseembed.files import atomic_file, sweep_files, write_json
from sparseembed.progress import note, track
from sparseembed.text import one_line

FORMAT = 2
SHARD_SIZE = 256


class Texts(NamedTuple):
    """Texts to encode.

    :param name: What they are, for messages: "scifact, documents".
    :param fingerprint: Fingerprint of ids and texts.
    """

    name: str
    fingerprint: str
    ids: Sequence[str]
    texts: Sequence[str]


class EmbeddingStore:
    """The embeddings of a corpus by one embedder, complete."""

    def __init__(self, folder: Path) -> None:
        """Open a complete store.

        :param folder: Its folder.
        :raises DataError: The folder holds no store, or an unfinished or damaged one.
        """
        self.folder = folder
        self.about = _read_about(folder)
        if not self.about.get("complete"):
            raise DataError(f"{folder} holds unfinished embeddings: run the same encode again, it goes on where it was")
        try:
            self.ids: list[str] = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise DataError(f"{folder}/ids.json cannot be read: delete the folder and encode again") from None
        self._checked: set[int] = set()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return int(self.about["dimension"])

    def rows(self, start: int, stop: int) -> Vectors:
        """Return rows start..stop-1, shape (stop - start, d)."""
        return self.take(np.arange(start, min(stop, len(self))))

    def take(self, rows: npt.NDArray[np.int64]) -> Vectors:
        """Return the given rows in the given order.

        :param rows: Row numbers, shape (n,).
        :return: Shape (n, d), float32; only the shards that hold these rows are touched.
        """
        size = int(self.about["shard_size"])
        result = np.empty((len(rows), self.dimension), dtype=np.float32)
        shards = rows // size
        for shard in np.unique(shards):
            here = shards == shard
            result[here] = self._shard(int(shard))[rows[here] % size]
        return result

    def matrix(self) -> Vectors:
        """Return all rows, shape (N, d), in memory."""
        return self.rows(0, len(self))

    def blank(self) -> npt.NDArray[np.bool_]:
        """Return which rows belong to blank texts, shape (N,): those whose vector is all zeros."""
        count = -(-len(self) // int(self.about["shard_size"]))
        parts = [~np.asarray(self._shard(shard)).any(axis=1) for shard in range(count)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.bool_)

    def _shard(self, number: int) -> Vectors:
        """Return a shard's vectors; its checksum is compared the first time."""
        try:
            if number in self._checked:
                vectors: Vectors = np.load(self.folder / f"{number:05d}.npy", mmap_mode="r")
                return vectors
            vectors = read_shard(self.folder, number)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{self.folder}/{number:05d}.npy is damaged ({one_line(error)[:160]}): run the same encode again, it "
                "makes it anew"
            ) from None
        self._checked.add(number)
        return vectors


def read_shard(folder: Path, number: int) -> Vectors:
    """Read the vectors of a shard and compare their checksum.

    :param folder: The store.
    :param number: The shard's number, from 0.
    :return: Shape (n, d), float32.
    :raises OSError: A file of it cannot be read.
    :raises ValueError: Its bytes are not the ones that were written.
    """
    counts = json.loads((folder / f"{number:05d}.json").read_text(encoding="utf-8"))
    stored = (folder / f"{number:05d}.npy").read_bytes()
    if not isinstance(counts, dict) or counts.get("sha256") != hashlib.sha256(stored).hexdigest():
        raise ValueError("its checksum is not the stored one")
    vectors: Vectors = np.load(io.BytesIO(stored), allow_pickle=False)
    if vectors.ndim != 2 or vectors.dtype != np.float32 or not np.isfinite(vectors).all():
        raise ValueError("it holds no finite float32 vectors")
    return vectors


def encode_to_store(
    folder: Path, texts: Texts, embedder: TransformerEmbedder, side: str = "document", redo: bool = False
) -> EmbeddingStore:
    """Encode texts into a store, or go on with one that was begun, or reuse one that is complete.

    :param folder: Where the store is or shall be.
    :param texts: What to encode.
    :param embedder: By what.
    :param side: `document` or `query`.
    :param redo: Start anew where the store holds other texts or another embedder's vectors, instead of refusing.
    :return: The complete store.
    :raises DataError: The folder holds embeddings of other texts, or of an earlier version of these.
    :raises EmbedderError: The folder holds another embedder's vectors, or the model failed; full shards are kept.
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
    about = _begin(folder, wanted, texts, redo)
    starts = range(0, len(texts.ids), SHARD_SIZE)
    if about.get("complete") and all(_is_whole(folder, start, texts) for start in starts):
        note(f"reusing the embeddings of {texts.name} in {folder}")
        return EmbeddingStore(folder)
    _encode_missing(folder, texts, embedder, side)
    counts = [json.loads(file.read_text()) for file in sorted(folder.glob("[0-9]*.json"))]
    totals = {key: sum(count[key] for count in counts) for key in ("tokens", "cut", "blank")}
    write_json(folder / "store.json", {**wanted, **totals, "dimension": embedder.dimension, "complete": True})
    cut = f", {totals['cut']:,} cut at {embedder.spec.max_length} tokens" if totals["cut"] else ""
    blank = f", {totals['blank']:,} blank" if totals["blank"] else ""
    note(f"encoded {texts.name}: {len(texts.ids):,} texts{cut}{blank}; wrote {folder}")
    return EmbeddingStore(folder)


def _begin(folder: Path, wanted: dict[str, Any], texts: Texts, redo: bool) -> dict[str, Any]:
    """Make the folder ready; return what its store.json says."""
    if (folder / "store.json").is_file():
        about = _read_about(folder)
        problem = _mismatch(about, wanted, folder)
        if problem is None:
            return about
        if not redo:
            raise problem
        note(f"encoding anew: {problem}")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Shards without a store.json are of unknown texts: a run was killed while it removed an older store.
    for stale in (*folder.glob("[0-9]*.npy"), *folder.glob("[0-9]*.json")):
        stale.unlink()
    with atomic_file(folder / "ids.json") as handle:
        handle.write(json.dumps(list(texts.ids), ensure_ascii=False).encode())
    write_json(folder / "store.json", wanted)
    return wanted


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


def _encode_missing(folder: Path, texts: Texts, embedder: TransformerEmbedder, side: str) -> None:
    sweep_files(folder)
    starts = range(0, len(texts.ids), SHARD_SIZE)
    missing = [start for start in starts if not _is_whole(folder, start, texts)]
    done = len(texts.ids) - sum(min(SHARD_SIZE, len(texts.ids) - start) for start in missing)
    if done:
        note(f"going on after {done:,} of {len(texts.ids):,} texts in {folder}")
    with track(f"encoding {texts.name}", len(texts.ids), "texts", done) as bar:
        for start in missing:
            stop = min(start + SHARD_SIZE, len(texts.ids))
            encoded = embedder.encode_counted(texts.texts[start:stop], side, texts.ids[start:stop])
            blank = sum(not text.strip() for text in texts.texts[start:stop])
            stem, stored = f"{start // SHARD_SIZE:05d}", io.BytesIO()
            np.save(stored, encoded.vectors)
            counts = {"tokens": encoded.tokens, "cut": encoded.cut, "blank": blank}
            checksum = hashlib.sha256(stored.getbuffer()).hexdigest()
            write_json(folder / f"{stem}.json", {**counts, "sha256": checksum})
            with atomic_file(folder / f"{stem}.npy") as handle:
                handle.write(stored.getbuffer())
            bar.update(stop - start)


def _is_whole(folder: Path, start: int, texts: Texts) -> bool:
    """Say whether a shard is there, undamaged; one that is damaged is told of, since it is encoded anew."""
    number = start // SHARD_SIZE
    if not (folder / f"{number:05d}.npy").exists():
        return False
    try:
        vectors = read_shard(folder, number)
    except (OSError, ValueError, EOFError) as error:
        note(f"{folder}/{number:05d}.npy is damaged ({one_line(error)[:160]}): encoding its texts again")
        return False
    return len(vectors) == min(SHARD_SIZE, len(texts.ids) - start)


def _read_about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{folder} holds no embeddings (no store.json): run sparseembed encode first") from None
    except (OSError, ValueError):
        raise DataError(f"{folder}/store.json is damaged: delete the folder and encode again") from None
    if not isinstance(about, dict):
        raise DataError(f"{folder}/store.json is damaged: delete the folder and encode again")
    return about
