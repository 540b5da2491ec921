"""Handlers of faults, which Java needs: its machine makes an exception of a null pointer out of SIGSEGV."""

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_ROOM = 512  # bytes, more than any libc's struct sigaction has


@contextmanager
def fault_handlers_kept() -> Iterator[None]:
    """Put the handlers of faults back in the end that were there in the beginning.

    Ray takes them when it connects, and takes them away when it is shut down: a process with a running Java machine
    would then die of what is no fault. Python's `signal` cannot tell of handlers that are not its own.
    """
    signals = [each for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL") if (each := getattr(signal, name, None))]
    libc, kept = ctypes.CDLL(None), [ctypes.create_string_buffer(_ROOM) for _ in signals]
    for each, handler in zip(signals, kept, strict=True):
        libc.sigaction(int(each), None, handler)
    try:
        yield
    finally:
        for each, handler in zip(signals, kept, strict=True):
            libc.sigaction(int(each), handler, None)
