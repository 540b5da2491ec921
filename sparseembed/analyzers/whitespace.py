"""Words between white space, as Lucene's WhitespaceTokenizer has them: for texts that are analysed already."""

import re
from collections.abc import Iterable

from sparseembed.analyzers.languages import WHITESPACE
from sparseembed.text import clean_text

# What Java counts as white space: the separators but for those that do not break, and six controls.
SPACE = re.compile("[\t-\r\x1c-\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]+")
_LONGEST = 255  # UTF-16 units after which the tokenizer cuts


class WhitespaceAnalyzer:
    """Each word is its own term: case, marks and spelling stay."""

    name = WHITESPACE

    def terms(self, text: str) -> list[str]:
        """Return a text's words, repetitions included."""
        return self.surfaces(text)

    def surfaces(self, text: str) -> list[str]:
        """Return a text's words; lone surrogates count as U+FFFD, and U+FFFF, which no index holds, as well."""
        words = filter(None, SPACE.split(clean_text(_whole(text)).replace("\uffff", "\ufffd")))
        return [piece for word in words for piece in _pieces(word)]

    def terms_of(self, surfaces: Iterable[str]) -> list[str | None]:
        """Return the words themselves."""
        return list(surfaces)


def _whole(text: str) -> str:
    """Join surrogates that are a pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _pieces(word: str) -> list[str]:
    """Cut a word after the character that makes it 255 UTF-16 units or more."""
    if (len(word) < _LONGEST and 2 * len(word) < _LONGEST) or (word.isascii() and len(word) <= _LONGEST):
        return [word]
    pieces, start, units = [], 0, 0
    for place, character in enumerate(word, 1):
        units += 1 + (character > "\uffff")
        if units >= _LONGEST:
            pieces.append(word[start:place])
            start, units = place, 0
    return pieces + [word[start:]] * (start < len(word))
