"""Compiles kernels with numba: without the interpreter's lock, and stored on disk for the next process."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numpy.typing import NDArray

from sparseembed.errors import EngineError

try:
    from numba import njit
except Exception as error:  # not installed, or not made for this Python or numpy
    reason = " ".join(str(error).split())[:200]
    raise EngineError(
        f"compiled loops need numba, which cannot be imported ({reason}): pip install 'numba>=0.61'"
    ) from None

Array = NDArray[Any]
"""An array in the signature of a kernel."""

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function, **how: Any) -> Function:
    """Compile a function at its first call.

    The machine code is stored in `__pycache__` beside the module, or in the user's cache where that cannot be written;
    where neither can, it is compiled anew in each process.

    :param function: a function in numba's subset of Python.
    :param how: numba's options, such as `fastmath`.
    :return: the compiled function.
    """
    try:
        return cast(Function, njit(nogil=True, cache=True, **how)(function))
    except RuntimeError:  # no place to store it
        return cast(Function, njit(nogil=True, **how)(function))
