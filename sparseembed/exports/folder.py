"""What the sinks that write a folder have in common: it appears once all is written."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

from sparseembed.exports.kit import Kit
from sparseembed.exports.sink import Exported, Facts, Sink, Target
from sparseembed.files import atomic_folder

DOCUMENTS = "documents.jsonl"


class FolderSink(Sink):
    """Builds a folder beside its place. Subclasses write into `self.part`, and the rest in `finish`."""

    form = ""
    """Key of `SINKS`."""
    part: Path

    def __init__(self, target: Target, facts: Facts) -> None:
        """Take the place; nothing is written yet.

        :param target: Where the folder goes.
        :param facts: What is known of the index.
        """
        assert target.place is not None
        self.target, self.facts = target, facts
        self._place = target.place
        self._exit = ExitStack()
        self._documents: BinaryIO | None = None

    def begin(self) -> None:
        """Open what is written to, in the folder `self.part`."""

    def finish(self) -> None:
        """Write what can be written once all documents are there."""

    def keep(self, document: Exported) -> None:
        """Write a document's id, text and metadata as a line of `documents.jsonl`, for forms that hold neither."""
        if self._documents is None:
            self._documents = self._exit.enter_context((self.part / DOCUMENTS).open("wb"))
        record = {"id": document.id, "contents": document.text}
        if document.metadata:
            record["metadata"] = document.metadata  # type: ignore[assignment]
        self._documents.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")

    def __enter__(self) -> Self:
        self.part = self._exit.enter_context(atomic_folder(self._place))
        self._exit.callback(self.close)
        self.begin()
        return self

    def close(self) -> None:
        """Close what is open, whether or not all went well."""

    def __exit__(self, *exception: object) -> None:
        with self._exit as stack:
            if exception[0] is not None:
                stack.__exit__(*exception)  # type: ignore[arg-type]
                return
            self.finish()
            Kit.of(self.form, self.target, self.facts, name="").write(self.part, self.facts.terms)
