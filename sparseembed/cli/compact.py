"""`sparseembed compact`: one segment without deleted documents, or statistics fitted anew."""

import argparse

from sparseembed.cli.options import add_naming_options, named_embedder

DESCRIPTION = """\
Merge the segments of an index into one, without the deleted documents. With --refit the statistics (vocabulary,
document frequencies, adjustments, mix, quantiser) are fitted anew to what the index holds now, from the embeddings that
are kept in the cache, and all documents are written again; embeddings that are gone are made anew.
"""
EPILOG = """\
examples:
  sparseembed compact indexes/mine
  sparseembed compact indexes/mine --refit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("index", metavar="INDEX", help="an index folder")
    parser.add_argument("--refit", action="store_true", help="fit the statistics anew, and write all documents again")
    add_naming_options(parser)


def run(options: argparse.Namespace) -> None:
    """Compact the index."""
    from sparseembed.indexing.update import Index

    Index(options.index, named_embedder(options)).compact(options.refit)
