"""The command line: `sparseembed COMMAND`. Every command is a few lines over the library."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from sparseembed import __version__
from sparseembed.cli.commands import COMMANDS as COMMANDS
from sparseembed.cli.parser import CommandParser, Parser
from sparseembed.cli.streams import discard_output, fail, flush_output, open_standard_streams, settle_errors, told
from sparseembed.errors import SparseEmbedError

QUIET = "no progress, no notes: results and errors only"
EPILOG = """\
examples:
  sparseembed demo                                  try it on a built-in collection
  sparseembed doctor                                is all there that is needed?
  sparseembed index my-documents.jsonl --out indexes/mine
  sparseembed search indexes/mine "run a program and read what it prints"
  sparseembed eval ./scifact                        a folder in BEIR's layout

sparseembed COMMAND --help teaches each command. Embeddings and converted models are kept in ~/.cache/sparseembed
(SPARSEEMBED_CACHE names another place); SPARSEEMBED_DATA names a folder of collections.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    :param arguments: The words after `sparseembed`; those of this process when None.
    :return: Exit status: 0 when it did what was asked, 1 when it found something
        wrong, 2 for a user's mistake, 130 when interrupted.
    """
    # OpenBLAS's threads spin for some 25 ms after a product, and the model, which comes next, has half of two cores: an
    # expanded query took 118 ms, and takes 65 so. The variable is read when numpy is imported, which is later.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    open_standard_streams()
    try:
        status = _run(arguments)
    except SystemExit as end:  # --help, --version, or words that are no command
        status = flush_output() if end.code in (0, None) else 0
        if not status:
            raise
    finally:
        settle_errors()
    return status


def _run(arguments: Sequence[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    called = next((word for word in words if not word.startswith("-")), None)
    try:
        options = parser_of((called,) if called in COMMANDS else ()).parse_args(arguments)
        _prepare(options.quiet)
        status = options.run(options)
        return flush_output() or int(status or 0)
    except SparseEmbedError as error:
        flush_output()
        return fail(str(error))
    except ModuleNotFoundError as error:
        from sparseembed.extras import lacking

        told_of = lacking(error, f"sparseembed {called}")
        if told_of is None:
            raise
        flush_output()
        return fail(str(told_of))
    except BrokenPipeError:
        discard_output()  # the reader (head, less) has gone
        return 0
    except OSError as error:
        discard_output()
        return fail(told(error))
    except MemoryError:
        discard_output()
        return fail("memory does not suffice: give the process more, or less to do at once")
    except KeyboardInterrupt:
        discard_output()
        sys.stderr.write("\nsparseembed: stopped; what was finished is kept, the same command goes on from there\n")
        return 130


def parser_of(loaded: Sequence[str]) -> argparse.ArgumentParser:
    """Make a parser that knows all commands by name, and the words and options of some.

    :param loaded: The commands whose modules are imported.
    """
    parser = Parser(
        prog="sparseembed",
        description="Sparse retrieval whose Lucene impact index is filled by an LLM's text embeddings.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-q", "--quiet", action="store_true", help=QUIET)
    parser.add_argument("--version", action="version", version=f"sparseembed {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=CommandParser)
    for name, about in COMMANDS.items():
        if name not in loaded:
            commands.add_parser(name, help=about.help)
            continue
        command = import_module(f"sparseembed.cli.{about.module}")
        sub = commands.add_parser(
            name,
            help=about.help,
            description=command.DESCRIPTION,
            epilog=command.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.advanced_examples = getattr(command, "ADVANCED_EXAMPLES", "")
        sub.add_argument("-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help=QUIET)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def _prepare(quiet: bool) -> None:
    """Make the process ready for work: who hears of it, and where its memory comes from."""
    import logging

    from sparseembed.cli.memory import keep_freed_memory
    from sparseembed.progress import ConsoleReporter, SilentReporter, set_reporter

    keep_freed_memory()
    set_reporter(SilentReporter() if quiet else ConsoleReporter())
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("sparseembed: %(levelname)s: %(message)s"))
    logger = logging.getLogger("sparseembed")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.ERROR if quiet else logging.WARNING)
    logger.propagate = False
