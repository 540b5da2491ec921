"""`sparseembed export`: an index's documents and impacts for other programs."""

import argparse

NAME = "export"
HELP = "write an index's documents and impacts in another form"
DESCRIPTION = """\
Write the documents of an index with their impacts in a form that other programs read:

  jsonl   Pyserini's {"id", "contents", "vector"}, one document a line, in files of 50,000; Anserini builds an index of
          it (IndexCollection -collection JsonVectorCollection -impact -pretokenized)
"""
EPILOG = """\
examples:
  sparseembed export indexes/mine --to jsonl --out vectors
  sparseembed export indexes/pydocs --out vectors/pydocs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from sparseembed.exports.registry import SINKS

    parser.add_argument("index", metavar="INDEX", help="an index folder")
    parser.add_argument("--to", choices=tuple(SINKS), default="jsonl", help="the form (default: jsonl)")
    parser.add_argument("--out", metavar="DIR", required=True, help="where it goes: an empty or a new folder")


def run(options: argparse.Namespace) -> None:
    """Export the index."""
    from sparseembed.exports.registry import export_index

    export_index(options.index, options.to, options.out)
