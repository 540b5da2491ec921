"""How a script ends: a user's mistake is one line and status 2, as with the program's commands."""

import sys
from collections.abc import Callable

from sparseembed.errors import SparseEmbedError


def status(name: str, run: Callable[[], int | None]) -> int:
    """Run a script.

    :param name: What it is called in front of an error.
    :param run: The script.
    :return: What `run` returns, 0 for None; 2 after a user's mistake, which is told.
    """
    try:
        return run() or 0
    except SparseEmbedError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 2
