"""`sparseembed delete`: documents out of an index."""

import argparse

from sparseembed.errors import ConfigError

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
    from sparseembed.data.lines import read_lines
    from sparseembed.data.source import open_source

    return [line.strip() for _, line in read_lines(open_source(file))]
