"""The command line: `sparseembed COMMAND`. Every command is a few lines over the library."""

import argparse
import errno
import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from sparseembed import __version__
from sparseembed.cli import adapt, analyze, embedders, encode, evaluate, explain, index, inspect, search, train
from sparseembed.cli.memory import keep_freed_memory
from sparseembed.errors import SparseEmbedError
from sparseembed.progress import ConsoleReporter, SilentReporter, set_reporter

COMMANDS = (index, encode, search, explain, inspect, evaluate, analyze, embedders, adapt, train)
EPILOG = """\
examples:
  sparseembed index pydocs                          the built-in demonstration collection
  sparseembed search indexes/pydocs "run a program and read what it prints"
  sparseembed index my-documents.jsonl --out indexes/mine
  sparseembed eval ./scifact                        a folder in BEIR's layout

sparseembed COMMAND --help teaches each command. Embeddings and converted models are kept in ~/.cache/sparseembed
(SPARSEEMBED_CACHE names another place); SPARSEEMBED_DATA names a folder of collections.
"""


class _Parser(argparse.ArgumentParser):
    """Tells a user's mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    :param arguments: The words after `sparseembed`; those of this process when None.
    :return: Exit status: 0 when it did what was asked, 2 for a user's mistake, 130 when interrupted.
    """
    _print_what_can_be()
    keep_freed_memory()
    options = _parser().parse_args(arguments)
    _listen(options.quiet)
    try:
        options.run(options)
        sys.stdout.flush()
        return 0
    except SparseEmbedError as error:
        return _fail(" ".join(str(error).split()))
    except BrokenPipeError:
        # The reader (head, less) has gone; without this the interpreter complains when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(_told(error))
    except KeyboardInterrupt:
        sys.stderr.write("\nsparseembed: stopped; what was finished is kept, the same command goes on from there\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sparseembed",
        description="Sparse retrieval whose Lucene impact index is filled by an LLM's text embeddings.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sparseembed {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=command.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.add_argument("-q", "--quiet", action="store_true", help="no progress, no notes: results and errors only")
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def _print_what_can_be() -> None:
    """Let a terminal that is not of UTF-8 show `?` for what it lacks, instead of ending in an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _listen(quiet: bool) -> None:
    set_reporter(SilentReporter() if quiet else ConsoleReporter())
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("sparseembed: %(levelname)s: %(message)s"))
    logger = logging.getLogger("sparseembed")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.ERROR if quiet else logging.WARNING)
    logger.propagate = False


def _told(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}no room on the disk: free some and run the same command again, finished work is kept"
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"{where}cannot be written or read ({error.strerror}): choose another folder or change its permissions"
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return f"{where}a file stands where a folder is needed, or the reverse ({error.strerror}): choose another place"
    return f"{where}{error.strerror or error}"


def _fail(message: str) -> int:
    sys.stderr.write(f"sparseembed: error: {message}\n")
    return 2
