"""The indexes of a server: searchers by name, each on one commit as long as a request lasts."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sparseembed.errors import ConfigError, SparseEmbedError
from sparseembed.index.manifest import FILE, Manifest
from sparseembed.serving.settings import Searching
from sparseembed.text import listed_names, shown

if TYPE_CHECKING:
    from sparseembed.retrieval.searcher import Searcher

_Status = tuple[int, ...] | None


class UnknownIndexError(ConfigError):
    """A server has no index of a name."""


class ServedIndex:
    """One index of a server. May be shared by threads."""

    def __init__(self, path: Path, name: str, searching: Searching) -> None:
        """Open an index.

        :param path: Its folder.
        :param name: What requests call it.
        :param searching: How it is searched where a request says nothing of that.
        :raises SparseEmbedError: As `Searcher.open`.
        """
        self.path, self.name, self.searching = path, name, searching
        self.problem: str | None = None
        """Why the last commit could not be opened, where that is so: the one before it still answers."""
        self._lock = threading.Lock()
        self._seen = self._status()
        self._searchers: dict[Searching, Searcher] = {}
        self.pinned()

    @property
    def manifest(self) -> Manifest:
        """What the open commit is made of."""
        return self.pinned().manifest

    def pinned(self, searching: Searching | None = None) -> "Searcher":
        """Return a searcher that stays on the commit that is open now, whatever is reloaded or replaced meanwhile.

        It is not to be closed: the files of its commit are, once nobody refers to them.

        :param searching: How to search; as the server does when None.
        :raises ConfigError: The index has no embeddings that it asks for.
        """
        wanted = self.searching if searching is None else searching
        searcher = self._searchers.get(wanted)
        if searcher is None:
            with self._lock:
                searcher = self._searchers.get(wanted) or self._opened(wanted)
        # A copy has the commit of its own that `reload` would replace.
        return copy(searcher)

    def reload(self) -> bool:
        """Open the last commit, for the requests that come from now on.

        :return: Whether there was another commit.
        :raises SparseEmbedError: It cannot be opened: the one before goes on to answer.
        """
        with self._lock:
            seen = self._status()  # before the commit is read: a later one is then seen as new
            changed, failed = False, None
            for searcher in self._searchers.values():
                try:
                    changed |= searcher.reload()
                except SparseEmbedError as error:
                    failed = error
            self._seen = seen
            self.problem = None if failed is None else str(failed)
        if failed is not None:
            raise failed
        return changed

    def is_behind(self) -> bool:
        """Whether the index seems to have another commit than the open one: one look at a file's status."""
        return self._status() != self._seen

    def _opened(self, searching: Searching) -> "Searcher":
        known = next(iter(self._searchers.values()), None)
        if known is not None and known.manifest.rescoring is None and searching.rescored:
            raise ConfigError(f"the index {self.name} carries no embeddings: ask for no feedback and no encoder")
        searcher = self._searchers[searching] = searching.open(self.path)
        return searcher

    def _status(self) -> _Status:
        try:
            found = (self.path / FILE).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class ServedIndexes:
    """Several open indexes by their folders' names; close them, or use them in a `with` statement."""

    def __init__(self, folders: Sequence[str | Path], searching: Searching | None = None) -> None:
        """Open indexes.

        :param folders: Their folders; the first is the default.
        :param searching: How they are searched; words alone when None.
        :raises ConfigError: There is none, or two have one name.
        :raises SparseEmbedError: One cannot be opened, as `Searcher.open` says.
        """
        searching = searching or Searching()
        self.embedder = searching.embedder
        """The indexes' embedder, where it was named: also where no search takes it."""
        self.searching = searching.but()  # with nothing left open: equal ones are one
        if not folders:
            raise ConfigError("there is no index to serve: name at least one folder")
        self._indexes: dict[str, ServedIndex] = {}
        for folder in map(Path, folders):
            name = folder.name or folder.resolve().name
            if name in self._indexes:
                raise ConfigError(
                    f"{folder} and {self._indexes[name].path} have one name: requests name an index by its folder's "
                    "name, so rename one, or serve them at two ports"
                )
            self._indexes[name] = ServedIndex(folder, name, self.searching)

    def names(self) -> list[str]:
        """Return the names of the indexes, in the order that they were given in."""
        return list(self._indexes)

    @property
    def default(self) -> str:
        """The name of the index that is searched where a request names none."""
        return next(iter(self._indexes))

    def index(self, name: str | None = None) -> ServedIndex:
        """Return an index.

        :param name: Its name; the default when None.
        :raises UnknownIndexError: There is none of that name.
        """
        found = self._indexes.get(self.default if name is None else name)
        if found is None:
            raise UnknownIndexError(f"there is no index {shown(name)} here: there are {listed_names(self.names())}")
        return found

    @contextmanager
    def searcher(self, name: str | None = None, searching: Searching | None = None) -> "Iterator[Searcher]":
        """Give a searcher that stays on one commit, so that all that is read of it fits together.

        :param name: The index; the default when None.
        :param searching: How to search; as the server does when None (see `Searching.but`).
        :raises UnknownIndexError: There is no such index.
        :raises ConfigError: The index has no embeddings that `searching` asks for.
        """
        yield self.index(name).pinned(searching)

    def check_embedders(self) -> None:
        """Make sure that documents could be encoded for each index; nothing is loaded.

        :raises IndexFolderError: An index names an embedder that is no preset, and the user none.
        """
        from sparseembed.retrieval.embedder import Named, named_spec

        for index in self._indexes.values():
            named_spec(index.manifest, self.embedder or Named())

    def warm_up(self) -> None:
        """Load the models that queries go through, so that no request waits for it.

        :raises SparseEmbedError: A model cannot be loaded, as the first search would say.
        """
        if self.searching.by_model:
            for index in self._indexes.values():
                index.pinned().search("a query", 1)

    def reload(self) -> list[str]:
        """Open the last commit of each index, for the requests that come from now on.

        :return: The names of the indexes that had another commit.
        :raises SparseEmbedError: One cannot be opened: it goes on with the commit that it has; the others are reloaded.
        """
        return self._reloaded(list(self._indexes.values()))

    def follow(self) -> list[str]:
        """Reload the indexes that seem to have another commit; cheap where none has. See `reload`."""
        return self._reloaded([index for index in self._indexes.values() if index.is_behind()])

    def close(self) -> None:
        """Let go of all indexes; requests that still use one end on it."""
        self._indexes.clear()

    def _reloaded(self, indexes: Sequence[ServedIndex]) -> list[str]:
        names, failed = [], None
        for index in indexes:
            try:
                if index.reload():
                    names.append(index.name)
            except SparseEmbedError as error:
                failed = error
        if failed is not None:
            raise failed
        return names

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
