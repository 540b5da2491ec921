"""What an index, the parts of one, or an adapter consists of: each file with its size and checksum, and a seal.

The seal is the file that says so, and that makes a folder what it is: it is written last, and read first. Of an index
it is the manifest. What has none, an adapter or a folder of parts, gets one when it is pushed: `checksums.json`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.embedders.adapters import CONFIG, adapter_folder
from sparseembed.errors import IndexFolderError, SparseEmbedError, TransferError
from sparseembed.files import digest, json_bytes
from sparseembed.index.checked import Records, check_files, plain_name, record, sha256_of
from sparseembed.index.joined import index_folders, open_index
from sparseembed.index.manifest import FILE, Manifest, parsed_manifest
from sparseembed.index.snapshot import LUCENE
from sparseembed.text import shown

CHECKSUMS = "checksums.json"
SEALS = (FILE, CHECKSUMS)
FORMAT = 1
INDEX, PARTS, ADAPTER = "index", "index in parts", "adapter"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Contents(NamedTuple):
    """What a folder consists of.

    :param kind: `INDEX`, `PARTS` or `ADAPTER`.
    :param build: Names what an index was made of: later commits of it have the same. Of others "".
    :param generation: Counts the commits of an index. Of others 0.
    :param seal: Name of the file that says what there is.
    :param sealed: Its bytes.
    :param files: Relative path, with `/` -> size and checksum, for all files but the seal.
    """

    kind: str
    build: str
    generation: int
    seal: str
    sealed: bytes
    files: Records

    @property
    def bytes(self) -> int:
        """Size of all files but the seal."""
        return sum(int(each["bytes"]) for each in self.files.values())

    def follows(self, other: "Contents") -> bool:
        """Say whether this is a later commit of the same index."""
        return bool(self.build) and self.build == other.build and self.generation > other.generation


def contents_of(folder: Path) -> Contents:
    """Say what a folder of this machine consists of. Files of an index are not read: its manifest knows them.

    :param folder: An index, a folder of the parts of one, or an adapter.
    :raises SparseEmbedError: It is none of these, or damaged.
    """
    if (folder / FILE).is_file():
        return parsed_contents(FILE, (folder / FILE).read_bytes(), str(folder))
    if (folder / CONFIG).is_file():
        adapter_folder(str(folder))
        plain = (each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
        names = [each.name for each in plain if each.name not in SEALS]
        return _checksums(ADAPTER, record(folder, names))
    parts = index_folders(folder)
    if parts == (folder,):
        raise IndexFolderError(f"{folder} is neither an index nor an adapter: it has no {FILE} and no {CONFIG}")
    open_index(folder).close()  # all parts are there, and fit together
    return contents_of_parts({part.name: contents_of(part) for part in parts})


def contents_of_parts(parts: Mapping[str, Contents]) -> Contents:
    """Say what a folder of parts consists of.

    :param parts: Name of each part's folder -> what is in it.
    """
    files: Records = {}
    for part, own in parts.items():
        files |= {f"{part}/{name}": about for name, about in own.files.items()}
        files[f"{part}/{FILE}"] = {"bytes": len(own.sealed), "sha256": hashlib.sha256(own.sealed).hexdigest()}
    return _checksums(PARTS, files)


def parsed_contents(seal: str, raw: bytes, where: str) -> Contents:
    """Read a seal, which may be damaged or meant to do harm.

    :param seal: Its name, one of `SEALS`.
    :param raw: Its bytes.
    :param where: Where it stands, for messages.
    :raises TransferError: It is damaged, of another version, or names files that are not in the folder.
    """
    try:
        if raw != json_bytes(json.loads(raw)):  # a white space more is a byte that nobody has written
            raise ValueError
        if seal == FILE:
            manifest = parsed_manifest(raw, Path(FILE))
            found = Contents(INDEX, manifest.build, manifest.generation, seal, raw, dict(_files(manifest)))
        else:
            stored = json.loads(raw)
            content = {"format": FORMAT, "kind": stored["kind"], "files": stored["files"]}
            if stored != {**content, "checksum": digest(content)} or stored["kind"] not in (PARTS, ADAPTER):
                raise ValueError
            found = Contents(stored["kind"], "", 0, seal, raw, stored["files"])
    except SparseEmbedError as error:
        raise TransferError(f"{where}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TransferError(f"{where}: {seal} is damaged: push what it is of again") from None
    for name, about in found.files.items():
        _check(name, about, where)
    return found


def problems_of(folder: Path, contents: Contents) -> list[str]:
    """Compare all files of a folder with what they should be.

    :return: One line for each that is missing or damaged.
    """
    by_folder: dict[Path, Records] = {}
    for name, about in contents.files.items():
        path = folder / name
        by_folder.setdefault(path.parent, {})[path.name] = about
    return [problem for parent, files in by_folder.items() for problem in check_files(parent, files)]


def is_whole(file: Path, about: Mapping[str, Any]) -> bool:
    """Say whether a file is there, with the bytes that it should have."""
    try:
        return not file.is_symlink() and file.stat().st_size == about["bytes"] and sha256_of(file) == about["sha256"]
    except OSError:
        return False


def _checksums(kind: str, files: Records) -> Contents:
    content = {"format": FORMAT, "kind": kind, "files": files}
    return Contents(kind, "", 0, CHECKSUMS, json_bytes({**content, "checksum": digest(content)}), files)


def _files(manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files that a manifest names, with size and checksum."""
    where = Path(FILE)
    folders = [(LUCENE, manifest.lucene), (manifest.statistics["folder"], manifest.statistics)]
    for folder, about in [*folders, *((each["folder"], each) for each in manifest.segments)]:
        for name, known in about["files"].items():
            yield f"{plain_name(folder, where)}/{plain_name(name, where)}", known
    for each in manifest.segments:
        if each["deleted"] is not None:
            deleted = each["deleted"]
            yield plain_name(deleted["file"], where), {"bytes": deleted["bytes"], "sha256": deleted["sha256"]}


def _check(name: object, about: object, where: str) -> None:
    """Raise unless a file is one of the folder's own, with a size and a checksum."""
    parts = name.split("/") if isinstance(name, str) else [""]
    plain = all(part and not part.startswith(".") and "\0" not in part and len(part) < 256 for part in parts)
    if not plain or len(parts) > 3 or parts[-1] == CHECKSUMS or name == FILE:
        raise TransferError(f"{where} names the file {shown(name)}, which is not its own: nothing is read or written")
    size = about.get("bytes") if isinstance(about, dict) else None
    if type(size) is not int or size < 0 or not _SHA256.fullmatch(str(about["sha256"])):  # type: ignore[index]
        raise TransferError(f"{where}: what it says of the file {shown(name)} is damaged: push it again")
