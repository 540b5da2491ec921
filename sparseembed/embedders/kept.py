"""What the user's cache holds, and how it is removed: embeddings, models, and small things made once.

Only what is known to be ours is listed, and only what is listed is removed. No link is followed, neither in listing nor
in removing: what a link leads to is somebody's.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.embedders.shards import DAMAGE, IDS, STORE, read_about
from sparseembed.errors import IndexFolderError
from sparseembed.files import cache_folder
from sparseembed.lock import refuse_readers, writer_lock

EMBEDDINGS, MODEL, INDEX, OTHER = "embeddings", "model", "index", "other"
# Top folder of the cache -> what each entry of it is: all but those of embeddings are files or folders right below it.
_BELOW = {"models": MODEL, "int8": MODEL, "demo": INDEX}
_WHOLE = ("general", "hashes", "java")  # small files, listed as one
_STORES = ("embeddings", "analysis", "alignment", "passages", "prompts")


class Entry(NamedTuple):
    """Something that the cache holds.

    :param name: Its name: its path below the cache.
    :param path: Where it is.
    :param kind: `embeddings`, `model`, `index` or `other`.
    :param corpus: What embeddings are of; empty where that is not told.
    :param embedder: What made them, or the model.
    :param documents: Documents of embeddings, or texts where they are of none; None where they are unfinished.
    :param size: Bytes.
    :param used: When it was last read or written, as the file system tells, in seconds since 1970.
    :param stores: Folders of embeddings in it, each of which has locks of its own.
    """

    name: str
    path: Path
    kind: str
    corpus: str
    embedder: str
    documents: int | None
    size: int
    used: float
    stores: tuple[Path, ...] = ()


def entries() -> list[Entry]:
    """Return what the cache holds, the largest first.

    :raises ConfigError: There is no folder for a cache.
    """
    cache = cache_folder()
    found: list[Entry] = []
    for top in _own(cache):
        if top.name in _STORES:
            found += _embeddings(cache, top)
        elif top.name in _BELOW:
            found += [_plain(cache, each, _BELOW[top.name]) for each in _own(top)]
        elif top.name in _WHOLE:
            found.append(_plain(cache, top, OTHER))
    return sorted(found, key=lambda each: (-each.size, each.name))


def remove(entry: Entry) -> None:
    """Remove an entry: all of it, or nothing where another process encodes into it or reads it.

    :raises IndexFolderError: A process uses it, or it cannot be removed.
    """
    with ExitStack() as locks:
        for store in entry.stores or ((entry.path,) if entry.kind == INDEX else ()):
            locks.enter_context(writer_lock(store, "removal from the cache"))
            refuse_readers(store / IDS, "embeddings")
        try:
            if entry.path.is_symlink() or not entry.path.is_dir():
                entry.path.unlink(missing_ok=True)
            else:
                shutil.rmtree(entry.path)
        except OSError as error:
            raise IndexFolderError(
                f"{entry.path} cannot be removed ({error.strerror}): change its permissions, or remove it by hand"
            ) from None
    with suppress(OSError):  # the corpus's folder, where this was the last of it; never the cache itself
        if entry.path.parent.parent != cache_folder().parent:
            entry.path.parent.rmdir()


def _own(folder: Path) -> list[Path]:
    """Return what stands in a folder and is no link, nor unfinished."""
    try:
        return sorted(each for each in folder.iterdir() if not each.is_symlink() and not each.name.startswith("."))
    except OSError:
        return []


def _embeddings(cache: Path, top: Path) -> Iterator[Entry]:
    """Give what is below a folder of stores: stores side by side in a folder are one entry."""
    groups: dict[Path, list[Path]] = defaultdict(list)
    for folder, _, files in os.walk(top):  # follows no links
        if STORE in files or IDS in files or any(file.endswith(".npy") for file in files):
            groups[Path(folder).parent].append(Path(folder))
    for parent in sorted(groups):
        outer = next((each for each in parent.parents if each in groups), None)
        if outer is not None:
            groups[outer] += groups.pop(parent)
    for parent, stores in groups.items():
        if parent in (cache, top):  # a store right below: each is its own
            for store in stores:
                yield _of_stores(cache, store, [store])
        else:
            yield _of_stores(cache, parent, stores)


def _of_stores(cache: Path, path: Path, stores: list[Path]) -> Entry:
    told: list[tuple[str, dict[str, Any]]] = []
    entry = _plain(cache, path, EMBEDDINGS)
    for store in sorted(stores):
        with suppress(*DAMAGE):
            told.append((store.name, read_about(store)))
    corpora = {str(about.get("texts", "")).rpartition(", ")[0] for _, about in told} - {""}
    chief = [about for name, about in told if name == "documents"] or [about for _, about in told]
    whole = [int(about["count"]) for about in chief if about.get("complete") and isinstance(about.get("count"), int)]
    return entry._replace(
        corpus=", ".join(sorted(corpora)),
        embedder=path.name.rpartition("-")[0] or path.name,
        documents=sum(whole) if whole else None,
        stores=tuple(sorted(stores)),
    )


def _plain(cache: Path, path: Path, kind: str) -> Entry:
    size, used = 0, 0.0
    for file in _files(path):
        with suppress(OSError):
            status = file.lstat()
            size += status.st_size
            # A listing reads store.json itself, so its time of reading tells nothing.
            used = max(used, status.st_mtime, 0.0 if file.name == STORE else status.st_atime)
    model = path.name if kind == MODEL else ""
    return Entry(str(path.relative_to(cache)), path, kind, "", model, None, size, used)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for folder, _, files in os.walk(path):
        yield from (Path(folder, file) for file in files)
