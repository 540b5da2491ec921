"""Chinese, Japanese and Korean text as pairs of neighbouring characters: the terms of Lucene's CJKAnalyzer.

No dictionary is needed: a word of two characters is a term, a longer one is the pairs in it. Other words stay whole.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sparseembed.analyzers.base import ContextAnalyzer, Token
from sparseembed.analyzers.languages import CJK
from sparseembed.analyzers.stops import stop_words
from sparseembed.analyzers.words import MARKS, Spans, find_spans
from sparseembed.analyzers.wordwise import lowered

_HANGUL = (
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7c6\ud7cb-\ud7fb\uffa0-\uffbe\uffc2-\uffc7"
    "\uffca-\uffcf\uffd2-\uffd7\uffda-\uffdc"
)
_KOREAN = re.compile(f"[{_HANGUL}]+")
# Kana for those of half the width, from U+FF65 on.
_WIDE_KANA = (
    "・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテト"
    "ナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u3099\u309a"
)
_WITH_VOICE = "カキクケコサシスセソタチツテトハヒフヘホ"
_VOICED = {
    **{ord(kana): chr(ord(kana) + 1) for kana in _WITH_VOICE},
    **{ord(kana): voiced for kana, voiced in zip("ウヽワヰヱヲ", "ヴヾヷヸヹヺ", strict=True)},
}
_HALF_VOICED = {ord(kana): chr(ord(kana) + 2) for kana in "ハヒフヘホ"}


class CjkAnalyzer(ContextAnalyzer):
    """Pairs of characters in runs of Han, Hiragana, Katakana and Hangul; a character alone is a term by itself."""

    name = CJK

    def tokens_of_parts(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each text."""
        stops = stop_words("zh")
        return [[token for token in _tokens(find_spans(text)) if token.term not in stops] for text in texts]


def _tokens(found: Spans) -> Iterator[Token]:
    run: list[tuple[str, int, int]] = []  # characters, each with the place that it has in the text
    for start, end in found.spans:
        word = found.text[start:end]
        term = lowered(in_one_width(word))
        if is_cjk(word, found.classes[start:end]):
            if run and run[-1][2] != start:
                yield from _pairs(run, found.text)
                run = []
            if len(term) == len(word):
                run += [(character, start + place, start + place + 1) for place, character in enumerate(term)]
            else:
                run += [(character, start, end) for character in term]
            continue
        yield from _pairs(run, found.text)
        run = []
        yield Token(word, term)
    yield from _pairs(run, found.text)


def _pairs(run: list[tuple[str, int, int]], text: str) -> Iterator[Token]:
    if len(run) == 1:
        character, start, end = run[0]
        yield Token(text[start:end], character)
    for (first, start, _), (second, _, end) in pairwise(run):
        yield Token(text[start:end], first + second)


def is_cjk(word: str, classes: str) -> bool:
    """Say whether a word is of characters that make pairs.

    :param word: A word.
    :param classes: The classes of its characters.
    """
    if classes[0] not in "IKL":
        return False
    bare = classes.translate(_NO_MARKS)
    return bare in ("I", "K") or not bare.strip("K") or (not bare.strip("L") and _all_hangul(word, classes))


_NO_MARKS = dict.fromkeys(map(ord, MARKS))


def _all_hangul(word: str, classes: str) -> bool:
    letters = "".join(letter for letter, kind in zip(word, classes, strict=True) if kind == "L")
    return bool(letters) and _KOREAN.fullmatch(letters) is not None


def in_one_width(word: str) -> str:
    """Write full-width ASCII and half-width kana in their usual width.

    :param word: A word.
    """
    if word.isascii() or not any("\uff01" <= character <= "\uff9f" for character in word):
        return word
    out: list[str] = []
    for character in word:
        if "\uff01" <= character <= "\uff5e":
            out.append(chr(ord(character) - 0xFEE0))
        elif "\uff65" <= character <= "\uff9f":
            voiced = {"\uff9e": _VOICED, "\uff9f": _HALF_VOICED}.get(character, {})
            if out and ord(out[-1]) in voiced:
                out[-1] = voiced[ord(out[-1])]
            else:
                out.append(_WIDE_KANA[ord(character) - 0xFF65])
        else:
            out.append(character)
    return "".join(out)
