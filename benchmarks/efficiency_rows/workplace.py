"""Where a run keeps its corpora and indexes, each made once and used by several rows."""

import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from efficiency_rows.child import in_child
from efficiency_rows.made import language, write_corpus
from sparseembed.progress import note

QUERY_TERMS = 20


class Workplace:
    """A folder of made corpora, and of indexes of them that the stub embedder filled."""

    def __init__(self, folder: Path, embedder: str | None, quick: bool) -> None:
        """Take a folder.

        :param folder: Where; what stands there is used again.
        :param embedder: Whose tokenizer and decoding matrix are used; the default's when None.
        :param quick: Whether all sizes are small: a check that it runs, and no measurement.
        """
        self.folder, self.embedder, self.quick = folder, embedder, quick
        self._built: dict[int, dict[str, Any]] = {}

    @property
    def repeats(self) -> int:
        """How often a thing is timed."""
        return 1 if self.quick else 5

    def corpus(self, documents: int, first: int = 0, prefix: str = "d") -> Path:
        """Return a corpus of made texts."""
        return write_corpus(self.folder / f"{prefix}{first}-{documents}.jsonl", documents, first, prefix)

    def index(self, documents: int) -> Path:
        """Return an index of a made corpus."""
        self.built(documents)
        return self.folder / f"index-{documents}"

    def built(self, documents: int) -> dict[str, Any]:
        """Build an index of a made corpus in a process of its own, and return what that took."""
        if documents not in self._built:
            note(f"building an index of {documents:,} documents")
            for stale in (f"index-{documents}", f"store-{documents}"):
                shutil.rmtree(self.folder / stale, ignore_errors=True)
            self._built[documents] = in_child(
                "build",
                corpus=str(self.corpus(documents)),
                index=str(self.folder / f"index-{documents}"),
                store=str(self.folder / f"store-{documents}"),
                embedder=self.embedder,
            )
        return self._built[documents]

    @cached_property
    def queries(self) -> list[str]:
        """Queries of 20 words, each of a text that no index holds."""
        rng = np.random.default_rng(5)
        texts = language().texts(0, 20 if self.quick else 200, seed=9)
        return [" ".join(rng.permutation(text.split())[:QUERY_TERMS].tolist()) for text in texts]
