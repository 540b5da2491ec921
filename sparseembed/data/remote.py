"""Files elsewhere, by URLs that fsspec knows: s3://, gs://, https://, memory:// and others."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import IO, Any

from sparseembed.errors import DataError
from sparseembed.extras import install_line, pip_line
from sparseembed.text import one_line, shown

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|[a-z0-9]+::")


def is_url(name: str) -> bool:
    """Tell whether a name is a URL, which fsspec reads."""
    return _URL.match(name) is not None


class RemotePath:
    """A file or folder elsewhere; stands in for a `Path` where files are only read."""

    def __init__(self, system: Any, path: str, url: str) -> None:
        """Take a file system of fsspec and a path in it.

        :param url: What to call it, with its protocol.
        """
        self._system, self._path, self._url = system, path.rstrip("/"), url

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self._path.rpartition("/")[2]

    def __truediv__(self, child: str) -> "RemotePath":
        return RemotePath(self._system, f"{self._path}/{child}", f"{self._url.rstrip('/')}/{child}")

    joinpath = __truediv__

    def is_file(self) -> bool:
        """Whether a file is there."""
        return bool(self._told(self._system.isfile, self._path))

    def is_dir(self) -> bool:
        """Whether a folder is there."""
        return bool(self._told(self._system.isdir, self._path))

    def exists(self) -> bool:
        """Whether anything is there."""
        return bool(self._told(self._system.exists, self._path))

    def iterdir(self) -> Iterator["RemotePath"]:
        """Give what is in the folder."""
        for path in self._told(self._system.ls, self._path, detail=False):
            child = path.rstrip("/").rpartition("/")[2]
            if child and path.rstrip("/") != self._path:
                yield self / child

    def open(self, mode: str = "rb") -> IO[bytes]:
        """Open the file; several readers do not disturb each other."""
        opened: IO[bytes] = self._told(self._system.open, self._path, mode)
        return opened

    def __str__(self) -> str:
        return self._url

    def _told(self, call: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except OSError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise OSError(f"{type(error).__name__}: {one_line(error)[:300]}") from None


def open_url(url: str) -> RemotePath:
    """Return a file or folder by its URL; parameters and errors are those of `file_system`."""
    system, path = file_system(url)
    return RemotePath(system, path, url)


def file_system(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec that a URL leads to, and the path in it.

    :param url: A URL of fsspec.
    :raises DataError: fsspec, or the package that its protocol needs, is not installed, or knows no such protocol.
    """
    try:
        core = import_module("fsspec.core")
    except ImportError:
        raise DataError(f"{one_line(url)}: a URL, which needs a package: {install_line('files')}") from None
    try:
        found: tuple[Any, str] = core.url_to_fs(url)
    except ImportError as error:
        raise DataError(f"{one_line(url)}: {one_line(error)}: {_remedy(url)}") from None
    except Exception as error:  # an unknown protocol, no credentials: each file system has errors of its own
        problem = one_line(error)[:300] or type(error).__name__
        raise DataError(f"{shown(url)}: cannot be opened ({problem}): check the URL and how you log in there") from None
    return found


def _remedy(url: str) -> str:
    """Return what to do where a protocol's package is missing: fsspec knows its module, which is called as it is."""
    known = import_module("fsspec.registry").known_implementations
    module = known.get(re.split("://|::", url)[0], {}).get("class", "").partition(".")[0]
    if module in ("", "fsspec"):  # fsspec's own: what `files` brings lets it read http
        return install_line("files") if re.search("https?://", url) else "install that package with pip"
    return pip_line(module)
