"""`sparseembed delete`: documents out of an index."""

import argparse
import sys
from pathlib import Path

from sparseembed.errors import ConfigError, DataError

NAME = "delete"
HELP = "delete documents from an index"
DESCRIPTION = """\
Delete documents by their ids. All of them go in one step; if the index lacks one of them, nothing is deleted. Their
place on the disk is freed by `sparseembed compact`.
"""
EPILOG = """\
examples:
  sparseembed delete indexes/mine doc17 doc23
  sparseembed delete indexes/mine --ids gone.txt           one id a line; - reads them from standard input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("index", metavar="INDEX", help="an index folder")
    parser.add_argument("ids", metavar="ID", nargs="*", help="ids of documents")
    parser.add_argument("--ids", metavar="FILE", dest="file", help="a file with one id a line, or -")


def run(options: argparse.Namespace) -> None:
    """Delete the documents."""
    from sparseembed.indexing.update import Index
    from sparseembed.java.jvm import expect_short_use

    expect_short_use()
    ids = [*options.ids, *(_read(options.file) if options.file else [])]
    if not ids:
        raise ConfigError("no document is named: give ids, or --ids FILE")
    Index(options.index).delete(ids)


def _read(file: str) -> list[str]:
    try:
        text = sys.stdin.buffer.read().decode("utf-8") if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise DataError(f"{file} cannot be read ({reason}): give a text file with one id a line") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
