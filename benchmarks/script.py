"""What scripts have in common: how they end, as the program's commands do, and how they were called."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

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


def command(name: str) -> str:
    """Return how a script was called, with a machine's folders left out.

    :param name: The script's file name.
    """
    arguments = [f"path/to/{Path(each).name}" if each.startswith("/") else each for each in sys.argv[1:]]
    return shlex.join(["python", f"benchmarks/{name}", *arguments])
