"""When the kernels of searches are loaded: importing numba and loading machine code takes most of a second.

Kernels are loaded once a process, by a thread in the background or by one that cannot do without them. A fork waits
until nothing is being loaded. So does the end of the interpreter, which stops a loading that is under way.
"""

import atexit
import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from logging import getLogger
from opcode import opmap
from typing import NamedTuple

from sparseembed.errors import EngineError, SparseEmbedError

DELAY = 0.1
"""Seconds before the background thread begins: a process that ends by then has lost nothing."""

BATCH = 16
"""More queries at once wait for the kernels to be loaded, which then pays off."""

PATIENCE = 60
"""Seconds that a fork waits for a loading."""


class Kind(NamedTuple):
    """What the native engine's are made for: whether scores may exceed int32."""

    wide: bool


class _Stopped(BaseException):
    """The interpreter ends."""


class _State:
    """What has been loaded in this process, and what loads."""

    def __init__(self) -> None:
        self.loaded: set[Hashable] = set()
        self.usable = True
        self.threads: dict[Hashable, threading.Thread] = {}
        self.ends = threading.Event()
        self.lock = threading.RLock()
        self.held_by_fork = False


_state = _State()


def has(kind: Hashable) -> bool:
    """Say whether the kernels of a kind are loaded."""
    return kind in _state.loaded


def load(kind: Hashable, call: Callable[[], None]) -> bool:
    """Load the kernels of a kind, now; nothing where that is done, or was tried in vain.

    :param kind: the kind: a `Kind`, or a name.
    :param call: imports each kernel and calls it with arrays of that kind: numba loads it then, or compiles and stores
        it.
    :return: whether they are loaded; False without numba.
    """
    if kind in _state.loaded or not _state.usable:
        return kind in _state.loaded
    with _alone():
        if kind in _state.loaded:
            return True
        try:
            _check()
            import_module("sparseembed.jit")
            with _stoppable():
                call()
        except EngineError:  # no numba
            _state.usable = False
            return False
        except SparseEmbedError:
            raise
        except Exception as error:
            _state.usable = False
            reason = " ".join(str(error).split())[:200]
            getLogger(__name__).warning("searches go on without machine code, for numba fails: %s", reason)
            return False
        _state.loaded.add(kind)
        return True


def load_soon(kind: Hashable, call: Callable[[], None]) -> None:
    """Load the kernels of a kind in the background, unless that is under way.

    :param kind: the kind.
    :param call: as for `load`.
    """
    running = _state.threads.get(kind)
    if not _state.usable or _state.ends.is_set() or (running is not None and running.is_alive()):
        return
    _stop_at_exit()
    thread = threading.Thread(target=_work, args=(kind, call), name="sparseembed-kernels", daemon=True)
    _state.threads[kind] = thread
    with suppress(RuntimeError):  # no more threads: the next search tries again
        thread.start()


def _work(kind: Hashable, call: Callable[[], None]) -> None:
    with suppress(_Stopped, SparseEmbedError):  # the engine may have been closed meanwhile
        if not _state.ends.wait(DELAY):
            load(kind, call)


def _check() -> None:
    """Raise if this is a background thread and the interpreter ends."""
    if _state.ends.is_set() and threading.current_thread() in _state.threads.values():
        raise _Stopped


@contextmanager
def _alone() -> Iterator[None]:
    lock = _state.lock
    while not lock.acquire(timeout=0.05):
        _check()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let the compiler be stopped between its passes."""
    from numba.core.event import Event, Listener, install_listener

    class Checker(Listener):
        def on_start(self, event: Event) -> None:
            _check()

        def on_end(self, event: Event) -> None:
            pass

    with install_listener("numba:run_pass", Checker()):
        yield


@cache
def _stop_at_exit() -> None:
    # A thread that runs machine code while the interpreter takes itself apart may bring the process down.
    atexit.register(_stop)


class _Stopper:
    """Asked first whenever a module is imported: lets an import be stopped between two modules.

    Only imports that are statements of Python are. Compiled code that imports something would print that it was
    stopped, be it called by Python or run while its own module is imported (as numba's `_dispatcher` is).
    """

    @staticmethod
    def find_spec(*_: object) -> None:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            if frame.f_code.co_name in ("create_module", "exec_module"):  # of compiled code: Python's has frames
                return
            frame = frame.f_back
        if frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_NAME"]:
            _check()


def _stop() -> None:
    _state.ends.set()
    sys.meta_path.insert(0, _Stopper())
    for thread in list(_state.threads.values()):
        if thread.is_alive():
            thread.join()


def _before_fork() -> None:
    _state.held_by_fork = _state.lock.acquire(timeout=PATIENCE)


def _after_fork_in_parent() -> None:
    if _state.held_by_fork:
        _state.lock.release()


def _after_fork_in_child() -> None:
    _state.lock = threading.RLock()  # whoever held it is not here
    _state.threads = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
