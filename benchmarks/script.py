"""What scripts have in common: how they end, as the program's commands do, and how they were called."""

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sparseembed.errors import SparseEmbedError
from sparseembed.files import write_json
from sparseembed.progress import note

RESULTS = Path(__file__).parent / "results"


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


def called(name: str) -> str:
    """Return how a script was called, with a machine's folders left out.

    :param name: The script's file name.
    """
    arguments = [f"path/to/{Path(each).name}" if each.startswith("/") else each for each in sys.argv[1:]]
    return shlex.join(["python", f"benchmarks/{name}", *arguments])


def publish(target: Path, page: str, content: Mapping[str, Any]) -> None:
    """Write a page and its figures, and print the page.

    :param target: Where, without an ending: `.md` and `.json` are written.
    :param page: Markdown.
    :param content: The figures.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_name(f"{target.name}.md")
    written.write_text(page, encoding="utf-8")
    write_json(target.with_name(f"{target.name}.json"), content)
    sys.stdout.write(page)
    note(f"wrote {written}")
