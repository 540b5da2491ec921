"""`sparseembed completion`: a script that completes commands, options and files in a shell."""

import argparse
import sys

from sparseembed.cli.commands import COMMANDS

DESCRIPTION = """\
Print a script that lets a shell complete commands, options, their choices, and files. It is made from the parsers of
this version: print it again after an update.
"""
EPILOG = """\
examples:
  sparseembed completion bash > ~/.local/share/bash-completion/completions/sparseembed
  sparseembed completion zsh > ~/.zfunc/_sparseembed        with fpath+=(~/.zfunc) before compinit in ~/.zshrc
  sparseembed completion fish > ~/.config/fish/completions/sparseembed.fish
"""
_FOLDERS = frozenset({"INDEX", "DIR", "PART", "ADAPTER"})
_FILES = frozenset({"DATASET", "FILE", "REPORT", "OUT.trec", "E", "A"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")


def run(options: argparse.Namespace) -> None:
    """Print the script."""
    import shtab

    from sparseembed.cli import parser_of

    parser = parser_of(tuple(COMMANDS))
    for sub in subparsers(parser).values():
        for action in sub._actions:
            if action.metavar in _FOLDERS:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
            elif action.metavar in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(parser, options.shell) + "\n")


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands, by their names."""
    actions = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return dict(next(actions).choices)
