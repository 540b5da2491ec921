"""Impact vectors in Pyserini's JSONL form: {"id", "contents", "vector": {term: impact}}, one document a line;
with an object "metadata" where a document has any.

Anserini's `IndexCollection -collection JsonVectorCollection -impact -pretokenized` reads the folder, and so do other
programs that take learned sparse vectors.
"""

import gzip
import json
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self, cast

from sparseembed.exports.sink import Exported, Sink
from sparseembed.files import atomic_folder

SHARD = 50_000  # documents of a file


class JsonlSink(Sink):
    """Writes a folder of JSONL files; the same documents give the same bytes."""

    def __init__(self, folder: Path, compressed: bool = False) -> None:
        """Take the place of the folder, which appears once all is written.

        :param folder: The folder.
        :param compressed: Whether files are compressed by gzip, which Anserini reads too.
        """
        self._exit = ExitStack()
        self._folder = folder
        self._compressed = compressed
        self._part: Path | None = None
        self._shard: BinaryIO | None = None
        self._count = 0

    def add(self, document: Exported) -> None:
        """Append a line."""
        assert self._part is not None
        if self._count % SHARD == 0:
            self._close_shard()
            self._shard = self._opened(f"{self._count // SHARD:05d}.jsonl")
        assert self._shard is not None
        record = {"id": document.id, "contents": document.text, "vector": document.impacts}
        if document.metadata:
            record["metadata"] = document.metadata
        self._shard.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self._count += 1

    def _opened(self, name: str) -> BinaryIO:
        assert self._part is not None
        if not self._compressed:
            return (self._part / name).open("wb")
        # Neither a name nor a time in the file: the same documents give the same bytes.
        return cast(BinaryIO, gzip.GzipFile(self._part / f"{name}.gz", "wb", compresslevel=6, mtime=0))

    def _close_shard(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def __enter__(self) -> Self:
        self._part = self._exit.enter_context(atomic_folder(self._folder))
        return self

    def __exit__(self, *exception: object) -> None:
        self._close_shard()
        self._exit.__exit__(*exception)  # type: ignore[arg-type]
