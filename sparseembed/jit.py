"""Compiles kernels with numba: without the interpreter's lock, and stored on disk for the next process.

numba is imported here alone.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numpy.typing import NDArray

from sparseembed.errors import EngineError

# Where colorama is installed, numba colours its errors, those too that it makes while it is imported, and meanwhile
# puts other streams in the place of sys.stdout and sys.stderr: in a background thread, this undoes what other threads
# do with them. numba reads the variable when it is imported.
_UNCOLOURED = "NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING"
_before = os.environ.get(_UNCOLOURED)
os.environ[_UNCOLOURED] = "1"
try:
    from numba import njit as njit
    from numba.core import types as types
    from numba.extending import intrinsic as intrinsic
except Exception as error:  # not installed, or not made for this Python or numpy
    reason = " ".join(str(error).split())[:200]
    raise EngineError(
        f"compiled loops need numba, which cannot be imported ({reason}): pip install 'numba>=0.61'"
    ) from None
finally:
    if _before is None:
        del os.environ[_UNCOLOURED]
    else:
        os.environ[_UNCOLOURED] = _before

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
