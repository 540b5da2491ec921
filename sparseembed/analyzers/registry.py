"""Analyzers by name. A new one is a new entry here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from sparseembed.analyzers.base import Analyzer
from sparseembed.analyzers.languages import CJK, ENGLISH, NAMES, UNICODE, WHITESPACE
from sparseembed.errors import ConfigError

DEFAULT = ENGLISH
IN_PYTHON = ("da", "de", "es", "fi", "fr", "hu", "it", "nl", "no", "pt", "ru", "sv")
"""Languages beside English whose analysis needs no Java."""


@dataclass(frozen=True)
class Entry:
    """An analyzer that has a name.

    :param open: Makes it.
    :param lucene: Name in Java of Lucene's own, which gives the same terms; None where Lucene has none.
    :param java: Whether it is Lucene's own that is opened, for which Java starts.
    """

    open: Callable[[], Analyzer]
    lucene: str | None = None
    java: bool = False


def _english() -> Analyzer:
    from sparseembed.analyzers.english import EnglishAnalyzer
    from sparseembed.analyzers.plain import PlainWords

    return PlainWords(EnglishAnalyzer())


def _whitespace() -> Analyzer:
    from sparseembed.analyzers.whitespace import WhitespaceAnalyzer

    return WhitespaceAnalyzer()


def _cjk() -> Analyzer:
    from sparseembed.analyzers.cjk import CjkAnalyzer
    from sparseembed.analyzers.plain import PlainContext

    return PlainContext(CjkAnalyzer(), width=False)


def _unicode() -> Analyzer:
    from sparseembed.analyzers.unicode import UnicodeAnalyzer

    return UnicodeAnalyzer()


def _lucene(code: str) -> Entry:
    def opened() -> Analyzer:
        from sparseembed.analyzers.lucene import LuceneAnalyzer
        from sparseembed.analyzers.plain import PlainContext

        # Japanese analysis sees to widths itself, by a dictionary that knows both.
        return PlainContext(LuceneAnalyzer(f"lucene-{NAMES[code]}", code), width=code != "ja")

    return Entry(opened, code, java=True)


def _european(code: str) -> Entry:
    def opened() -> Analyzer:
        from sparseembed.analyzers.european import european
        from sparseembed.analyzers.plain import PlainWords

        return PlainWords(european(code))

    return Entry(opened, code)


ANALYZERS: dict[str, Entry] = {
    DEFAULT: Entry(_english, "en"),
    **{f"lucene-{name}": _lucene(code) for code, name in NAMES.items() if code != "en"},
    **{f"lucene-{NAMES[code]}": _european(code) for code in IN_PYTHON},
    CJK: Entry(_cjk, "zh"),
    UNICODE: Entry(_unicode),
    WHITESPACE: Entry(_whitespace, "whitespace"),
}


@cache
def open_analyzer(name: str) -> Analyzer:
    """Return the analyzer of a name; one serves all threads.

    :param name: A key of `ANALYZERS`.
    :raises ConfigError: There is none of that name.
    """
    return known(name).open()


def known(name: str) -> Entry:
    """Return what is known of an analyzer.

    :param name: A key of `ANALYZERS`.
    :raises ConfigError: There is none of that name.
    """
    if name not in ANALYZERS:
        raise ConfigError(f"unknown analyzer {name!r}: analyzers are {', '.join(ANALYZERS)}")
    return ANALYZERS[name]
