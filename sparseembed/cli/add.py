"""`sparseembed add`: more documents for an index."""

import argparse

from sparseembed.cli.options import add_corpus_argument, add_naming_options, chosen_corpus, named_embedder

DESCRIPTION = """\
Add documents to an index with the statistics that were fitted when it was built: only the new documents are encoded.
Words that the collection did not have are found where they stand. Who opens the index sees all of the addition or
nothing of it. How far the added documents are from the fitted ones is told, and kept in the manifest.
"""
EPILOG = """\
examples:
  sparseembed add indexes/mine new.jsonl
  sparseembed add indexes/mine new.csv --id-field nr --text-field body
  sparseembed add indexes/mine changed.jsonl --replace     a document of a known id takes the old one's place
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("index", metavar="INDEX", help="an index folder")
    add_corpus_argument(parser)
    parser.add_argument("--replace", action="store_true", help="replace documents whose ids the index has")
    add_naming_options(parser)


def run(options: argparse.Namespace) -> None:
    """Add the documents."""
    from sparseembed.indexing.update import Index
    from sparseembed.java.jvm import expect_short_use

    expect_short_use()
    Index(options.index, named_embedder(options)).add(chosen_corpus(options), options.replace)
