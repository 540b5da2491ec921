"""Parsers that take the words of a command in any order, and tell a mistake in one line."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from sparseembed.cli.text import printable

_NUMBER = re.compile(r"-\.?\d.*")
# What stands for a value that names a place: a shell leaves the ~ of --out=~/x alone.
_PLACES = frozenset({"INDEX", "DATASET", "FILE", "DIR", "PART", "REPORT", "ADAPTER", "OUT.trec"})


class Parser(argparse.ArgumentParser):
    """Tells a user's mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2.

        :param message: What is wrong.
        """
        self.exit(2, f"{self.prog}: error: {printable(message)} (see {self.prog} --help)\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)  # argparse itself says nothing of a stream that cannot be written


class CommandParser(Parser):
    """Takes options before, between and after the words of a command; argparse gets them in the order that it knows.

    A word that begins with a dash is an option, or the beginning of one alone; it is no option where it is a number,
    holds white space, or comes after `--`. Options of an `advanced` group are taken as any other, and told of by
    --advanced-help alone.
    """

    advanced_examples = ""
    """What --advanced-help shows below the epilog."""

    _advanced: "list[argparse._ArgumentGroup] | None" = None

    def advanced(self, title: str, description: str | None = None) -> "argparse._ArgumentGroup":
        """Add a group of options that newcomers need not know.

        :param title: Its title.
        :param description: What they have in common.
        """
        if self._advanced is None:
            self._advanced = []
            told = "also show the options for those who know the method"
            self.add_argument("--advanced-help", action=_AdvancedHelp, nargs=0, help=told)
        group = self.add_argument_group(title, description)
        self._advanced.append(group)
        return group

    def format_help(self) -> str:
        """Return the help, without advanced groups."""
        with self._without_advanced():
            return super().format_help()

    def format_usage(self) -> str:
        """Return the line of usage, without advanced groups."""
        with self._without_advanced():
            return super().format_usage()

    def format_advanced_help(self) -> str:
        """Return the help with all options."""
        return super().format_help() + self.advanced_examples

    @contextmanager
    def _without_advanced(self) -> Iterator[None]:
        groups = self._advanced or []
        told = [(group, group.description) for group in groups]
        actions = [(action, action.help) for group in groups for action in group._group_actions]
        try:
            for group in groups:
                group.description = None
            for action, _ in actions:
                action.help = argparse.SUPPRESS
            yield
        finally:
            for group, description in told:
                group.description = description
            for action, text in actions:
                action.help = text

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse, as argparse does; a leading ~ in what names a place is the user's home."""
        found, extras = super().parse_known_args(self._arranged(list(args or ())), namespace)
        if extras:
            self.error(f"{' '.join(extras)}: more than {self._takes()}; quote a text of several words")
        for action in self._actions:
            if action.metavar in _PLACES:
                setattr(found, action.dest, _place(getattr(found, action.dest, None)))
        return found, []

    def _arranged(self, words: list[str]) -> list[str]:
        """Return the words with what is no option's together: in front, or behind `--` where a dash begins one."""
        options: list[str] = []
        plain: list[tuple[int, str]] = []
        last_of_many: list[tuple[int, int]] = []  # place in `options`, place in `words`
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            if word == "--":
                plain += enumerate(words[at:], at)
                break
            action, attached = self._option(word)
            if action is None:
                plain.append((at, word))
                continue
            options.append(word)
            if attached:
                continue
            count = self._values(word, action, words[at:])
            if count > 1:
                last_of_many.append((len(options) + count - 1, at + count - 1))
            options += words[at : at + count]
            at += count
        self._give_back(options, plain, last_of_many)
        named = [word for _, word in sorted(plain)]
        if "--" in named:
            self.error("a second -- is no word of a command: leave it out")
        if any(word.startswith("-") for word in named):
            return [*options, "--", *named]
        return [*named, *options]

    def _give_back(self, options: list[str], plain: list[tuple[int, str]], ends: list[tuple[int, int]]) -> None:
        """Take the last value of an option that takes several where a word of the command is missing."""
        needed = sum(not each.option_strings and each.nargs in (None, "+") for each in self._actions)
        while len(plain) < needed and ends:
            place, number = ends.pop()
            plain.append((number, options.pop(place)))

    def _option(self, word: str) -> tuple[argparse.Action | None, bool]:
        """Return the option that a word is, and whether its value is attached; None where it is none."""
        known = self._option_string_actions
        if not word.startswith("-") or word == "-" or _NUMBER.fullmatch(word):
            return None, False
        if word in known:
            return known[word], False
        name, equals, _ = word.partition("=")
        if name in known:
            return known[name], True
        if any(map(str.isspace, name)):
            return None, False
        if not word.startswith("--"):
            if word[:2] in known:
                return known[word[:2]], True
        else:
            alike = {id(known[each]): each for each in known if each.startswith(name)}
            if len(alike) == 1:
                return known[next(iter(alike.values()))], bool(equals)
            if alike:
                self.error(f"ambiguous option: {name} could match {', '.join(alike.values())}")
        words = [each.metavar for each in self._actions if not each.option_strings]
        tip = f"; a word ({words[-1]}) that begins with a dash comes after --, as in: -- {word}" if words else ""
        self.error(f"there is no option {word}{tip}")

    def _values(self, word: str, action: argparse.Action, following: list[str]) -> int:
        """Count the values of an option among the words after it."""
        if action.nargs == 0:
            return 0
        count = 0
        for value in following:
            if value == "--" or self._looks_like_option(value) or (action.nargs is None and count == 1):
                break
            if action.nargs == "+" and action.choices is not None and count and value not in action.choices:
                break
            count += 1
        if action.nargs is None and not count and following and following[0].startswith("-"):
            value = following[0]
            fits = word.startswith("--") and value != "--" and value not in self._option_string_actions
            tip = f"; one that begins with a dash is written {word}={value}" if fits else ""
            self.error(f"argument {word}: expected one argument{tip}")
        return count

    def _looks_like_option(self, word: str) -> bool:
        plain = not word.startswith("-") or word == "-" or _NUMBER.fullmatch(word)
        return not plain and not any(map(str.isspace, word.partition("=")[0]))

    def _takes(self) -> str:
        words = [str(each.metavar) for each in self._actions if not each.option_strings]
        return f"the words of the command ({', '.join(words)})" if words else "the command takes"


class _AdvancedHelp(argparse.Action):
    """Shows the help with all options, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        assert isinstance(parser, CommandParser)
        parser._print_message(parser.format_advanced_help(), sys.stdout)
        parser.exit()


def advanced_group(
    parser: argparse.ArgumentParser, title: str, description: str | None = None
) -> "argparse._ArgumentGroup":
    """Add a group of options that newcomers need not know; a parser that is none of ours shows them as any other."""
    if isinstance(parser, CommandParser):
        return parser.advanced(title, description)
    return parser.add_argument_group(title, description)


def _place(value: Any) -> Any:
    if isinstance(value, list):
        return [_place(each) for each in value]
    if not isinstance(value, str) or not value.startswith("~"):
        return value
    from sparseembed.files import expanded

    return str(expanded(value))
