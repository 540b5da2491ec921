"""A server from its start to its end: the port, the processes, and the end that lets requests finish."""

import errno
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparseembed.errors import ConfigError
from sparseembed.progress import note
from sparseembed.serving.indexes import ServedIndexes
from sparseembed.serving.logs import log_config
from sparseembed.serving.settings import Searching, Settings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Config

_HEAD = 64 << 10  # bytes of a request's head: a query in a URL takes up to twelve a character
_LAST_PORT = 2**16 - 1
_BACKLOG = 2048  # clients that wait to be accepted, as uvicorn has it
_SHARED = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True)
class AppFactory:
    """Makes the application, in each process that serves.

    :param folders: The index folders.
    :param searching: How they are searched.
    :param settings: Limits, and what is allowed.
    """

    folders: tuple[str, ...]
    searching: Searching
    settings: Settings

    def __call__(self) -> "FastAPI":
        """Open the indexes and make the application."""
        from sparseembed.serving.app import create_app

        indexes = self.opened()
        indexes.warm_up()
        return create_app(indexes, self.settings)

    def opened(self) -> ServedIndexes:
        """Open the indexes.

        :raises SparseEmbedError: As `serve`.
        """
        indexes = ServedIndexes(self.folders, self.searching)
        if self.settings.writable:
            indexes.check_embedders()
        return indexes


def serve(
    folders: Sequence[str],
    searching: Searching,
    settings: Settings,
    host: str,
    port: int,
    workers: int = 1,
    quiet: bool = False,
) -> None:
    """Serve indexes until the process is told to end (SIGTERM, SIGINT, SIGHUP); requests in hand are answered first.

    :param folders: Index folders; the first is the default.
    :param searching: How they are searched.
    :param settings: Limits, and what is allowed.
    :param host: The address to listen at.
    :param port: The port; 0 for a free one.
    :param workers: Processes. Each opens the indexes by itself; what they map of them, they share.
    :param quiet: Whether failures only are logged.
    :raises ConfigError: The address cannot be listened at.
    :raises SparseEmbedError: An index cannot be opened, as `Searcher.open` says.
    """
    with _bound(host, port) as listener:
        factory = AppFactory(tuple(folders), searching, settings)
        url = _url(host, listener.getsockname()[1])
        if workers == 1:
            app = factory()  # an index that cannot be opened is told here, in one line
            _listen(listener, host, port)
            note(f"serving {', '.join(_names(folders))} at {url}")
            _serve_here(_config(app, quiet), listener, host, port)
        else:
            factory.opened().close()
            _listen(listener, host, port)
            note(f"serving {', '.join(_names(folders))} at {url}, by {workers} processes")
            _serve_by_workers(factory, quiet, workers, listener)


def _listen(listener: socket.socket, host: str, port: int) -> None:
    """Let clients connect from now on: they wait for the first process that answers."""
    try:
        listener.listen(_BACKLOG)
    except OSError as error:  # another has begun to listen there meanwhile
        raise _unusable(host, port, error) from None


def _serve_here(config: "Config", listener: socket.socket, host: str, port: int) -> None:
    from uvicorn import Server

    # uvicorn raises the signal that ended it once more, when all is done: for a server told to end, that is no failure.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    server = Server(config)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a terminal that closes; ignored where nohup has started it
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, server.handle_exit)
    try:
        server.run([listener])
    except OSError as error:  # another has begun to listen there meanwhile
        raise _unusable(host, port, error) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve_by_workers(factory: AppFactory, quiet: bool, workers: int, listener: socket.socket) -> None:
    from uvicorn.supervisors import Multiprocess

    with tempfile.TemporaryDirectory(prefix="sparseembed-serve-") as shared:
        # Processes of their own, not forks: a fork of a process with threads (of Java, of torch) may hang.
        os.environ[_SHARED] = shared
        try:
            Multiprocess(_config(factory, quiet, workers, factory=True), [listener]).run()
        finally:
            del os.environ[_SHARED]


def _config(app: Any, quiet: bool, workers: int = 1, factory: bool = False) -> "Config":
    from uvicorn import Config

    from sparseembed.serving.protocol import PatientProtocol

    return Config(
        app,
        factory=factory,
        workers=workers,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=log_config(quiet),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,  # longer than proxies keep theirs, or they would send into a connection that ends
        h11_max_incomplete_event_size=_HEAD,
        timeout_worker_healthcheck=60,  # a process that loads a model may not answer at once
    )


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Take a port, before anything is opened that takes long."""
    if not host:
        raise ConfigError("--host is empty: name an address, such as 127.0.0.1, or 0.0.0.0 for every one that there is")
    if not 0 <= port <= _LAST_PORT:  # the system would take another one
        raise ConfigError(f"--port must be from 0 to {_LAST_PORT}, not {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:
        raise _unusable(host, port, error) from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except (OSError, OverflowError) as error:
            raise _unusable(host, port, error) from None
        yield listener


def _unusable(host: str, port: int, error: Exception) -> ConfigError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} of {host} is in use: stop what listens there, or choose another one with --port (0: any free)"
        )
    if number == errno.EACCES:
        return ConfigError(f"port {port} is for administrators: choose one above 1023 with --port")
    reason = getattr(error, "strerror", None) or error
    return ConfigError(f"{host}, port {port}, cannot be listened at ({reason}): check --host and --port")


def _names(folders: Sequence[str]) -> list[str]:
    return [Path(folder).name or Path(folder).resolve().name for folder in folders]


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
