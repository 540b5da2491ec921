"""Analyzers by name. A new one is a new entry here."""

from collections.abc import Callable
from functools import cache

from sparseembed.analyzers.base import Analyzer
from sparseembed.errors import ConfigError

DEFAULT = "lucene-english"


def _english() -> Analyzer:
    from sparseembed.analyzers.english import EnglishAnalyzer

    return EnglishAnalyzer()


ANALYZERS: dict[str, Callable[[], Analyzer]] = {"lucene-english": _english}


@cache
def open_analyzer(name: str) -> Analyzer:
    """Return the analyzer of a name; one serves all threads.

    :param name: A key of `ANALYZERS`.
    :raises ConfigError: There is none of that name.
    """
    if name not in ANALYZERS:
        raise ConfigError(f"unknown analyzer {name!r}: analyzers are {', '.join(ANALYZERS)}")
    return ANALYZERS[name]()
