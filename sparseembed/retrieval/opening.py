"""The last commit of what is searched, opened together with what reads further files of it."""

from collections.abc import Callable
from typing import TypeVar

from sparseembed.errors import IndexFolderError
from sparseembed.index.joined import Places, last_manifest, open_index
from sparseembed.index.snapshot import TRIES, Snapshot

_Used = TypeVar("_Used")


def on_last_commit(places: Places, use: Callable[[Snapshot], _Used]) -> _Used:
    """Open the last commit of an index and do something with it that reads further files of it.

    Where the commit is replaced meanwhile, and such a file is gone, the new commit is used instead.

    :param places: The index, or several that are searched as one.
    :param use: What is done with the commit; it is closed where that fails.
    """
    for attempt in range(TRIES):
        snapshot = open_index(places)
        try:
            return use(snapshot)
        except IndexFolderError:
            snapshot.close()
            if attempt == TRIES - 1 or last_manifest(places) == snapshot.manifest:
                raise
        except BaseException:
            snapshot.close()
            raise
    raise AssertionError("the last try returns or raises")
