"""`sparseembed cache`: what is kept of earlier work, and how to be rid of it."""

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparseembed.cli.text import columns, visible
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.progress import note

if TYPE_CHECKING:
    from sparseembed.embedders.kept import Entry

DESCRIPTION = """\
List what is kept in the cache, or remove some of it. Embeddings and converted models are kept so that nothing is
computed twice, and nothing removes them by itself; what is removed is made anew when it is next needed. Indexes do not
need them for searching. What another process writes or reads is left alone, and no link is followed.
"""
EPILOG = """\
examples:
  sparseembed cache
  sparseembed cache remove embeddings/scifact-e7546b729f/smollm2-135m-aligned-51f5807409
  sparseembed cache clear --older-than 30d
  sparseembed cache clear --all --yes
  SPARSEEMBED_CACHE=/big/disk sparseembed cache --json
"""
_SPAN = re.compile(r"(\d+)([hdw])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = ("list", "remove", "clear")
    parser.add_argument(
        "action",
        metavar="ACTION",
        nargs="?",
        choices=actions,
        default="list",
        help="list (the default), remove or clear",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="with remove: names as listed")
    parser.add_argument("--older-than", metavar="AGE", help="with clear: what was last used so long ago: 12h, 30d, 8w")
    parser.add_argument("--all", action="store_true", help="with clear: everything")
    parser.add_argument("--yes", action="store_true", help="remove without asking")
    parser.add_argument("--json", action="store_true", help="one JSON object an entry, listed or removed")


def run(options: argparse.Namespace) -> None:
    """List, or remove."""
    from sparseembed.embedders.kept import entries

    _check(options)
    found = entries()
    if options.action == "list":
        _list(found, options.json)
        return
    if options.action == "remove":
        chosen = [_named(found, name) for name in dict.fromkeys(options.names)]
    else:
        before = None if options.all else time.time() - _age(options.older_than)
        chosen = [each for each in found if before is None or each.used < before]
    if not chosen:
        note("nothing to remove")
    elif options.yes or _agreed(chosen):
        _remove(chosen, options.json, strict=options.action == "remove")


def _check(options: argparse.Namespace) -> None:
    if (options.action == "remove") != bool(options.names):
        raise ConfigError("names go with remove, as in: sparseembed cache remove NAME")
    if options.action == "clear" and bool(options.all) == (options.older_than is not None):
        raise ConfigError("clear needs either --older-than AGE or --all")
    if options.action != "clear" and (options.all or options.older_than is not None):
        raise ConfigError("--older-than and --all go with clear, as in: sparseembed cache clear --older-than 30d")


def _age(text: str) -> int:
    read = _SPAN.fullmatch(text)
    if read is None:
        raise ConfigError(f"--older-than must be a number of hours, days or weeks, as 12h, 30d or 8w, not {text!r}")
    return int(read[1]) * _SECONDS[read[2]]


def _named(found: "Sequence[Entry]", name: str) -> "Entry":
    for entry in found:
        if entry.name == name.rstrip("/"):
            return entry
    raise ConfigError(f"the cache holds no {name!r}: sparseembed cache lists the names")


def _agreed(chosen: "Sequence[Entry]") -> bool:
    """Ask on a terminal; where there is none to ask on, --yes is needed."""
    size = shown_size(sum(each.size for each in chosen))
    if not sys.stdin.isatty():
        raise ConfigError(
            f"this removes {len(chosen)} entries of {size}: add --yes, for there is no terminal to ask on"
        )
    for each in chosen:
        sys.stderr.write(f"  {visible(each.name)}  {shown_size(each.size)}\n")
    sys.stderr.write(f"remove {len(chosen)} entries, {size}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    note("nothing was removed")
    return False


def _remove(chosen: "Sequence[Entry]", as_json: bool, strict: bool) -> None:
    """Remove entries; one that is in use is told of, and where it was named an error."""
    from sparseembed.embedders.kept import remove

    freed = 0
    for each in chosen:
        try:
            remove(each)
        except IndexFolderError as error:
            if strict:
                raise
            note(f"left: {error}")
            continue
        freed += each.size
        if as_json:
            sys.stdout.write(_json(each))
    note(f"removed {shown_size(freed)}")


def _list(found: "Sequence[Entry]", as_json: bool) -> None:
    if as_json:
        sys.stdout.write("".join(map(_json, found)))
        return
    if not found:
        note("the cache is empty")
        return
    rows: list[tuple[object, ...]] = [
        (
            visible(each.name),
            each.kind,
            visible(each.corpus),
            "" if each.documents is None else f"{each.documents:,}",
            shown_size(each.size),
            time.strftime("%Y-%m-%d", time.localtime(each.used)),
        )
        for each in found
    ]
    rows.append(("sum", "", "", "", shown_size(sum(each.size for each in found)), ""))
    heads = ("name", "what", "corpus", "texts", "size", "last used")
    sys.stdout.write(columns(rows, heads, right=frozenset({3, 4})) + "\n")


def _json(entry: "Entry") -> str:
    parts = ("name", "kind", "corpus", "embedder", "documents", "size")
    value = {part: getattr(entry, part) for part in parts}
    used = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.used))
    return json.dumps({**value, "used": used}, ensure_ascii=False) + "\n"


def shown_size(size: int) -> str:
    """Return bytes for people.

    >>> shown_size(999), shown_size(1_234_567)
    ('999 B', '1.2 MB')
    """
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
