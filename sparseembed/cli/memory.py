"""The C library's memory in a process of our own."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST_KEPT = 32 << 20  # bytes of a block; more than glibc takes on 64 bits is refused
_NEVER_TRIM = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, for the next block.

    A forward pass on a CPU makes and drops thousands of blocks of some megabytes. By itself glibc gives each back to
    the system, and pays for it with a page fault for each 4 KiB of the next: a fifth of the time of an encode on a
    virtual machine. For a command line's process only: a library has no say in its caller's.

    :return: Whether the C library was told; only glibc can be.
    """
    try:
        told = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl and macOS have none, Windows has no such library
        return False
    return bool(told(_M_MMAP_THRESHOLD, _LARGEST_KEPT)) and bool(told(_M_TRIM_THRESHOLD, _NEVER_TRIM))
