"""One spelling for characters that look the same: what is done to a text before words are looked for in it.

Canonical composition (NFC); soft hyphens, word joiners and byte-order marks left out; Latin ligatures taken apart; and
full-width letters, digits and marks in their usual width, unless the analysis that follows sees to that itself. A text
without such characters, all of ASCII for one, stays as it is.
"""

import re
from collections.abc import Iterable, Sequence
from unicodedata import is_normalized, normalize

from sparseembed.analyzers.base import ContextAnalyzer, Token, WordAnalyzer
from sparseembed.text import stream_safe

_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "Ĳ": "IJ", "ĳ": "ij"}
_TABLE: dict[int, str | None] = {
    **dict.fromkeys([0xAD, 0x2060, 0xFEFF]),
    **{ord(one): several for one, several in _LIGATURES.items()},
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
}
_WIDE = "\uff01-\uff5e"
_OTHERS = "\u00ad\u2060\ufeff\ufb00-\ufb06\u0132\u0133"
_ANY, _NARROW = re.compile(f"[{_OTHERS}{_WIDE}]"), re.compile(f"[{_OTHERS}]")


def plain(text: str, width: bool = True) -> str:
    """Give a text its one spelling.

    :param text: Any string.
    :param width: Whether full-width characters are changed too.
    :return: The text, the same where it is in ASCII.
    """
    if text.isascii():
        return text
    text = stream_safe(text)
    if not is_normalized("NFC", text):
        text = normalize("NFC", text)
    pattern = _ANY if width else _NARROW
    return pattern.sub(_replaced, text) if pattern.search(text) else text


def replacements(width: bool = True) -> dict[str, str]:
    """Return what `plain` writes in place of single characters, for programs that are to do the same.

    :param width: As in `plain`.
    :return: Character -> what stands for it, perhaps nothing; composition (NFC) aside.
    """
    pattern = _ANY if width else _NARROW
    return {chr(code): to or "" for code, to in _TABLE.items() if pattern.match(chr(code))}


def _replaced(found: re.Match[str]) -> str:
    return _TABLE[ord(found[0])] or ""


class PlainWords:
    """An analyzer behind `plain`, word by word."""

    def __init__(self, inner: WordAnalyzer) -> None:
        """Take the analyzer.

        :param inner: What the texts go to.
        """
        self.name, self._inner = inner.name, inner

    def terms(self, text: str) -> list[str]:
        """Return a text's terms, repetitions included."""
        return self._inner.terms(plain(text))

    def surfaces(self, text: str) -> list[str]:
        """Return the tokens of the plain text as they stand there."""
        return self._inner.surfaces(plain(text))

    def terms_of(self, surfaces: Iterable[str]) -> list[str | None]:
        """Return the term of each token; None for one that is left out."""
        return self._inner.terms_of(surfaces)


class PlainContext(ContextAnalyzer):
    """An analyzer behind `plain` that minds what stands beside a word."""

    def __init__(self, inner: ContextAnalyzer, width: bool) -> None:
        """Take the analyzer.

        :param inner: What the texts go to.
        :param width: As in `plain`.
        """
        self.name, self._inner, self._width = inner.name, inner, width

    def tokens_of_parts(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each text."""
        return self._inner.tokens_of_each([plain(text, self._width) for text in texts])
