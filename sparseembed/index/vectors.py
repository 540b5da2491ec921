"""Impact vectors on disk, in Pyserini's JSONL form: {"id", "contents", "vector": {term: impact}}.

Rows stand in ascending order of id (UTF-8 bytes), as in the Lucene index, whose document number is the row's number.
`offsets.npy` holds where each row begins in its shard, so that one row can be read without the others.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import numpy as np

from sparseembed.errors import IndexFolderError

SHARD_ROWS = 50_000


class VectorRow(NamedTuple):
    """One document: its id, its text, and its impacts by term."""

    id: str
    contents: str
    vector: dict[str, int]


class VectorWriter:
    """Writes rows into shards of 50,000; the same rows give the same bytes."""

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        :param folder: A folder that does not exist yet.
        """
        folder.mkdir(parents=True)
        self._folder = folder
        self._offsets: list[int] = []
        self._shard: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self.postings = 0

    def add(self, doc_id: str, contents: str, vector: Mapping[str, int]) -> None:
        """Append a row."""
        if len(self._offsets) % SHARD_ROWS == 0:
            if self._shard is not None:
                self._shard.close()
            self._shard = (self._folder / f"{len(self._offsets) // SHARD_ROWS:05d}.jsonl").open("wb")
        assert self._shard is not None
        line = json.dumps({"id": doc_id, "contents": contents, "vector": dict(vector)}, ensure_ascii=False).encode()
        self._offsets.append(self._shard.tell())
        self._shard.write(line + b"\n")
        self._hash.update(line + b"\n")
        self.postings += len(vector)

    @property
    def fingerprint(self) -> str:
        """sha256 of all lines written so far."""
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shard is not None:
            self._shard.close()
        if kind is None:
            np.save(self._folder / "offsets.npy", np.asarray(self._offsets, dtype=np.int64))


class VectorReader:
    """Reads rows back, one or all."""

    def __init__(self, folder: Path) -> None:
        """Open the vectors of an index.

        :param folder: The folder that a `VectorWriter` filled.
        :raises IndexFolderError: It is missing or damaged.
        """
        self._folder = folder
        try:
            self._offsets = np.load(folder / "offsets.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError):
            raise IndexFolderError(f"{folder}/offsets.npy is missing or damaged: build the index again") from None

    def __len__(self) -> int:
        return len(self._offsets)

    def row(self, number: int) -> VectorRow:
        """Read one row.

        :param number: Its number, from 0.
        :return: The row.
        :raises IndexFolderError: The shard is missing or damaged.
        """
        file = self._folder / f"{number // SHARD_ROWS:05d}.jsonl"
        try:
            with file.open("rb") as handle:
                handle.seek(int(self._offsets[number]))
                return _parse(handle.readline())
        except (OSError, ValueError, KeyError, TypeError):
            raise IndexFolderError(f"{file} is missing or damaged: build the index again") from None

    def find(self, doc_id: str) -> VectorRow | None:
        """Read the row of a document, by binary search over the ids.

        :param doc_id: The document's id.
        :return: The row; None where there is none.
        """
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            row = self.row(middle)
            if row.id == doc_id:
                return row
            low, high = (middle + 1, high) if row.id < doc_id else (low, middle)
        return None

    def __iter__(self) -> Iterator[VectorRow]:
        read = 0
        for file in sorted(self._folder.glob("*.jsonl")):
            with file.open("rb") as handle:
                for number, line in enumerate(handle, 1):
                    try:
                        row = _parse(line)
                    except (ValueError, KeyError, TypeError):
                        raise IndexFolderError(f"{file}:{number} is damaged: build the index again") from None
                    read += 1
                    yield row
        if read != len(self):
            raise IndexFolderError(f"{self._folder} holds {read} rows and not {len(self)}: build the index again")


def _parse(line: bytes) -> VectorRow:
    record = json.loads(line)
    return VectorRow(record["id"], record["contents"], record["vector"])
