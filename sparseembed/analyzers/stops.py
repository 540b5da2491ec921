"""Stop words by language: those of Lucene's analyzers, which are left out, and by which languages are told apart."""

import json
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("stop_words.json")
_POLISH = """
ale aby bardzo bez być był była było były co czy dla do gdy gdzie go ich ile im inne jak jako je jego jej jest jeszcze
jeśli już każdy kiedy która które którego których który którzy lub ma mają między może można na nad nie niż od oraz po
pod poza przed przez przy są się swoje ta tak także tam te tego tej ten to tu tych tylko tym tę we więc wszystkich
wszystko właśnie za ze został że żeby
"""  # for telling alone: Lucene's Polish analysis leaves no words out


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return a language's stop words; none where there is no list.

    :param language: Its code.
    """
    return frozenset(_lists().get(language, "").split())


@cache
def languages_of_words() -> dict[str, tuple[str, ...]]:
    """Return for each stop word the languages that have it."""
    found: dict[str, list[str]] = {}
    for language, words in {**_lists(), "pl": _POLISH}.items():
        for word in words.split():
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}


@cache
def _lists() -> dict[str, str]:
    lists: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
    return lists
