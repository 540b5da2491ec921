"""A Hugging Face dataset: Parquet files of id, text, terms, impacts and metadata, with a card."""

import json
from typing import Any

from sparseembed.exports.folder import FolderSink
from sparseembed.exports.sink import Exported, Facts, Target
from sparseembed.extras import extra

SHARD = 100_000
"""Documents of a file."""

_CARD = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---

# Impact vectors of {documents:,} documents

Exported by sparseembed. The score of a document is the sum, over the terms that it shares with a query, of its
impact times the query's weight.

| column | type | meaning |
| --- | --- | --- |
| id | string | of the document |
| text | string | of the document |
| terms | list of strings | as they stand in the index, largest impact first |
| impacts | list of int32 | of each of them |
| metadata | string | the document's metadata as JSON, null where it has none |

    from datasets import load_dataset
    documents = load_dataset("path/of/this/folder", split="train")

Terms: {space}{analyzer}. The licence of the texts is that of the collection.
"""


class ParquetSink(FolderSink):
    """Writes `data/00000.parquet` and so on, a row group a batch, and `README.md`."""

    form = "huggingface"

    def __init__(self, target: Target, facts: Facts) -> None:
        """Take the place; nothing is written yet.

        :raises ConfigError: pyarrow is not installed.
        """
        super().__init__(target, facts)
        self._arrow = extra("pyarrow", "files", "exporting to Parquet")
        self._parquet = extra("pyarrow.parquet", "files", "exporting to Parquet")
        text, number = self._arrow.string(), self._arrow.int32()
        self._schema = self._arrow.schema(
            [
                self._arrow.field("id", text, nullable=False),
                self._arrow.field("text", text, nullable=False),
                self._arrow.field("terms", self._arrow.list_(text), nullable=False),
                self._arrow.field("impacts", self._arrow.list_(number), nullable=False),
                self._arrow.field("metadata", text),
            ]
        )
        self._rows: list[dict[str, Any]] = []
        self._file: Any = None
        self._count = 0

    def begin(self) -> None:
        """Make the folder of the files."""
        (self.part / "data").mkdir()

    def add(self, document: Exported) -> None:
        """Append a row."""
        if self._count % SHARD == 0:
            self._next()
        self._count += 1
        metadata = json.dumps(document.metadata, ensure_ascii=False) if document.metadata else None
        self._rows.append(
            {
                "id": document.id,
                "text": document.text,
                "terms": list(document.impacts),
                "impacts": list(document.impacts.values()),
                "metadata": metadata,
            }
        )
        if len(self._rows) >= self.target.batch:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and the card."""
        if self._file is None:
            self._next()
        self._flush()
        manifest = self.facts.manifest
        card = _CARD.format(
            documents=self._count,
            space=manifest.sparse["terms"],
            analyzer=f", of the analyzer {manifest.analyzer}" if manifest.analyzer else "",
        )
        (self.part / "README.md").write_text(card, encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next(self) -> None:
        self._flush()
        self.close()
        place = self.part / "data" / f"{self._count // SHARD:05d}.parquet"
        self._file = self._parquet.ParquetWriter(place, self._schema, compression="zstd")

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []
