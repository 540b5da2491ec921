"""Every byte of an index compared with what was written."""

import json
from pathlib import Path

from sparseembed.errors import IndexFolderError
from sparseembed.files import json_bytes
from sparseembed.index.checked import check_files, own_folder
from sparseembed.index.manifest import FILE, Manifest, read_manifest
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.snapshot import LUCENE
from sparseembed.index.tombstones import read_tombstones
from sparseembed.progress import track

REBUILD = "run the command that built the index again with --overwrite; embeddings that are kept are not made anew"


def verify_index(path: Path) -> list[str]:
    """Read all files of an index and compare them with their checksums.

    :param path: The index folder.
    :return: One line for each thing that is wrong, saying what and where; none for a whole index.
    :raises IndexFolderError: There is no index, or its manifest is damaged.
    """
    manifest = read_manifest(path)
    problems = _form(path / FILE)
    parts = [("statistics", manifest.statistics), *((f"segment {n}", each) for n, each in enumerate(manifest.segments))]
    with track("verifying", len(parts) + 1, "parts") as bar:
        for _, part in parts:
            folder = own_folder(path, part["folder"])
            missing = [] if folder.is_dir() else [f"the folder {folder} is missing"]
            problems += missing or check_files(folder, part["files"])
            bar.update(1)
        problems += check_files(own_folder(path, LUCENE), manifest.lucene["files"])
        bar.update(1)
    for entry in manifest.segments:
        problems += _deletions(path, entry)
    if not problems:
        problems += _contents(path, manifest)
    return problems


def _form(file: Path) -> list[str]:
    """Look for bytes of the manifest that say the same and were not written: one white space in place of another."""
    try:
        raw = file.read_bytes()
        written = json_bytes(json.loads(raw))
    except (OSError, ValueError, RecursionError):  # replaced at this moment, or damaged
        return [f"{file} is damaged (it cannot be read)"]
    return [] if raw == written else [f"{file} is damaged (its form is not the one that was written)"]


def _deletions(path: Path, entry: dict[str, object]) -> list[str]:
    try:
        read_tombstones(path, entry["deleted"], int(entry["documents"]))  # type: ignore[arg-type,call-overload]
    except FileNotFoundError as error:
        return [f"{error.filename} is missing"]
    except IndexFolderError as error:
        return [str(error)]
    return []


def _contents(path: Path, manifest: Manifest) -> list[str]:
    """Look into segments whose files are what was written: were they written right?"""
    problems = []
    for entry in manifest.segments:
        try:
            segment = SegmentReader(path / entry["folder"])
            try:
                segment.verify()
            finally:
                segment.close()
        except IndexFolderError as error:
            problems.append(str(error))
    return problems
