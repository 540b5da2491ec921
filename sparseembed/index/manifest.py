"""The manifest of an index: what it holds, what it was made of, by what. A commit is its replacement, in one step."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sparseembed.errors import IndexFolderError
from sparseembed.files import digest, write_json
from sparseembed.index.checked import OPENING
from sparseembed.index.fields import sound
from sparseembed.sparse.config import USUAL
from sparseembed.text import shown

FILE = "manifest.json"
FORMAT = 5
LARGEST = 64 << 20  # bytes of a manifest: a longer one is none of ours
_VERSIONED = ("sparseembed", "pyserini", "torch", "transformers", "numpy")


@dataclass(frozen=True)
class Manifest:
    """What an index is. It holds no date and no time.

    :param build: Names what was fitted and first written; kept by additions and deletions, and in Lucene's commit.
    :param generation: Counts the commits, from 1.
    :param corpus: name, fingerprint, and where documents have metadata that of it, metadata.
    :param embedder: All parts of the embedder's spec.
    :param embedder_identity: What decides its vectors, weights fingerprint and dtype included.
    :param sparse: The choices between embedding and impact (`SparseConfig`) that were asked for.
    :param analyzer: Name of the analyzer of literal words; None where terms are pieces.
    :param quantizer: scale (impacts per unit of weight) and levels.
    :param counts: documents (those that can be found), blank, cut, empty_vectors, postings, terms.
    :param statistics: folder, files (name -> bytes, sha256) of what was fitted.
    :param segments: For each of the native segments folder, documents, postings, files, and deleted: None, or file,
        bytes, sha256 and count of its tombstones.
    :param lucene: commit (its segments file), documents, files (name -> bytes, sha256).
    :param versions: Of the software that built it.
    :param mix: Where the weight of aligned terms was chosen for the collection: mix, sentences that it was chosen on,
        curve (nDCG@10 by mix), unseen (whether the embedder was adapted to the collection, and only documents that it
        was not adapted on gave sentences). Else None.
    :param rescoring: For each query encoder the weight of embeddings where hits are rescored, sentences that it was
        chosen on and curve (nDCG@10 by weight); of the small one also its depth, mean cosine with the whole model's
        embeddings, share of the first ten hits that it has in common with it (overlap), and why it is refused where
        none is named (refused), if it is. None where the index carries no embeddings.
    :param embeddings: Where the embeddings of its documents are kept, the latest last: names below the user's cache.
    :param updates: What was changed since the fit: added, deleted, and drift; empty where nothing was.
    :param shard: Where it is one part of a collection: number, of (parts), first and last (places of its documents).
    """

    build: str
    generation: int
    corpus: dict[str, Any]
    embedder: dict[str, Any]
    embedder_identity: dict[str, Any]
    sparse: dict[str, Any]
    analyzer: str | None
    quantizer: dict[str, Any]
    counts: dict[str, int]
    statistics: dict[str, Any]
    segments: list[dict[str, Any]]
    lucene: dict[str, Any]
    versions: dict[str, str]
    mix: dict[str, Any] | None = None
    rescoring: dict[str, Any] | None = None
    embeddings: list[str] = field(default_factory=list)
    updates: dict[str, Any] = field(default_factory=dict)
    shard: dict[str, int] | None = None
    format: int = FORMAT

    def recipe(self) -> dict[str, Any]:
        """Return what decides the index's contents: two builds of one recipe need only one index."""
        return recipe(self.corpus, self.embedder_identity, self.embedder.get("decoding"), self.sparse)

    def but(self, **changes: Any) -> "Manifest":
        """Return a copy in which some fields are others."""
        return replace(self, **changes)

    def write(self, folder: Path) -> None:
        """Write the manifest into an index folder: from then on the index is what it says."""
        content = asdict(self)
        write_json(folder / FILE, {**content, "checksum": digest(content)})


def recipe(
    corpus: Mapping[str, Any], embedder_identity: Mapping[str, Any], decoding: str | None, sparse: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a recipe as one flat mapping of field to value."""
    return {
        "corpus fingerprint": corpus["fingerprint"],
        **({"metadata fingerprint": corpus["metadata"]} if "metadata" in corpus else {}),
        **{f"embedder {name}": value for name, value in embedder_identity.items()},
        "decoding": decoding,
        **all_choices(sparse),
    }


def all_choices(sparse: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choices of a `SparseConfig`, also those that have no entry in a manifest where they are usual."""
    return {**USUAL, **sparse}


def differing_field(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Say how two recipes or identities differ.

    :return: "FIELD is X there and Y here" for the first field that differs; None for equal ones.
    """
    for name in [*before, *(name for name in now if name not in before)]:
        if before.get(name) != now.get(name):
            return f"{name} is {_told(before.get(name))} there and {_told(now.get(name))} here"
    return None


def _told(value: Any) -> str:
    """Return a value for a message, only strings in quotes."""
    return shown(value) if isinstance(value, str) else shown(value)[1:-1]


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an index.

    :param folder: The index.
    :return: The manifest.
    :raises IndexFolderError: There is no index, or its manifest is damaged or of another version.
    """
    path = folder / FILE
    if not folder.is_dir():
        raise IndexFolderError(f"there is no index at {folder}: build one with sparseembed index, or check the path")
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, OPENING)) as handle:
            raw = handle.read(LARGEST + 1)[:LARGEST]
    except FileNotFoundError:
        raise IndexFolderError(f"{folder} is no index: it has no {FILE}; build one with sparseembed index") from None
    except OSError:
        raise _damaged(path) from None
    return parsed_manifest(raw, path)


def parsed_manifest(raw: bytes, path: Path) -> Manifest:
    """Read a manifest's bytes, which may be damaged or meant to do harm.

    :param raw: The bytes.
    :param path: The manifest's file, for messages.
    :raises IndexFolderError: It is damaged or of another version.
    """
    try:
        stored = json.loads(raw)
    except (ValueError, RecursionError):
        raise _damaged(path) from None
    version = stored.get("format") if isinstance(stored, dict) else None
    if isinstance(version, int) and 0 < version < FORMAT:
        raise IndexFolderError(
            f"{path.parent} is an index of format {version}, which is read no more: run the command that built it "
            "again with --overwrite"
        )
    if version != FORMAT and isinstance(version, int | str):
        raise IndexFolderError(
            f"{path} is of format {shown(version)} and this sparseembed reads format {FORMAT}: build the index again "
            "with --overwrite, or use the version of sparseembed that wrote it"
        )
    try:
        content = {name: value for name, value in stored.items() if name != "checksum"}
        if stored["checksum"] != digest(content):
            raise _damaged(path, "its checksum is another")
        if sound(content):
            return Manifest(**content)
    except (TypeError, AttributeError, KeyError, ValueError, RecursionError):
        pass
    raise _damaged(path, "its fields are not those of a manifest")


def _damaged(path: Path, how: str = "") -> IndexFolderError:
    return IndexFolderError(f"{path} is damaged{how and f' ({how})'}: build the index again with --overwrite")


def software_versions() -> dict[str, str]:
    """Return the versions of the packages that decide an index's contents."""
    from importlib import metadata

    found = {}
    for package in _VERSIONED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
