"""Several indexes with the same statistics, open as one: the parts of a collection that were built apart.

Impacts are made with the statistics of the whole collection when a part is built, so that scores of several parts can
be compared as they are: parts searched together give what the one index gives that `merge` makes of them, to the last
bit, and so does everything that is done with its documents.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.manifest import FILE, Manifest, differing_field, read_manifest
from sparseembed.index.snapshot import Snapshot, open_snapshot
from sparseembed.text import shown

Places = str | Path | Sequence[str | Path]
"""An index; a folder whose subfolders are the parts of one; or the folders of several."""


class JoinedSnapshot(Snapshot):
    """The commits of several indexes, open as one."""

    def __init__(self, parts: Sequence[Snapshot], path: Path) -> None:
        """Take the parts; use `open_index`.

        :param parts: Two or more, in their order; closed with this one.
        :param path: What to call them in messages.
        """
        self._parts = parts
        self.path = path
        self.manifest = joined_manifest([part.manifest for part in parts])
        self.segments = [segment for part in parts for segment in part.segments]
        self.deleted = [flags for part in parts for flags in part.deleted]
        self.statistics_files = parts[0].statistics_files
        self._found = {}

    def close(self) -> None:
        """Close all files; closing twice is no error."""
        for part in self._parts:
            part.close()


def index_folders(places: Places) -> tuple[Path, ...]:
    """Return the folders of the indexes that a user names.

    :param places: Folders; or one that holds the parts of an index, which are then found in it.
    :return: One or more.
    :raises ConfigError: There is none.
    """
    if not isinstance(places, str | Path):
        if not places:
            raise ConfigError("no index is named: give the folder of one, or of each part")
        return tuple(map(Path, places))
    path = Path(places)
    if not path.is_dir() or (path / FILE).exists():
        return (path,)
    inside = sorted(each for each in path.iterdir() if not each.name.startswith(".") and (each / FILE).is_file())
    return tuple(inside) if any(map(_is_part, inside)) else (path,)


def open_index(places: Places) -> Snapshot:
    """Open the last commit of an index, or of several as one.

    :param places: As in `index_folders`.
    :return: The commit; parts are in their order, others in the order given.
    :raises IndexFolderError: There is none, one is damaged, or they are not of one collection's statistics.
    :raises ConfigError: Parts are missing, or given twice.
    """
    folders = index_folders(places)
    if isinstance(places, str | Path) and folders == (Path(places),):
        return open_snapshot(folders[0])
    parts: list[Snapshot] = []
    try:
        for folder in folders:
            parts.append(open_snapshot(folder))
        ordered = in_order(parts)
        if parts[0].manifest.shard is None:
            _check_ids(ordered)
    except BaseException:
        for part in parts:
            part.close()
        raise
    if len(ordered) == 1:
        return ordered[0]
    return JoinedSnapshot(ordered, Path(places) if isinstance(places, str | Path) else folders[0])


def last_manifest(places: Places) -> Manifest:
    """Return what the manifest of `open_index` is now.

    :param places: As in `index_folders`.
    :raises IndexFolderError: As in `open_index`.
    """
    found = [read_manifest(folder) for folder in index_folders(places)]
    return found[0] if len(found) == 1 else joined_manifest(found)


def in_order(parts: Sequence[Snapshot]) -> list[Snapshot]:
    """Return indexes in the order of their documents, once it is sure that they fit together.

    :param parts: One or more: all parts of one index, or indexes of other documents with the same statistics.
    :raises IndexFolderError: Two of them do not fit: which field differs.
    :raises ConfigError: Parts are missing, or given twice.
    """
    first, by_number = parts[0], dict[int, Snapshot]()
    for part in parts:
        difference = _difference(first.manifest, part.manifest)
        if difference is not None:
            raise IndexFolderError(f"{part.path} is a part of another index than {first.path}: {difference}")
        if part.manifest.shard is not None:
            number = part.manifest.shard["number"]
            if number in by_number:
                raise ConfigError(f"{part.path} and {by_number[number].path} are the same part: give each once")
            by_number[number] = part
    if first.manifest.shard is None:
        return list(parts)
    of = first.manifest.shard["of"]
    missing = [str(number) for number in range(1, of + 1) if number not in by_number]
    if missing:
        raise ConfigError(f"of {of} parts, these are missing: {', '.join(missing)}")
    return [by_number[number] for number in sorted(by_number)]


def _difference(first: Manifest, other: Manifest) -> str | None:
    """Say how an index does not fit to the first one; None where it does."""
    whole = first.shard is None or other.shard is None
    if whole and (first.shard is None) != (other.shard is None):
        return "one is a part of an index, and the other is whole"
    before, now = first.recipe(), other.recipe()
    # Whole indexes may be of different corpora, where the later ones were built with --statistics of the first.
    own = ("corpus fingerprint", "metadata fingerprint") if whole else ()
    difference = differing_field(*({name: each[name] for name in each if name not in own} for each in (before, now)))
    if difference is None and other.statistics["files"] != first.statistics["files"]:
        difference = "its statistics are others: build all parts with those of one, --statistics PART"
    if difference is None and first.shard and other.shard and first.shard["of"] != other.shard["of"]:
        difference = f"it is one of {other.shard['of']} parts, the first of {first.shard['of']}"
    return difference


def _check_ids(parts: Sequence[Snapshot]) -> None:
    """Make sure that no document stands in two indexes; those of parts cannot, which are of one corpus."""
    hashes = [np.fromiter(map(hash, _ids(part)), np.int64) for part in parts]
    every = np.concatenate(hashes)
    every.sort()
    suspects = set(every[1:][every[1:] == every[:-1]].tolist())
    if not suspects:
        return
    where: dict[str, Snapshot] = {}
    for part in parts:
        for doc_id in _ids(part):
            if hash(doc_id) in suspects and where.setdefault(doc_id, part) is not part:
                raise IndexFolderError(
                    f"{where[doc_id].path} and {part.path} both hold the document {shown(doc_id)}: they cannot be "
                    "searched as one; delete it in one of them"
                )


def _ids(part: Snapshot) -> Iterable[str]:
    for segment, deleted in zip(part.segments, part.deleted, strict=True):
        for number, raw in enumerate(segment.raw_ids()):
            if deleted is None or not deleted[number]:
                yield raw.decode()


def _is_part(folder: Path) -> bool:
    with suppress(IndexFolderError):
        return read_manifest(folder).shard is not None
    return False


def joined_manifest(manifests: Sequence[Manifest]) -> Manifest:
    """Return what the manifest of one index would say; Lucene's part is none, for each has its own.

    :param manifests: Those of parts, in any order, or of whole indexes.
    """
    manifests = sorted(manifests, key=lambda each: each.shard["number"] if each.shard else 0)
    first = manifests[0]
    names = list(dict.fromkeys(name for each in manifests for name in each.counts))
    counts = {name: sum(each.counts.get(name, 0) for each in manifests) for name in names}
    counts["terms"] = max(each.counts["terms"] for each in manifests)
    changed = [each.updates for each in manifests if each.updates]
    updates = {name: sum(each.get(name, 0) for each in changed) for name in ("added", "deleted")} if changed else {}
    return first.but(
        generation=sum(each.generation for each in manifests),
        counts=counts,
        segments=[segment for each in manifests for segment in each.segments],
        lucene={},
        embeddings=list(dict.fromkeys(name for each in manifests for name in each.embeddings)),
        updates=updates,
        shard=None,
    )
