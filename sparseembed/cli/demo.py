"""`sparseembed demo`: a built-in collection, and a prompt to type queries into."""

import argparse
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from sparseembed.errors import ConfigError
from sparseembed.progress import note

if TYPE_CHECKING:
    from pathlib import Path

    from sparseembed.retrieval.searcher import Searcher

DESCRIPTION = """\
Index the built-in collection, the documentation of Python's standard library, unless that was done before, and search
it with what is typed. The first time a model reads the beginning of each text, which takes a minute or two on a small
machine; then seconds. No model is loaded for a query. An empty line ends it.
"""
EPILOG = """\
examples:
  sparseembed demo
  sparseembed demo --out indexes/pydocs -k 3
  echo "pick a random element from a list" | sparseembed demo
"""
_PROMPT = "query> "
_TRY = "pick a random element from a list"
_TOKENS = 48
"""Tokens of a text that the model reads, those of the prompt included: most of these texts say first what they are
about, and all of them together have twice as many. Words count wherever they stand."""
_MIX = 1.05  # what `index` chooses for this collection, from sentences that it would have to encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--out", metavar="DIR", help="where the index goes (default: in the cache)")
    parser.add_argument("-k", type=int, default=5, help="hits wanted (default: 5)")


def run(options: argparse.Namespace) -> None:
    """Index if need be, then answer."""
    from sparseembed.cli.options import positive
    from sparseembed.retrieval.searcher import Searcher

    positive(options.k, "-k, the hits wanted,")
    path = _indexed(options.out)
    typed = sys.stdin.isatty()
    with Searcher.open(str(path), warm=False) as searcher:
        if typed:
            sys.stdout.write(f"{_welcome(path)}\n")
        while (query := _next(typed)) is not None:
            _answer(searcher, query, options.k)


def _indexed(out: str | None) -> "Path":
    """Return the collection's index. What the cache has of another Python, or another version of this, is replaced."""
    from sparseembed.embedders.load import load_embedder
    from sparseembed.files import cache_folder, expanded
    from sparseembed.index.transaction import is_free
    from sparseembed.indexing.build import build_index

    place = expanded(out) if out else cache_folder("demo", "pydocs")
    ours = not out or not place.is_dir() or is_free(place)
    return build_index(
        "pydocs",
        place,
        load_embedder(max_length=_TOKENS),
        overwrite=ours,
        reencode=ours,
        mix=_MIX,
        passages="off",
        carried=False,
    ).path


def _welcome(path: "Path") -> str:
    from sparseembed.doctor.extras import installed

    lines = [
        f"type a query, such as: {_TRY}; an empty line ends",
        f'why a hit has its score: sparseembed explain {path} "QUERY" ID',
    ]
    if installed("serve"):
        lines.append(f"the same on a page in a browser: sparseembed serve {path}")
    return "\n".join(lines)


def _next(typed: bool) -> str | None:
    """Return the next query; None at the end, and where an empty line is typed."""
    if not typed:
        line = next((line for line in sys.stdin if line.strip()), None)
        return line.strip() if line is not None else None
    with suppress(ImportError):
        import readline  # noqa: F401 - gives `input` its keys and what was typed before
    sys.stdout.write("\n")
    sys.stdout.flush()
    try:
        return input(_PROMPT).strip() or None
    except EOFError:
        sys.stdout.write("\n")
        return None


def _answer(searcher: "Searcher", query: str, k: int) -> None:
    from sparseembed.cli.search import show

    try:
        show(searcher, query, k)
    except ConfigError as error:  # what was typed is no reason to end
        note(str(error))
