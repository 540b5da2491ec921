"""Analysis word by word in Python, as Lucene has it for a language: words, then what becomes of each."""

from collections.abc import Callable, Iterable

from sparseembed.analyzers.words import find_words

_CACHE_LIMIT = 250_000  # tokens, about 40 MB
LONGEST = 255
"""Characters of the longest term; folding may make a word longer, and the rest is cut."""

Split = Callable[[str], list[str]]
Filter = Callable[[str], str | None]


class FilteredWords:
    """Words of a text, each taken through a function once. May be used by several threads and across a fork."""

    def __init__(self, name: str, term: Filter, split: Split = find_words) -> None:
        """Take what makes words, and terms of them.

        :param name: Names the analyzer in manifests.
        :param term: A word -> its term; None or an empty string for a word that is left out.
        :param split: A text -> its words.
        """
        self.name, self._split = name, split
        self._term_of = _Terms(term)

    def terms(self, text: str) -> list[str]:
        """Return a text's terms, repetitions included."""
        return list(filter(None, map(self._term_of.__getitem__, self._split(text))))

    def surfaces(self, text: str) -> list[str]:
        """Return a text's words as they stand there."""
        return self._split(text)

    def term_of(self, surface: str) -> str | None:
        """Return the term of one word; None for one that is left out."""
        return self._term_of[surface]

    def terms_of(self, surfaces: Iterable[str]) -> list[str | None]:
        """Return the term of each word; None for one that is left out."""
        return list(map(self._term_of.__getitem__, surfaces))


class _Terms(dict[str, str | None]):
    """The terms of the words seen so far; each is worked out when it is first asked for."""

    def __init__(self, term: Filter) -> None:
        self._term = term

    def __missing__(self, surface: str) -> str | None:
        if len(self) >= _CACHE_LIMIT:
            self.clear()
        term = self._term(surface)
        term = self[surface] = term[:LONGEST] if term else None
        return term


def lowered(word: str) -> str:
    """Lower the case of each character by itself, as Java does.

    Python's `lower` minds the end of a word, and takes U+0130 apart.

    :param word: The word.
    """
    low = word.lower()
    if low.isascii() or not ("\u03a3" in word or "\u0130" in word):
        return low
    return "".join("i" if character == "\u0130" else character.lower() for character in word)
