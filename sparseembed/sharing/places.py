"""Places elsewhere, by URL: whatever fsspec knows (s3://, gs://, memory://, file://), and the Hugging Face hub (hf://)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparseembed.data.remote import file_system, is_url
from sparseembed.errors import ConfigError, SparseEmbedError, TransferError
from sparseembed.files import json_bytes
from sparseembed.progress import Bar
from sparseembed.sharing.contents import SEALS, Contents, parsed_contents
from sparseembed.text import one_line, shown

JOURNAL = "push.json"  # what a push has finished: name -> sha256; there while one is under way
_OBJECT_STORES = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "tos"))
_LARGEST = 64 << 20  # bytes of a seal: a longer one is none of ours


class Place:
    """A folder elsewhere.

    A file's checksum there is not known without reading it, so that a push leaves a journal of what it has finished:
    a file is there already where the journal, or the seal of what stands there, gives its checksum and its size is
    right. The seal is written last.
    """

    def __init__(self, system: Any, path: str, url: str) -> None:
        """Take a file system of fsspec and a path in it; use `open_place`.

        :param url: What to call it.
        """
        self.url = url
        self._system, self._path = system, path.rstrip("/")

    def contents(self) -> Contents | None:
        """Return what stands there, by its seal; None where there is none.

        :raises TransferError: The place cannot be read, or its seal is damaged.
        """
        for seal in SEALS:
            raw = self.read(seal)
            if raw is not None:
                return parsed_contents(seal, raw, self.url)
        return None

    def sizes(self) -> dict[str, int]:
        """Return the files that are there, as relative paths, and their sizes in bytes."""
        with self._told("read"):
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._path, detail=True)
            except FileNotFoundError:
                return {}
        start = len(self._path) + 1
        return {name[start:]: int(about["size"] or 0) for name, about in found.items() if name[start:]}

    def journal(self) -> dict[str, str]:
        """Return what an unfinished push has finished: name -> sha256."""
        try:
            stored = json.loads(self.read(JOURNAL) or b"{}")
            return {str(name): str(sha256) for name, sha256 in stored.items()}
        except (ValueError, AttributeError, RecursionError):
            return {}

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small file; None where there is none."""
        with self._told("read"):
            try:
                with self._system.open(self._at(name), "rb") as handle:
                    return bytes(handle.read(_LARGEST))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to this machine.

        :raises TransferError: It is not there, or cannot be read.
        """
        with self._told("read"):
            try:
                self._system.get_file(self._at(name), str(target))
            except FileNotFoundError:
                raise TransferError(f"{self.url} lacks {name}, which it names: push it again") from None

    def store(
        self, files: Mapping[str, Path], contents: Contents, known: Mapping[str, str], stale: Sequence[str], bar: Bar
    ) -> None:
        """Put files there, and the seal once all of them are.

        :param files: Relative path -> file; what is not among them is there already.
        :param contents: What will be there.
        :param known: Checksums of other files that are there: name -> sha256.
        :param stale: Files that are no part of it any more.
        :param bar: Told the bytes that are done.
        :raises TransferError: A file cannot be written; what is there is kept.
        """
        done = dict(known)
        with self._told("written"):
            self._make_folder(self._path)
            self._write(JOURNAL, json_bytes(done))
            for name, file in files.items():
                self._make_folder(self._at(name).rpartition("/")[0])
                self._system.put_file(str(file), self._at(name))
                done[name] = str(contents.files[name]["sha256"])
                self._write(JOURNAL, json_bytes(done))
                bar.update(int(contents.files[name]["bytes"]))
            self._write(contents.seal, contents.sealed)
            for name in (*stale, *(seal for seal in SEALS if seal != contents.seal), JOURNAL):
                self._remove(name)

    def seal(self, contents: Contents) -> None:
        """Say what is there already."""
        with self._told("written"):
            self._write(contents.seal, contents.sealed)

    def break_seal(self) -> None:
        """Let nothing be there until `store` has ended."""
        with self._told("written"):
            for seal in SEALS:
                self._remove(seal)

    def _make_folder(self, path: str) -> None:
        """Make a folder; a store of objects has none, and would make a bucket of a name that is mistyped."""
        if not _OBJECT_STORES.intersection(protocols(self._system)):
            self._system.makedirs(path, exist_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        self._system.pipe_file(self._at(name), content)

    def _remove(self, name: str) -> None:
        if self._system.exists(self._at(name)):
            self._system.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """Make one line of whatever a file system raises."""
        try:
            yield
        except SparseEmbedError:
            raise
        except Exception as error:  # each file system has errors of its own
            told = getattr(error, "strerror", None) or one_line(error)[:300] or type(error).__name__
            raise TransferError(
                f"{self.url}: cannot be {done} ({told}); what was transferred is kept, and the same command goes on"
            ) from None


class HubPlace(Place):
    """A repository of the Hugging Face hub, or a folder in one: all files and the seal come in one commit."""

    def store(
        self, files: Mapping[str, Path], contents: Contents, known: Mapping[str, str], stale: Sequence[str], bar: Bar
    ) -> None:
        """Put files there. A repository that is not there is made, for its owner's eyes only."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        kind, repository, revision, folder = self._parts()
        start = f"{folder}/" if folder else ""
        named: dict[str, Any] = {**{name: str(file) for name, file in files.items()}, contents.seal: contents.sealed}
        operations: list[Any] = [CommitOperationAdd(start + name, source) for name, source in named.items()]
        operations += [CommitOperationDelete(start + name) for name in stale]
        api = self._system._api
        with self._told("written"):
            api.create_repo(repository, repo_type=kind, private=True, exist_ok=True)
            about = f"sparseembed push: {contents.kind}"
            api.create_commit(repository, operations, commit_message=about, repo_type=kind, revision=revision)
            self._system.invalidate_cache()
        bar.update(sum(int(contents.files[name]["bytes"]) for name in files))

    def break_seal(self) -> None:
        """Do nothing: a commit is whole."""

    def _parts(self) -> tuple[str, str, str | None, str]:
        """Return kind, name, revision and folder of `[datasets/]OWNER/NAME[@REVISION][/FOLDER]`."""
        parts = [part for part in self._path.split("/") if part]
        kind = {"datasets": "dataset", "spaces": "space", "models": "model"}.get(parts[0])
        owner, name, *folder = parts[1:] if kind else parts
        name, _, revision = name.partition("@")
        return kind or "model", f"{owner}/{name}", revision or None, "/".join(folder)


def protocols(system: Any) -> tuple[str, ...]:
    """Return the names of a file system of fsspec."""
    found = system.protocol
    return tuple(found) if isinstance(found, tuple | list) else (found,)


def open_place(url: str) -> Place:
    """Return a place by its URL.

    :param url: A URL of fsspec, or `hf://[datasets/]OWNER/NAME[@REVISION][/FOLDER]`.
    :raises ConfigError: It is no URL, or names no folder.
    :raises DataError: The package that its protocol needs is not installed.
    """
    if not is_url(url):
        raise ConfigError(f"{shown(url)} is no URL: give one such as s3://bucket/name, file:///path or hf://owner/name")
    system, path = file_system(url)
    hub = "hf" in protocols(system)
    if len([part for part in path.split("/") if part]) < (2 if hub else 1):
        raise ConfigError(f"{shown(url)} names no folder: give one below it")
    return (HubPlace if hub else Place)(system, path, url.rstrip("/"))
