"""Write docs/cli.md, the reference of the command line, from the parsers themselves.

    python docs/make_cli.py

A test compares the page with what this makes.
"""

import argparse
import re
from importlib import import_module
from pathlib import Path

from sparseembed.cli import COMMANDS, EPILOG
from sparseembed.cli.parser import CommandParser

PAGE = Path(__file__).with_name("cli.md")
HEAD = """\
# The command line

This page is made from the program's own parsers, by `python docs/make_cli.py`. `sparseembed COMMAND --help` says the
same on a terminal. [Commands by example](commands.md) shows the usual ones.

Exit status is 0 when a command did what was asked, 2 for a mistake in what was asked, and 130 when it was interrupted.
`--quiet` (`-q`), before or after the command, leaves results and errors only; `--version` prints the version.
"""


def page() -> str:
    """Return the page, as Markdown."""
    parts = [HEAD, _listing(), _code(EPILOG)]
    for name, about in COMMANDS.items():
        parts += _command(name, import_module(f"sparseembed.cli.{about.module}"))
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _listing() -> str:
    lines = ["| command | what it does |", "| --- | --- |"]
    for name, about in COMMANDS.items():
        lines.append(f"| [`{name}`](#{name}) | {_cell(about.help)} |")
    return "\n".join(lines)


def _command(name: str, module: object) -> list[str]:
    parser = CommandParser(prog=f"sparseembed {name}", add_help=False)
    module.add_arguments(parser)  # type: ignore[attr-defined]
    parts = [f"## {name}", _prose(module.DESCRIPTION)]  # type: ignore[attr-defined]
    for group in parser._action_groups:
        if actions := [each for each in group._group_actions if each.help is not argparse.SUPPRESS]:
            title = {"positional arguments": "", "options": ""}.get(group.title or "", group.title or "")
            parts.append("\n\n".join(part for part in (_sentence(title), _prose(group.description or "")) if part))
            parts.append(_table(parser, actions))
    return [part for part in (*parts, _code(module.EPILOG)) if part]  # type: ignore[attr-defined]


def _table(parser: CommandParser, actions: list[argparse.Action]) -> str:
    formatter = parser._get_formatter()
    rows = ["| | |", "| --- | --- |"]
    for action in actions:
        told = formatter._expand_help(action) if action.help else ""
        rows.append(f"| {_name(action)} | {_cell(told)} |")
    return "\n".join(rows)


def _name(action: argparse.Action) -> str:
    """Return an option with its value, or the name of a word."""
    choices = ", ".join(map(str, action.choices)) if action.choices else ""
    value = str(action.metavar or choices or action.dest.upper())
    if not action.option_strings:
        many = {"+": "...", "*": "..."}.get(str(action.nargs), "")
        return f"`{value}{many}`" + (" (may be left out)" if action.nargs in ("?", "*") else "")
    names = ", ".join(f"`{each}`" for each in action.option_strings)
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        return names
    value = f"[{value}]" if action.nargs == "?" else f"{value} ..." if action.nargs in ("+", "*") else value
    return f"{names} {value if choices and not action.metavar else f'`{value}`'}"


def _sentence(title: str) -> str:
    return f"**{title[:1].upper()}{title[1:]}**" if title else ""


def _prose(text: str) -> str:
    return _plain("\n".join(line.strip() for line in text.strip().splitlines()))


def _cell(text: str) -> str:
    return _plain(" ".join(text.split())).replace("|", "\\|")


def _plain(text: str) -> str:
    """Escape what Markdown or HTML would take for its own, outside of `code`."""
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_<\[\]])", r"\\\1", part) for part in re.split(r"(`[^`]*`)", text)
    )


def _code(text: str) -> str:
    lines = text.strip("\n").splitlines()
    if lines and lines[0] == "examples:":
        lines = lines[1:]
    return "```text\n" + "\n".join(line.removeprefix("  ") for line in lines) + "\n```" if lines else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
