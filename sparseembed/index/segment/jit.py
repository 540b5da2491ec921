"""Compiles kernels with numba: without the interpreter's lock, and stored on disk for the next process."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array in the signature of a kernel; the dtypes are those of the segment's arrays."""

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function at its first call.

    The machine code is stored in `__pycache__` beside the module, or in the user's cache where that cannot be written;
    where neither can, it is compiled anew in each process.

    :param function: a function in numba's subset of Python.
    :return: the compiled function.
    """
    try:
        return cast(Function, njit(nogil=True, cache=True)(function))
    except RuntimeError:  # no place to store it
        return cast(Function, njit(nogil=True)(function))
