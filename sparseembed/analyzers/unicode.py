"""Words of any language without knowing it: Unicode's words, folded; nothing is stemmed and no word is left out.

Words are those of UAX #29, as Lucene's tokenizer has them. Folding is like that of ICU: NFKC and case folding,
invisible characters left out, letters without their accents, points and strokes (é, ё, ł), but with what makes them
other letters in their script (が, ก่). Runs of Han, kana and Hangul become pairs of neighbouring characters, and runs of
Thai, Lao, Khmer and Burmese pairs of neighbouring clusters (a consonant with its vowels and marks): words are found by
their pairs, without a dictionary.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from unicodedata import category, combining, normalize

from sparseembed.analyzers.base import ContextAnalyzer, Token
from sparseembed.analyzers.cjk import is_cjk
from sparseembed.analyzers.languages import UNICODE
from sparseembed.analyzers.words import find_spans
from sparseembed.analyzers.wordwise import LONGEST
from sparseembed.text import stream_safe

_STROKES = str.maketrans("øłđħŧıʼ’", "oldhti''")
_BEFORE = "\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4"  # vowels written before their consonant
_AFTER = "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"  # vowels that are letters of their own
_JOINING = "\u1039\u17d2"  # the next consonant is written below
_HALF_WIDTH = re.compile("[\uff65-\uffdc]+")  # kana and Hangul
_CACHE_LIMIT = 250_000
_ACCENTS = (range(10, 36), range(200, 241))  # combining classes: points of Hebrew and Arabic; above, below, through


class UnicodeAnalyzer(ContextAnalyzer):
    """Folded words. May be used by several threads and across a fork."""

    name = UNICODE

    def __init__(self) -> None:
        self._folded: dict[str, str] = {}

    def tokens_of_parts(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each text."""
        return [list(self._tokens(text)) for text in texts]

    def _tokens(self, text: str) -> Iterator[Token]:
        for surface in _surfaces(text):
            term = self._folded.get(surface)
            if term is None:
                if len(self._folded) >= _CACHE_LIMIT:
                    self._folded = {}
                term = self._folded[surface] = fold(surface)
            if term:
                yield Token(surface, term)


def fold(word: str) -> str:
    """Fold a word.

    :param word: A word.
    :return: What all its spellings have in common; empty where nothing is left.
    """
    folded = "".join(word.casefold().split()) if word.isascii() else _fold(word)
    return folded[:LONGEST]


def _fold(word: str) -> str:
    visible = "".join(character for character in word if not _is_invisible(character))
    folded = normalize("NFKC", normalize("NFKC", visible).casefold())
    bare = "".join(character for character in normalize("NFD", folded) if not _is_accent(character))
    return "".join(normalize("NFC", bare).translate(_STROKES).split())


def _is_invisible(character: str) -> bool:
    return category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f" or character == "\u034f"


def _is_accent(character: str) -> bool:
    return any(combining(character) in classes for classes in _ACCENTS)


def _surfaces(text: str) -> Iterator[str]:
    """Yield words, and the pairs of runs without spaces."""
    text = _HALF_WIDTH.sub(lambda run: normalize("NFKC", run[0]), stream_safe(text))
    found = find_spans(normalize("NFC", text))
    run: list[str] = []  # characters or clusters that stand beside each other
    end, kind = -1, ""
    for first, last in found.spans:
        word, classes = found.text[first:last], found.classes[first:last]
        if is_cjk(word, classes):
            parts = _characters(word)
        elif classes[0] == "S":
            parts = _clusters(word)
        else:
            parts = []
        if run and (first != end or not parts or (classes[0] == "S") != (kind == "S")):
            yield from _pairs(run)
            run = []
        run += parts
        end, kind = last, classes[0]
        if not parts:
            yield word
    yield from _pairs(run)


def _pairs(run: list[str]) -> Iterator[str]:
    if len(run) == 1:
        yield run[0]
    yield from (first + second for first, second in pairwise(run))


def _characters(word: str) -> list[str]:
    """Take a word apart, marks with their letters."""
    parts: list[str] = []
    for character in word:
        if parts and category(character)[0] in "MC":
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _clusters(word: str) -> list[str]:
    """Take a word of Thai, Lao, Khmer or Burmese apart: consonants with their vowels, marks and what is below them."""
    parts: list[str] = []
    before = ""
    for character in _characters(word):
        joined = bool(parts) and (parts[-1][-1] in _JOINING or character[0] in _AFTER)
        if character[0] in _BEFORE:
            before += character
        elif joined and not before:
            parts[-1] += character
        else:
            parts.append(before + character)
            before = ""
    return parts + [before] * bool(before)
