"""Files that any client of these engines sends: the index's body, bulk bodies, and what a query looks like."""

import gzip
import json
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

from sparseembed.exports.opensearch.documents import lines_of
from sparseembed.exports.opensearch.plan import Plan
from sparseembed.exports.opensearch.queries import match_body, terms_body
from sparseembed.exports.sink import Exported, Facts, Sink, Target
from sparseembed.files import atomic_folder

LARGEST = 10_000_000
"""Bytes of a bulk body, not compressed; a document that has more has one of its own. The engines take 100 MB."""


class BulkFiles(Sink):
    """Writes a folder with index.json, query.json and bulk-00000.ndjson on; the same documents give the same bytes."""

    def __init__(self, to: str, target: Target, facts: Facts) -> None:
        """Take the place of the folder, which appears once all is written.

        :param to: A key of `FORMS`.
        :param target: The folder, and the name of the index that it is for.
        :param facts: What is known of our index.
        :raises ConfigError: The engine allows no such name of an index or field.
        """
        assert target.place is not None
        self._plan, self._folder, self._gzip = Plan(to, target, facts), target.place, target.gzip
        self._exit = ExitStack()
        self._part: Path | None = None
        self._file: IO[bytes] | gzip.GzipFile | None = None
        self._count = self._size = 0

    def add(self, document: Exported) -> None:
        """Append two lines."""
        lines = lines_of(self._plan.form, self._plan.space, document)
        if self._file is None or self._size + len(lines) > LARGEST:
            self._next()
        assert self._file is not None
        self._file.write(lines)
        self._size += len(lines)

    def _next(self) -> None:
        assert self._part is not None
        self._close()
        path = self._part / f"bulk-{self._count:05d}.ndjson"
        if self._gzip:
            raw = self._exit.enter_context(path.with_suffix(".ndjson.gz").open("wb"))
            # Neither a name nor a time, so that the same documents give the same bytes.
            self._file = gzip.GzipFile("", "wb", 6, raw, mtime=0)
        else:
            self._file = path.open("wb")
        self._count, self._size = self._count + 1, 0

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        self._part = self._exit.enter_context(atomic_folder(self._folder))
        self._plan.tell()
        plan = self._plan
        query = {"weighted terms": terms_body(plan.to, {"TERM": 2, "OTHER": 1})}
        if plan.space.matched and not plan.form.vector:
            query = {"text": match_body("TEXT"), **query}
        for name, content in (("index.json", plan.body), ("query.json", query)):
            text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
            (self._part / name).write_text(text, encoding="utf-8")
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()
        self._exit.__exit__(*exception)  # type: ignore[arg-type]
