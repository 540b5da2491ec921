"""Analysis of European languages in Python, each giving the terms of Lucene's own analyzer for it.

All have Lucene's words, lower case and the language's stop words; then a stemmer: Savoy's light ones, written anew
here, or those of Snowball, by the package snowballstemmer.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sparseembed.analyzers.base import WordAnalyzer
from sparseembed.analyzers.french import french
from sparseembed.analyzers.languages import NAMES
from sparseembed.analyzers.savoy import german, italian, normalized_german, portuguese, spanish
from sparseembed.analyzers.stops import stop_words
from sparseembed.analyzers.units import in_units
from sparseembed.analyzers.wordwise import Filter, FilteredWords, lowered

Stem = Callable[[str], str]

SAVOY: Mapping[str, Stem] = {
    "de": lambda word: german(normalized_german(word)),
    "es": spanish,
    "fr": french,
    "it": italian,
    "pt": portuguese,
}
SNOWBALL = ("da", "fi", "hu", "nl", "no", "ru", "sv")
_ARTICLES = {
    "fr": frozenset(["l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu"]),
    "it": frozenset(
        [
            "c",
            "l",
            "all",
            "dall",
            "dell",
            "nell",
            "sull",
            "coll",
            "pell",
            "gl",
            "agl",
            "dagl",
            "degl",
            "negl",
            "sugl",
            "un",
            "m",
            "t",
            "s",
            "v",
            "d",
        ]
    ),
}
_APOSTROPHES = "'\u2019"
# Words that Lucene's Dutch analysis takes out of the stemmer's hands.
_DUTCH = {"fiets": "fiets", "bromfiets": "bromfiets", "ei": "eier", "kind": "kinder"}


def european(language: str) -> WordAnalyzer:
    """Return the analyzer of a language.

    :param language: A code among `SAVOY` and `SNOWBALL`.
    """
    stem = in_units(SAVOY[language] if language in SAVOY else _snowball(language))
    return FilteredWords(f"lucene-{NAMES[language]}", _filter(stop_words(language), stem, _ARTICLES.get(language)))


def _filter(stops: frozenset[str], stem: Stem, articles: frozenset[str] | None) -> Filter:
    def term(surface: str) -> str | None:
        word = lowered(surface if articles is None else _without_article(surface, articles))
        return None if word in stops else stem(word)

    return term


def _without_article(word: str, articles: frozenset[str]) -> str:
    """Leave out an article that an apostrophe ties to its word: l'homme -> homme."""
    place = next((place for place, letter in enumerate(word) if letter in _APOSTROPHES), -1)
    return word[place + 1 :] if place >= 0 and word[:place].lower() in articles else word


def _snowball(language: str) -> Stem:
    stemmer = _stemmer(NAMES[language])
    if language != "nl":
        return stemmer
    return lambda word: _DUTCH.get(word) or stemmer(word)


@cache
def _stemmer(name: str) -> Stem:
    """Return a function that stems by Snowball; each call has a stemmer of its own, which threads must not share."""
    from importlib import import_module

    # Not by the package's own function, which takes another implementation where one is installed.
    kind: Any = getattr(import_module(f"snowballstemmer.{name}_stemmer"), f"{name.capitalize()}Stemmer")

    def stem(word: str) -> str:
        found: str = kind().stemWord(word)
        return found

    return stem
