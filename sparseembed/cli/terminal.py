"""Hits and explanations for people at a terminal: marked words, bars, colours where there are any, within its width."""

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from sparseembed.cli.text import printable
from sparseembed.retrieval.association import LITERAL, MEANING, Mark

if TYPE_CHECKING:
    from sparseembed.retrieval.insight import Shown
    from sparseembed.serving.found import Found

LEGEND = "words of the query, and words that match by meaning"
_STYLES = {True: "bold yellow", False: "underline cyan"}  # literal or not: apart without colour too
_SIGNS = {True: "*", False: "_"}  # where there are no styles at all
_INDENT = 5
_LINES = 3  # of a passage
_WIDEST = 110
_BLANK = re.compile(r"\s")


def console() -> Console:
    """Return the terminal as rich sees it: NO_COLOR, TERM=dumb and COLUMNS are respected."""
    made = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=False)
    made.width = min(made.width, _WIDEST)
    return made


def show_hits(found: "Sequence[Found]", rescored: bool, out: Console | None = None) -> None:
    """Write hits: rank, title and score, and the part of a passage that says most for it.

    :param found: The hits.
    :param rescored: Whether scores are fractions.
    :param out: Where to; standard output when None.
    """
    out = out or console()
    for each in found:
        score = f"{each.score:.4f}" if rescored else f"{int(each.score)}"
        title = Text(printable(each.title), style="bold", overflow="ellipsis", no_wrap=True)
        title.truncate(max(out.width - _INDENT - len(score) - 2, 8), overflow="ellipsis")
        line = Text().append(f"{each.rank:>{_INDENT - 2}}  ", style="dim").append_text(title)
        line.append(" " * max(out.width - line.cell_len - len(score), 1))
        line.append(score, style="green")
        out.print(line, no_wrap=True, overflow="crop")
        if each.id != each.title:
            named = Text(printable(each.id), style="dim")
            named.truncate(max(out.width - _INDENT, 8), overflow="ellipsis")
            _indented(named, out)
        _passage(each, out)
    if found:
        told = marked(LEGEND, [Mark(0, 18, LITERAL, ""), Mark(24, len(LEGEND), MEANING, "")], _plain(out))
        _indented(Text().append("marked: ", style="dim").append_text(told), out)


def _passage(each: "Found", out: Console) -> None:
    from sparseembed.serving.found import excerpt

    shown = each.shown
    start = len(each.title) if shown.passage.startswith(each.title) else 0
    width = max(out.width - _INDENT, 16)
    part = excerpt(shown.passage, shown.marks, int(width * (_LINES - 0.5)), start)
    text = marked(part.text, part.marks, _plain(out))
    if part.cut_before:
        text = Text("… ") + text
    lines = text.wrap(out, width)
    for number, line in enumerate(lines[:_LINES]):
        if number + 1 == min(len(lines), _LINES) and (part.cut_after or len(lines) > _LINES):
            line.truncate(width - 2)
            line.append(" …")
        _indented(line, out)


def _indented(line: Text, out: Console) -> None:
    out.print(Padding(line, (0, 0, 0, _INDENT), expand=False))


def marked(text: str, marks: Sequence[Mark], plain: bool) -> Text:
    """Return a text on one line, with the words that matched marked: those of the query and others apart.

    :param text: The text; what a terminal would obey is left out.
    :param marks: The words, in order.
    :param plain: Whether to mark by signs, where there are no styles.
    """
    result = Text()
    end = 0

    def add(part: str, style: str = "") -> None:
        line = "".join(c if c.isprintable() else " " if _BLANK.match(c) else "" for c in part)
        line = re.sub(" +", " ", line)
        result.append(line.lstrip() if not len(result) or result.plain.endswith(" ") else line, style=style)

    for mark in marks:
        add(text[end : mark.start])
        word, literal = text[mark.start : mark.end], mark.kind == LITERAL
        add(f"{_SIGNS[literal]}{word}{_SIGNS[literal]}" if plain else word, "" if plain else _STYLES[literal])
        end = mark.end
    add(text[end:])
    return result


def show_bars(shown: "Shown", out: Console | None = None) -> None:
    """Write the shared terms of a document as bars: what its words earn, and what its embedding adds.

    :param shown: The document.
    :param out: Where to; standard output when None.
    """
    out = out or console()
    terms = shown.explanation.terms
    names = {term.term: printable(term.term) for term in terms}
    wide = min(max((Text(name).cell_len for name in names.values()), default=0), out.width // 3)
    room = max(out.width - wide - 14, 8)
    longest = max((term.score for term in terms), default=1)
    full, light = ("█", "▒") if out.encoding.lower().startswith("utf") else ("#", "-")
    for term in terms:
        literal = round(room * max(shown.words.get(term.term, 0), 0) / longest)
        whole = max(round(room * term.score / longest), 1)
        name = Text(names[term.term])
        name.truncate(wide, overflow="ellipsis", pad=True)
        line = Text().append_text(name).append(f" {term.score:>9,}  ", style="green")
        line.append(full * min(literal, whole), style="yellow").append(light * max(whole - literal, 0), style="cyan")
        out.print(line, no_wrap=True, overflow="crop")
    total = Text("sum")
    total.truncate(wide, pad=True)
    out.print(Text().append_text(total).append(f" {shown.explanation.by_terms:>9,}", style="bold green"))
    legend = Text().append(full, style="yellow").append(" by its words   ")
    out.print(legend.append(light, style="cyan").append(" by its embedding"))


def _plain(out: Console) -> bool:
    return out.is_dumb_terminal or not out.is_terminal
