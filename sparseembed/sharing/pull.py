"""Pull: from a place elsewhere into a folder of this machine, every byte compared before anybody sees it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from sparseembed.embedders.adapters import CONFIG
from sparseembed.errors import ConfigError, SparseEmbedError, TransferError
from sparseembed.files import atomic_file, atomic_folder, is_mount
from sparseembed.index.manifest import FILE
from sparseembed.lock import NOTE, writer_lock
from sparseembed.outputs import check_output_folder
from sparseembed.progress import note, track
from sparseembed.sharing.contents import SEALS, Contents, contents_of, is_whole, problems_of
from sparseembed.sharing.places import Place, open_place

STAGING = ".pulling"
_PART = ".part"


def pull(url: str, out: str | Path, overwrite: bool = False) -> Contents:
    """Copy an index, the parts of one, or an adapter from a place elsewhere.

    Files come into a hidden folder beside `out`, and are compared with their checksums; once all are there, the folder
    takes its place in one step. A pull that was interrupted goes on, and one over an earlier commit of the same index
    fetches what is new.

    :param url: The place, a URL of fsspec or of the Hugging Face hub.
    :param out: The folder; made where there is none.
    :param overwrite: Whether something else that stands there is replaced.
    :return: What is there now.
    :raises TransferError: The place cannot be reached, holds nothing, or holds damaged files.
    :raises ConfigError: `url` is no place; something else stands in `out`; the disk has no room.
    """
    path = check_output_folder(Path(out))
    place = open_place(url)
    contents = place.contents()
    if contents is None:
        raise TransferError(f"there is neither an index nor an adapter at {place.url}: check the URL")
    if _stands(path, contents, overwrite):
        note(f"{path} is this {contents.kind} already")
        return contents
    staging = _staging(path)
    with writer_lock(staging, f"pulling {place.url}"):
        fetched = _fetch_missing(place, contents, staging, path)
        with atomic_file(staging / contents.seal) as handle:
            handle.write(contents.sealed)
        _publish(staging, path, contents)
    shutil.rmtree(staging, ignore_errors=True)
    note(f"pulled the {contents.kind} from {place.url}: {fetched:,} bytes; wrote {path}")
    return contents


def _stands(path: Path, contents: Contents, overwrite: bool) -> bool:
    """Say whether a folder is what is to be pulled; raise where it is something else that is not to be replaced."""
    names = {entry.name for entry in path.iterdir()} - {STAGING} if path.is_dir() else set()
    if not names:
        return False
    seal = path / contents.seal
    if seal.is_file() and seal.read_bytes() == contents.sealed:
        problems = problems_of(path, contents)
        for problem in problems:
            note(f"{problem}: fetching it again")
        return not problems
    if overwrite and not any((path / each).exists() for each in (*SEALS, CONFIG)):
        raise ConfigError(f"{path} holds what is neither an index nor an adapter: choose another folder")
    if not overwrite and not _is_earlier(path, contents):
        raise ConfigError(f"{path} holds something else: pass --overwrite to replace it, or choose another folder")
    return False


def _is_earlier(path: Path, contents: Contents) -> bool:
    """Say whether a folder holds what is to be pulled, damaged, or an earlier commit of it."""
    seal = path / contents.seal
    if seal.is_file() and seal.read_bytes() == contents.sealed:
        return True
    with suppress(SparseEmbedError):
        return (path / FILE).is_file() and contents.follows(contents_of(path))
    return False


def _staging(path: Path) -> Path:
    """Return where files are collected: beside the folder, or in it where that cannot be moved."""
    inside = path.is_dir() and (is_mount(path) or not os.access(path.parent, os.W_OK | os.X_OK))
    return path / STAGING if inside else path.parent / f".{path.name}{STAGING}"


def _fetch_missing(place: Place, contents: Contents, staging: Path, path: Path) -> int:
    """Fetch the files that are not there yet; give their bytes."""
    wanted = {staging / name: name for name in contents.files}
    for stale in sorted(staging.rglob("*"), reverse=True):  # of an older version, or half a file
        if stale.is_symlink() or (stale.is_file() and stale not in wanted and stale.name != NOTE):
            stale.unlink()
    missing = [name for file, name in wanted.items() if not is_whole(file, contents.files[name])]
    size = sum(int(contents.files[name]["bytes"]) for name in missing)
    room = shutil.disk_usage(staging).free
    if room < size:
        raise ConfigError(f"{staging.parent} has room for {room:,} bytes, {size:,} are wanted: choose another folder")
    fetched = 0
    with track("pulling", contents.bytes, "bytes", contents.bytes - size) as bar:
        for name in missing:
            about, target = contents.files[name], staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + _PART)
            if is_whole(path / name, about):
                shutil.copyfile(path / name, part)
            else:
                place.fetch(name, part)
                fetched += int(about["bytes"])
            if not is_whole(part, about):
                part.unlink(missing_ok=True)
                raise TransferError(
                    f"{place.url}/{name} is damaged (its bytes are not those that its {contents.seal} names): push it "
                    "again; nothing was changed here"
                )
            part.replace(target)
            bar.update(int(about["bytes"]))
    return fetched


def _publish(staging: Path, path: Path, contents: Contents) -> None:
    """Let the folder take its place."""
    tops = {contents.seal, *(name.partition("/")[0] for name in contents.files)}

    def move() -> None:
        with atomic_folder(path) as part:
            for name in sorted(tops):
                (staging / name).replace(part / name)

    if path.is_dir():
        with writer_lock(path, "a pulled index"):
            move()
    else:
        move()
