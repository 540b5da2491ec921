"""One change of an index: made beside what stands there, then published in one step, or not at all."""

import errno
import os
import re
import shutil
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sparseembed.errors import IndexFolderError
from sparseembed.index.checked import record
from sparseembed.index.lucene_writer import LuceneStore
from sparseembed.index.manifest import FILE, Manifest, read_manifest
from sparseembed.index.snapshot import LUCENE
from sparseembed.lock import NOTE, writer_lock
from sparseembed.progress import note

_OWN = re.compile(
    r"(fit|segment)-\d+(-\d+)?|deleted-\d+-\d+\.bits|lucene|\.(manifest\.json|deleted-\d+-\d+\.bits)\..*\.tmp"
)
_FORMER = ("vectors", "terms", "adjustment")  # of format 1


class Transaction:
    """Holds the lock of an index folder while it is changed. A context manager.

    What is written has names that no commit has used, so that open readers, and those that open the index while it is
    changed, see the last commit. Only `publish` makes the change visible. If the process ends before it, however that
    ends, the index is what it was, and the next change removes the leftovers.
    """

    def __init__(self, path: Path, doing: str) -> None:
        """Take the lock.

        :param path: The index folder; made where there is none.
        :param doing: What the lock's holder does, for others who want it.
        :raises IndexFolderError: Another process holds it, or the folder holds something that is no index.
        """
        self.path = path
        self._exit = ExitStack()
        self._made = not path.exists()
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not (path / FILE).exists() and not is_free(path):
                raise IndexFolderError(f"{path} exists and is no index: choose another folder with --out")
            self._exit.enter_context(writer_lock(path, doing))
            self.manifest = self._standing()
            self.generation = self.manifest.generation + 1 if self.manifest else self._next_generation()
            self._sweep()
        except BaseException:
            self._exit.close()
            self._remove_made()
            raise
        self._folders = 0
        self._store: LuceneStore | None = None
        self._published = False

    def _standing(self) -> Manifest | None:
        """Return the manifest that stands there; None for an index that is to be replaced for its format or damage."""
        try:
            return read_manifest(self.path)
        except IndexFolderError:
            return None

    def _next_generation(self) -> int:
        used = (re.match(r"(?:fit|segment)-(\d+)", entry.name) for entry in self.path.iterdir())
        numbers = [int(found[1]) for found in used if found]
        return max(numbers, default=0) + 1

    def new_folder(self, kind: str) -> Path:
        """Return the place of a new folder, which is not made yet.

        :param kind: `fit` or `segment`.
        """
        self._folders += 1
        return self.path / f"{kind}-{self.generation}-{self._folders}"

    def new_tombstones(self) -> str:
        """Return the name of a new file of deletions."""
        self._folders += 1
        return f"deleted-{self.generation}-{self._folders}.bits"

    def lucene(self, fresh: bool) -> LuceneStore:
        """Open the Lucene index for writing.

        :param fresh: Whether it is to hold nothing of what it holds now.
        """
        folder = self.path / LUCENE
        if folder.is_symlink():
            raise IndexFolderError(f"{folder} is a link: remove it, and build the index again with --overwrite")
        if not fresh and self.manifest is not None:
            self._store = LuceneStore.append(folder, self.manifest.lucene["commit"])
            return self._store
        try:
            self._store = LuceneStore.create(folder)
        except IndexFolderError:  # what lies there is damaged, and Lucene would read it: it cannot be kept
            _remove(folder)
            self._store = LuceneStore.create(folder)
        return self._store

    def publish(self, manifest: Manifest) -> Manifest:
        """Make the change visible, and remove what the index no longer names.

        :param manifest: The new manifest; what it says of Lucene is filled in, once that has committed.
        :return: The manifest, complete.
        """
        manifest = manifest.but(lucene=self._commit_lucene(manifest))
        self._sync(manifest)
        manifest.write(self.path)
        self._published = True
        try:
            _sync(self.path)
        except OSError as error:  # everybody sees the change: to call it a failure would be wrong
            reason = error.strerror
            note(f"the disk has not confirmed the change of {self.path} ({reason}): a power failure may undo it")
        if self._store is not None:
            self._store.release()
            self._store.close()
            self._store = None
        self.manifest = manifest
        self._sweep()
        return manifest

    def _sync(self, manifest: Manifest) -> None:
        """See to it that all that the manifest names is on the disk before the manifest is: power may fail."""
        for name in (manifest.statistics["folder"], *(segment["folder"] for segment in manifest.segments)):
            for entry in (self.path / name).iterdir():
                _sync(entry)
            _sync(self.path / name)
        _sync(self.path)

    def _commit_lucene(self, manifest: Manifest) -> dict[str, Any]:
        """Commit what Lucene was given, and say what the commit consists of."""
        if self._store is None:
            return manifest.lucene
        commit = self._store.commit({"build": manifest.build, "generation": str(manifest.generation)})
        folder = self.path / LUCENE
        known = manifest.lucene.get("files", {})
        new = [name for name, size in commit.files.items() if known.get(name, {}).get("bytes") != size]
        files = {name: known[name] for name in commit.files if name not in new} | record(folder, new)
        return {"commit": commit.name, "documents": commit.documents, "files": files}

    def _sweep(self) -> None:
        """Remove what is ours and not named by the manifest: leftovers of killed runs, and former commits."""
        manifest = self.manifest
        if manifest is None and (self.path / FILE).exists():
            return  # damaged, or of another version: nothing is lost before another index takes its place
        named = set(_named(manifest)) if manifest else set()
        for entry in self.path.iterdir():
            former = manifest is not None and entry.name in _FORMER
            if entry.name not in named and (former or _OWN.fullmatch(entry.name)):
                _remove(entry)
        if manifest is not None:
            self._sweep_lucene(manifest)

    def _sweep_lucene(self, manifest: Manifest) -> None:
        folder = self.path / LUCENE
        if folder.is_dir() and not folder.is_symlink():
            for entry in folder.iterdir():
                if entry.name not in manifest.lucene["files"]:
                    _remove(entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._store is not None:
                self._store.abandon()
            if not self._published:
                self._sweep()
        finally:
            self._exit.close()
        if not self._published:
            self._remove_made()

    def _remove_made(self) -> None:
        """Remove a folder that was made for an index that was not built."""
        if self._made:
            with suppress(OSError):  # not empty: somebody else has put something there
                self.path.rmdir()


def is_free(path: Path) -> bool:
    """Whether a folder holds nothing but what an unfinished build may have left there."""
    names = [entry.name for entry in path.iterdir()]
    if not names:
        return True
    return NOTE in names and all(_OWN.fullmatch(name) or name == NOTE for name in names)


def tidy(path: Path) -> None:
    """Remove what killed runs left in an index, unless another process writes there.

    :param path: The index folder.
    """
    with suppress(IndexFolderError), Transaction(path, "removing leftovers"):
        pass


def _sync(path: Path) -> None:
    """Write a file or a folder through to the disk; what is there already costs nothing."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise
    finally:
        os.close(descriptor)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _named(manifest: Manifest) -> Iterable[Any]:
    yield LUCENE
    yield manifest.statistics["folder"]
    for segment in manifest.segments:
        yield segment["folder"]
        if segment["deleted"] is not None:
            yield segment["deleted"]["file"]
