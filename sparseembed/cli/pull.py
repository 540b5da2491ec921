"""`sparseembed pull`: an index or an adapter from a place elsewhere."""

import argparse

DESCRIPTION = """\
Copy what `sparseembed push` has put somewhere into a folder. Every byte is compared with the checksum that the manifest
has of it before the folder appears, in one step. A pull that was interrupted goes on, and one into a folder that holds
an earlier commit of the same index fetches what is new; open searchers go on with what they have until they reload.
"""
EPILOG = """\
examples:
  sparseembed pull s3://bucket/indexes/mine indexes/mine
  sparseembed pull hf://owner/scifact-adapter adapters/scifact
  sparseembed pull hf://datasets/owner/mine@v2/index indexes/mine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("url", metavar="URL", help="the place")
    parser.add_argument("out", metavar="DIR", help="the folder")
    parser.add_argument("--overwrite", action="store_true", help="replace another index or adapter that stands there")


def run(options: argparse.Namespace) -> None:
    """Pull."""
    from sparseembed.sharing.pull import pull

    pull(options.url, options.out, options.overwrite)
