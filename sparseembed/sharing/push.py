"""Push: a folder of this machine to a place elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from sparseembed.errors import TransferError
from sparseembed.progress import note, track
from sparseembed.sharing.contents import SEALS, Contents, contents_of, contents_of_parts, is_whole
from sparseembed.sharing.places import JOURNAL, Place, open_place


def push(folder: str | Path, url: str, overwrite: bool = False) -> Contents:
    """Copy an index, a folder of the parts of one, or an adapter to a place elsewhere.

    Files that are there already are not copied again: those of an earlier commit of the same index, and those that an
    interrupted push has finished. Whoever pulls sees what was there before, or nothing, or all of it.

    :param folder: The folder.
    :param url: The place, a URL of fsspec or of the Hugging Face hub.
    :param overwrite: Whether something else that stands there is replaced.
    :return: What is there now.
    :raises TransferError: Something else stands there; the place cannot be reached or written; a file here is damaged.
    :raises IndexFolderError: `folder` is neither an index nor an adapter, or damaged.
    :raises ConfigError: `url` is no place.
    """
    folder = Path(folder)
    contents = contents_of(folder)
    place = open_place(url)
    standing = _standing(place, contents, overwrite)
    sizes = place.sizes()
    known = place.journal()
    if standing is None and not overwrite and sizes and JOURNAL not in sizes:
        raise TransferError(f"{place.url} holds other files: choose another place, or pass --overwrite")
    known |= {name: str(about["sha256"]) for name, about in standing.files.items()} if standing else {}
    files = {
        name: folder / name
        for name, about in contents.files.items()
        if known.get(name) != about["sha256"] or sizes.get(name) != about["bytes"]
    }
    if standing is not None and standing.sealed == contents.sealed and not files:
        note(f"{place.url} has this {contents.kind} already")
        return contents
    stale = sorted((known.keys() & sizes.keys()) - contents.files.keys() - {*SEALS, JOURNAL})
    size = sum(int(contents.files[name]["bytes"]) for name in files)
    for name, file in files.items():
        if not is_whole(file, contents.files[name]):
            raise TransferError(f"{file} is damaged, or was replaced just now: nothing was pushed; verify {folder}")
    with track("pushing", contents.bytes, "bytes", contents.bytes - size) as bar:
        if standing is not None and files.keys() & standing.files.keys():
            place.break_seal()  # one of its files becomes another: until all are whole, nothing is there
        known = {name: sha256 for name, sha256 in known.items() if name not in files}
        place.store(files, contents, known, stale, bar)
    note(f"pushed the {contents.kind} {folder}: {len(files):,} files, {size:,} bytes, to {place.url}")
    return contents


def push_part(folder: Path, url: str, name: str, overwrite: bool = False) -> Contents:
    """Copy a part of an index below a place where all parts are collected; `seal_parts` ends that."""
    return push(folder, f"{url}/{name}", overwrite)


def pushed_part(url: str, name: str) -> Contents | None:
    """Return what stands there of a part; None where it is not there, or not all of it."""
    return open_place(f"{url}/{name}").contents()


def seal_parts(url: str, names: Sequence[str]) -> list[Contents]:
    """Let the parts below a place be one index, to be pulled together.

    :param url: The place.
    :param names: Names of the parts' folders.
    :return: What each consists of.
    :raises TransferError: One is not there.
    """
    found = {name: pushed_part(url, name) for name in names}
    parts = {name: contents for name, contents in found.items() if contents is not None}
    if len(parts) < len(names):
        raise TransferError(f"{url} lacks the part {min(set(names) - parts.keys())}: run the command again")
    open_place(url).seal(contents_of_parts(parts))
    return list(parts.values())


def _standing(place: Place, contents: Contents, overwrite: bool) -> Contents | None:
    """Return what stands there, if it may be replaced."""
    try:
        standing = place.contents()
    except TransferError:
        if overwrite:
            return None
        raise
    if standing is None or overwrite or standing.sealed == contents.sealed or contents.follows(standing):
        return standing
    what = f"a later commit of this {standing.kind}" if standing.follows(contents) else f"another {standing.kind}"
    raise TransferError(f"{place.url} holds {what}: pass --overwrite to replace it, or choose another place")
