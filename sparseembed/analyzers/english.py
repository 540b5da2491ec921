"""Lucene's analysis of English text, without Java: the terms are those of Anserini's default analyzer."""

from collections.abc import Iterable

from sparseembed.analyzers.porter import stem
from sparseembed.analyzers.words import find_words
from sparseembed.analyzers.wordwise import lowered

ANALYZER_NAME = "lucene-english"
"""Names the analyzer in manifests; the terms are Lucene's, whichever program makes them."""

_CACHE_LIMIT = 250_000  # tokens, about 40 MB
_STOP_WORDS = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was
will with
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Lucene's English stop words."""

_POSSESSIVES = tuple(apostrophe + s for apostrophe in "'\u2019\uff07" for s in "sS")


class EnglishAnalyzer:
    """Words as Lucene's StandardTokenizer has them; then possessive, lower case, stop words, Porter stemmer.

    An analyzer may be used by several threads and across a fork.
    """

    name = ANALYZER_NAME

    def __init__(self) -> None:
        self._term_of = _Terms()

    def terms(self, text: str) -> list[str]:
        """Analyze a text.

        :param text: Any string; lone surrogates count as U+FFFD.
        :return: The stemmed terms in the order of the text, repetitions included, stop words left out.
        """
        # No term is empty, so that only the None of stop words is filtered out.
        return list(filter(None, map(self._term_of.__getitem__, find_words(text))))

    def surfaces(self, text: str) -> list[str]:
        """Split a text into tokens as they stand there: case kept, stop words and endings too.

        :param text: Any string.
        :return: The tokens; `terms` is what `term_of` makes of them, None left out.
        """
        return find_words(text)

    def term_of(self, surface: str) -> str | None:
        """Give the term of one token.

        :param surface: A token from `surfaces`.
        :return: Its term; None for a stop word.
        """
        return self._term_of[surface]

    def terms_of(self, surfaces: Iterable[str]) -> list[str | None]:
        """Give the terms of many tokens.

        :param surfaces: Tokens from `surfaces`.
        :return: For each its term, None for a stop word.
        """
        return list(map(self._term_of.__getitem__, surfaces))


class _Terms(dict[str, str | None]):
    """The terms of the tokens seen so far; each is worked out when it is first asked for."""

    def __missing__(self, surface: str) -> str | None:
        if len(self) >= _CACHE_LIMIT:
            self.clear()
        term = self[surface] = _term(surface)
        return term


def _term(surface: str) -> str | None:
    """Take a token through the filters."""
    if surface.endswith(_POSSESSIVES):
        surface = surface[:-2]
    word = lowered(surface)
    return None if not word or word in STOP_WORDS else stem(word)
