"""A worker: holds one embedder, and does what it is told to with it. Knows nothing of Ray."""

import hashlib
import os
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparseembed.analyzers.registry import open_analyzer
from sparseembed.embedders.blocks import Block, encode_block
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.several import every_prompt
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import SparseEmbedError
from sparseembed.index.manifest import differing_field, software_versions
from sparseembed.indexing.cluster.parts import PartJob, part_documents, write_part
from sparseembed.progress import SilentReporter, set_reporter
from sparseembed.sparse.vocabulary import WordCounter
from sparseembed.text import one_line

TEXTS = 1024  # counted at once


class Wanted(NamedTuple):
    """What a worker must have, to make what the others make.

    :param versions: Of the packages that decide an index's contents.
    :param package: `package_fingerprint`.
    :param identity: Of the embedder.
    :param seen: Files that each machine must see.
    """

    versions: dict[str, str]
    package: str
    identity: dict[str, Any]
    seen: list[Path]


class Ready(NamedTuple):
    """A worker that can begin: where it is."""

    host: str
    process: int


class Failure(NamedTuple):
    """Why a worker could not do something, in one line that says where."""

    message: str


class Counted(NamedTuple):
    """What was counted in a part.

    :param words: `WordCounter.packed`.
    :param filled: Which documents are not blank, bool (n,).
    """

    words: bytes
    filled: np.ndarray


class Worker:
    """Does one thing after the other. What goes wrong by somebody's mistake is returned, and not raised."""

    def __init__(self, spec: EmbedderSpec) -> None:
        """Take the embedder; it is loaded when first needed.

        :param spec: The embedder.
        """
        set_reporter(SilentReporter())
        self._embedder = load_embedder(spec)

    def run(self, method: str, *arguments: Any) -> Any:
        """Do something.

        :param method: `hello`, `encode`, `count` or `write`.
        :param arguments: What it takes.
        :return: What it gives, or a `Failure`.
        """
        try:
            return getattr(self, f"_{method}")(*arguments)
        except (SparseEmbedError, OSError) as error:
            return Failure(f"the worker on {socket.gethostname()}: {one_line(error)}")

    def _hello(self, wanted: Wanted) -> Ready | Failure:
        here = socket.gethostname()
        difference = differing_field(software_versions(), wanted.versions)
        if difference is None and package_fingerprint() != wanted.package:
            difference = f"sparseembed {wanted.versions.get('sparseembed')} has other code there than here"
        if difference is not None:
            return Failure(f"the worker on {here} has other software: {difference}: install the same on all machines")
        for file in wanted.seen:
            if not file.exists():
                return Failure(
                    f"the worker on {here} does not see {file.parent}: give --work and --embeddings (and, with "
                    "--keep-parts, --out) folders that all machines share"
                )
        difference = differing_field(self._embedder.identity(), wanted.identity)
        if difference is not None:
            return Failure(f"the worker on {here} has another embedder: {difference}: it must be the same everywhere")
        return Ready(here, os.getpid())

    def _encode(self, folder: Path, block: Block, side: str) -> None:
        filling = every_prompt(self._embedder) if side == "document" else self._embedder
        encode_block(folder, block, filling, side)

    def _count(self, job: PartJob, analyzer: str) -> Counted:
        filled = []
        with WordCounter(open_analyzer(analyzer)) as counter:
            for texts in _batches(job):
                counter.add(texts)
                filled += [bool(text) for text in texts]
            return Counted(counter.packed(), np.asarray(filled, dtype=np.bool_))

    def _write(self, job: PartJob) -> bool:
        return write_part(job, self._embedder)


def _batches(job: PartJob) -> Iterator[list[str]]:
    texts: list[str] = []
    for document in part_documents(job):
        texts.append(document.contents)
        if len(texts) == TEXTS:
            yield texts
            texts = []
    if texts:
        yield texts


@cache
def package_fingerprint() -> str:
    """Return a fingerprint of this package's code: versions under development have one number."""
    found = hashlib.sha256()
    root = Path(__file__).parents[2]
    for file in sorted(root.rglob("*.py")):
        found.update(f"{file.relative_to(root)}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
