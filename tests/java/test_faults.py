"""Handlers of faults are put back, whoever takes them."""

import ctypes
import signal

import pytest

from sparseembed.java.faults import fault_handlers_kept

LIBC = ctypes.CDLL(None)
LIBC.signal.restype = ctypes.c_void_p
LIBC.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
IGNORED = 1


def handler(number):
    """Return the address of the handler that the process has."""
    found = ctypes.create_string_buffer(512)
    LIBC.sigaction(int(number), None, found)
    return bytes(found[:8])


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"])
@pytest.mark.parametrize("fails", [False, True])
def test_handlers_that_are_taken_come_back(name, fails):
    number = getattr(signal, name)
    before = handler(number)
    try:
        with fault_handlers_kept():
            LIBC.signal(int(number), IGNORED)
            assert handler(number) != before
            if fails:
                raise ValueError
    except ValueError:
        pass
    assert handler(number) == before
