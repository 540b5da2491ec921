"""`sparseembed push`: an index or an adapter to a place elsewhere."""

import argparse

DESCRIPTION = """\
Copy an index, a folder of the parts of one, or an adapter to a place elsewhere: any URL that fsspec knows (s3:// needs
the package s3fs, gs:// gcsfs; file:// none), or a repository of the Hugging Face hub, which is made, and private, where
it is not there. What is there already is not copied again: later commits of an index send what is new, and a push that
was interrupted goes on. Whoever pulls gets all of it, or what was there before.
"""
EPILOG = """\
examples:
  sparseembed push indexes/mine s3://bucket/indexes/mine
  sparseembed push indexes/mine file:///mnt/shared/mine
  sparseembed push adapters/scifact hf://owner/scifact-adapter
  sparseembed push indexes/mine hf://datasets/owner/mine/index
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", metavar="INDEX|ADAPTER", help="the folder")
    parser.add_argument("url", metavar="URL", help="the place")
    parser.add_argument("--overwrite", action="store_true", help="replace something else that stands there")


def run(options: argparse.Namespace) -> None:
    """Push."""
    from sparseembed.sharing.push import push

    push(options.folder, options.url, options.overwrite)
