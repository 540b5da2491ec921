"""The manifest of an index: what it holds, what it was made of, and by what."""

import json
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sparseembed.errors import IndexFolderError
from sparseembed.files import write_json

FILE = "manifest.json"
FORMAT = 1
# What every reader looks up: a manifest without these is damaged.
_NEEDED = {
    "corpus": {"fingerprint"},
    "embedder": {"name", "weights"},
    "embedder_identity": {"dtype"},
    "sparse": {"terms", "adjustment"},
    "counts": {"documents"},
}
_VERSIONED = ("sparseembed", "pyserini", "torch", "transformers", "numpy")


@dataclass(frozen=True)
class Manifest:
    """What an index is. It holds no date and no time: the same build gives the same bytes.

    :param corpus: name, fingerprint.
    :param embedder: All parts of the embedder's spec.
    :param embedder_identity: What decides its vectors, weights fingerprint and dtype included.
    :param sparse: The choices between embedding and impact (`SparseConfig`).
    :param analyzer: Name of the analyzer of literal words; None where terms are pieces.
    :param quantizer: scale (impacts per unit of weight) and levels.
    :param counts: documents, blank, empty_vectors, postings, terms, cut.
    :param vectors: shards, and sha256 over their lines.
    :param versions: Of the software that built it.
    :param mix: Where the weight of aligned terms was chosen for the collection: mix, sentences that it was chosen on,
        curve (nDCG@10 by mix), unseen (whether the embedder was adapted to the collection, and only documents that it
        was not adapted on gave sentences). Else None.
    """

    corpus: dict[str, Any]
    embedder: dict[str, Any]
    embedder_identity: dict[str, Any]
    sparse: dict[str, Any]
    analyzer: str | None
    quantizer: dict[str, Any]
    counts: dict[str, int]
    vectors: dict[str, Any]
    versions: dict[str, str]
    format: int = FORMAT
    mix: dict[str, Any] | None = None

    def recipe(self) -> dict[str, Any]:
        """Return what decides the index's contents: two builds of one recipe need only one index."""
        return recipe(self.corpus, self.embedder_identity, self.embedder.get("decoding"), self.sparse)

    def write(self, folder: Path) -> None:
        """Write the manifest into an index folder."""
        write_json(folder / FILE, asdict(self))


def recipe(
    corpus: dict[str, Any], embedder_identity: dict[str, Any], decoding: str | None, sparse: dict[str, Any]
) -> dict[str, Any]:
    """Return a recipe as one flat mapping of field to value."""
    return {
        "corpus fingerprint": corpus["fingerprint"],
        **{f"embedder {field}": value for field, value in embedder_identity.items()},
        "decoding": decoding,
        **sparse,
    }


def differing_field(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """Say how two recipes or identities differ.

    :return: "FIELD is X there and Y here" for the first field that differs; None for equal ones.
    """
    for field in [*before, *(field for field in now if field not in before)]:
        if before.get(field) != now.get(field):
            return f"{field} is {_short(before.get(field))} there and {_short(now.get(field))} here"
    return None


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
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise IndexFolderError(f"{folder} is no index: it has no {FILE}; build one with sparseembed index") from None
    except (OSError, ValueError):
        raise IndexFolderError(f"{path} is damaged: build the index again with --overwrite") from None
    version = stored.get("format") if isinstance(stored, dict) else None
    if version != FORMAT and isinstance(version, int | str):
        raise IndexFolderError(
            f"{path} is of format {version} and this sparseembed reads format {FORMAT}: build the index again with "
            "--overwrite, or use the version of sparseembed that wrote it"
        )
    try:
        manifest = Manifest(**stored)
        whole = all(keys <= getattr(manifest, field).keys() for field, keys in _NEEDED.items())
    except (TypeError, AttributeError):
        whole = False
    if not whole:
        raise IndexFolderError(
            f"{path} is damaged (its fields are not those of a manifest): build the index again with --overwrite"
        )
    return manifest


def software_versions() -> dict[str, str]:
    """Return the versions of the packages that decide an index's contents."""
    found = {}
    for package in _VERSIONED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
