"""`sparseembed verify`: is every byte what was written?"""

import argparse
import sys
from pathlib import Path

from sparseembed.errors import IndexFolderError

DESCRIPTION = """\
Read every file of an index, or of a folder of stored embeddings, and compare it with the checksum that was kept when it
was written. What is damaged is listed, one line each, with what to do; the exit status is then 2.
"""
EPILOG = """\
examples:
  sparseembed verify indexes/mine
  sparseembed verify ~/.cache/sparseembed/embeddings/mine-1a2b3c4d5e/smollm2-135m-aligned-0123456789/documents
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "path", metavar="INDEX|STORE", help="an index folder, a folder of its parts, or one of stored embeddings"
    )


def run(options: argparse.Namespace) -> None:
    """Verify."""
    from sparseembed.embedders.store_check import is_store, verify_store
    from sparseembed.index.joined import index_folders
    from sparseembed.index.verify import REBUILD, verify_index

    path = Path(options.path)
    if is_store(path):
        what, problems, remedy = "embeddings", verify_store(path), "run the same encode again, it makes them anew"
    else:
        problems = [problem for folder in index_folders(path) for problem in verify_index(folder)]
        what, remedy = "index", REBUILD
    if not problems:
        sys.stdout.write(f"{path}: the {what} is whole\n" if what == "index" else f"{path}: the {what} are whole\n")
        return
    for problem in problems:
        sys.stdout.write(problem + "\n")
    places = f"{len(problems)} places" if len(problems) > 1 else "one place"
    raise IndexFolderError(f"{path} is damaged in {places}: {remedy}")
