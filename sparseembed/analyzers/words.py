"""A text's words, as Lucene's StandardTokenizer finds them.

They are the words of UAX #29 (https://www.unicode.org/reports/tr29/), with runs of Thai, Lao, Khmer or Burmese left
whole, each Han and Hiragana character a word, emoji as in UTS #51, and no words of punctuation. The tokenizer has a few
ways of its own; where they differ from the standard, the rules below follow the tokenizer.

Each character becomes one letter, that of its class, and a regular expression over the letters finds the words:

    L  letter                H  Hebrew letter       K  Katakana             N  digit         E  connector, such as _
    I  Han or Hiragana       S  Thai and the like   t  mark of S            x  other mark or format character
    C  pictograph            D  both L and C        M  skin tone            R  regional indicator
    z  zero-width joiner     k  enclosing keycap    b  base of a keycap     V  emoji selector
    v  text selector         g  emoji tag           G  end of the tags      O  other
    s  '    q  "    p  full stop and the like    m  colon and the like    c  comma and the like

The tokenizer looks 255 UTF-16 units ahead of the start of a word and no farther, so that longer words come in pieces.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from sparseembed.analyzers.english_tables import RUNS

LONGEST = 255
"""UTF-16 units of the longest word."""

_PART = 1 << 16  # characters of a text that are looked through at once: a place costs some 130 bytes
_EDGE = re.compile(r"[ \t\r\n](?=\S)|[\u3041-\u3096\u4e00-\u9fff](?=[\u3041-\u3096\u4e00-\u9fff])")
MARKS = "xtzkvVMgG"
"""Classes of what follows a character and is no word by itself."""

_MARKS = f"[{MARKS}]*+"  # what may follow any character of a word
_EMOJI_MARKS = "[xtzkMgG]*+"  # the same within emoji, where the selectors have places of their own
_AT_MOST = f"{{0,{LONGEST}}}+"  # for what may open a word, lest a long row be read again from each of its characters


def find_words(text: str) -> list[str]:
    """Split a text into words.

    :param text: Any string; lone surrogates stand between words, as U+FFFD does.
    :return: The words in the order of the text, as they stand there; of a long text each as one and the same object.
    """
    if len(text) <= _PART:
        return _words(text)
    once: dict[str, str] = {}
    return [once.setdefault(word, word) for part in _parts(text) for word in _words(part)]


def _parts(text: str) -> Iterator[str]:
    """Cut a long text where no word goes on: behind a space, or between two characters that are words by themselves."""
    start, place, classes = 0, _PART, _classes()
    while found := _EDGE.search(text, place):
        place = found.end()
        if text[place].translate(classes) not in MARKS:
            yield text[start:place]
            start, place = place, place + _PART
    yield text[start:]


def _words(text: str) -> list[str]:
    if text.isascii():
        words: list[str] = _ascii_words().findall(text)
        if len(max(words, key=len, default="")) <= LONGEST:
            return words
    found = find_spans(text)
    return [found.text[start:end] for start, end in found.spans]


class Spans(NamedTuple):
    """Where the words of a text stand.

    :param text: The text, lone surrogates replaced.
    :param classes: The letter of each character's class.
    :param spans: First place of each word, and the place behind it.
    """

    text: str
    classes: str
    spans: list[tuple[int, int]]


def find_spans(text: str) -> Spans:
    """Find the places of a text's words.

    :param text: Any string.
    """
    if not text.isascii():
        text = _whole_characters(text)
    classes = text.translate(_classes())  # a string is a table by its code points
    if "D" not in classes:
        spans = [found.span() for found in _patterns().any_word.finditer(classes)]
        if all(end - start <= LONGEST // 2 for start, end in spans):
            return Spans(text, classes, spans)
    return Spans(text, classes, list(_one_by_one(text, classes)))


@cache
def _ascii_words() -> re.Pattern[str]:
    """Compile the rule for texts in ASCII: letters, digits and _, with one mark between letters or between digits."""
    mark = "(?<=[A-Za-z])[.':](?=[A-Za-z])|(?<=[0-9])[.,;'](?=[0-9])"
    return re.compile(rf"\b_*+[A-Za-z0-9]\w*+(?:(?:{mark})\w+)*", re.ASCII)


class _Patterns(NamedTuple):
    """Compiled rules."""

    any_word: Any
    word: Any
    emoji: Any


@cache
def _patterns() -> _Patterns:
    """Compile the rules, which texts in ASCII do not need.

    By the package regex: before Python 3.11.5 the standard library's re lets a possessive group keep what its last,
    failed turn has read.
    """
    import regex

    word, emoji = _word(), _emoji()
    others = (f"I{_MARKS}", "[St][SxtzkvVMgG]*+", f"R{_MARKS}R{_MARKS}", _keycap(), emoji)
    any_word = f"(?=[LHDNEKIStzMRCb])(?:{'|'.join((word, *others))})"  # looking ahead passes other characters faster
    return _Patterns(*map(regex.compile, (any_word, word, emoji)))


@cache
def _classes() -> str:
    """Unfold the table: the letter of each code point at its place."""
    return "".join(run[0] * int(run[1:]) for run in RUNS.split())


def _word() -> str:
    """Give the rule for words of letters, digits and connectors; Katakana joins others across a connector only."""
    letter, hebrew, digit = f"[LHD]{_MARKS}", f"H{_MARKS}", f"N{_MARKS}"
    runs = (
        f"{hebrew}(?:q{_MARKS}{hebrew}|s{_MARKS})",  # in H"H, the second H opens no further run
        f"(?:L++|[HD]){_MARKS}(?:[mps]{_MARKS}{letter})*+",
        f"N++{_MARKS}(?:[cps]{_MARKS}{digit})*+",
    )
    piece = f"(?:(?:K{_MARKS})++|(?:{'|'.join(runs)})++)"
    connectors = f"(?:E{_MARKS})"
    return f"{connectors}{_AT_MOST}{piece}(?:{connectors}++{piece})*+{connectors}*+"


def _emoji() -> str:
    """Give the rule for pictographs, with tags or joined to others; a skin tone may stand for a pictograph."""
    picture, tone = f"[CD]{_EMOJI_MARKS}", f"M{_EMOJI_MARKS}"
    tagged = f"{picture}Vg++G"
    # A joiner is the last of the marks, or follows a selector.
    joined = f"{picture}(?:(?<=z)(?=[CD])|Vz++(?=[CD])|Vz(?=M))|{tone}(?<=z)(?=[CD])"
    return f"(?:z{_AT_MOST}(?=[CD]))?(?:{tagged}|(?:{joined})*+(?:{picture}V?|{tone}))"


def _keycap() -> str:
    """Give the rule for # or * in a keycap; digits in keycaps are words anyway."""
    return f"b(?:{_EMOJI_MARKS}Vk{_EMOJI_MARKS}|[xtzMgG]*+k{_EMOJI_MARKS})"


def _one_by_one(text: str, classes: str) -> Iterator[tuple[int, int]]:
    """Find words as the tokenizer does: at each place the longest, of at most 255 units."""
    start = 0
    while start < len(text):
        end = _longest(classes, start, start + LONGEST)
        if end - start > LONGEST // 2:
            end = _longest(classes, start, start + _characters_within(text[start : start + LONGEST]))
        if end > start:
            yield start, end
        start = max(end, start + 1)


def _longest(classes: str, start: int, limit: int) -> int:
    """Give the end of the longest word that starts at a place and ends before a limit; the place if there is none."""
    patterns = _patterns()
    rules = (patterns.word, patterns.emoji) if classes[start] == "D" else (patterns.any_word,)
    return max((found.end() for rule in rules if (found := rule.match(classes, start, limit))), default=start)


def _characters_within(text: str) -> int:
    """Count the characters that lie wholly within the first 255 UTF-16 units of a text."""
    if text.isascii() or max(text) <= "\uffff":
        return len(text)
    return len(text.encode("utf-16-le")[: 2 * LONGEST].decode("utf-16-le", "ignore"))


def _whole_characters(text: str) -> str:
    """Join surrogates that are a pair, and write U+FFFD for others, as Java does when it reads them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
