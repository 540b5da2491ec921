"""Text to terms, exactly as Anserini does it for English: the terms that a plain Lucene match query would use."""

from collections.abc import Iterable, Sequence
from typing import Any

from sparseembed.java.analyzers import Part, lucene_analyzer
from sparseembed.java.jvm import in_threads, java, java_errors, safe_text

ANALYZER_NAME = "lucene-english"
"""Names the analyzer in manifests."""

_CACHE_LIMIT = 2_000_000
_ONE_A_LINE = ("pattern.PatternTokenizer", {"pattern": "\n", "group": "-1"})


class EnglishAnalyzer:
    """Anserini's default English analyzer: standard tokenizer, possessive, lower case, stop words, Porter stemmer."""

    name = ANALYZER_NAME

    def __init__(self) -> None:
        with java_errors("setting up the English analyzer"):
            self._analyze = java("io.anserini.analysis.AnalyzerUtils").analyze
            self._listed = java("java.util.Objects").toString
            self._full = java("io.anserini.analysis.DefaultEnglishAnalyzer").newDefaultInstance()
            self._tokens = lucene_analyzer(("standard.StandardTokenizer", {}))
            lowered: tuple[Part, ...] = (_ONE_A_LINE, ("en.EnglishPossessiveFilter", {}), ("core.LowerCaseFilter", {}))
            self._lowered = lucene_analyzer(*lowered)
            self._stemmed = lucene_analyzer(*lowered, ("en.PorterStemFilter", {}))
            stop_words = java("org.apache.lucene.analysis.en.EnglishAnalyzer").ENGLISH_STOP_WORDS_SET.toString()
        self._stop_words = frozenset(stop_words[1:-1].split(", "))
        self._term_of: dict[str, str | None] = {}

    def terms(self, text: str) -> list[str]:
        """Analyze a text.

        :param text: any string; lone surrogates count as U+FFFD.
        :return: the stemmed terms in the order of the text, repetitions included, stop words left out.
        """
        return self._split(self._full, text)

    def terms_many(self, texts: Sequence[str], threads: int = 1) -> list[list[str]]:
        """Analyze many texts; the same as `terms` of each.

        :param texts: the texts.
        :param threads: number of texts analyzed at the same time.
        :return: one list of terms a text.
        """
        return in_threads(self.terms, texts, threads)

    def surfaces(self, text: str) -> list[str]:
        """Split a text into tokens as they stand there: case kept, stop words and endings too.

        :param text: any string.
        :return: the tokens; `terms` is what `term_of` makes of them, those that give None left out.
        """
        return self._split(self._tokens, text)

    def term_of(self, surface: str) -> str | None:
        """Give the term of one token.

        :param surface: a token from `surfaces`.
        :return: its term; None for a stop word.
        """
        if surface not in self._term_of:
            return self.terms_of([surface])[0]
        return self._term_of[surface]

    def terms_of(self, surfaces: Iterable[str]) -> list[str | None]:
        """Give the terms of many tokens at once, which is much faster than one by one.

        :param surfaces: tokens from `surfaces`.
        :return: for each its term, None for a stop word.
        """
        wanted = list(surfaces)
        new = [surface for surface in dict.fromkeys(wanted) if surface not in self._term_of]
        if len(self._term_of) + len(new) > _CACHE_LIMIT:
            self._term_of.clear()
            new = list(dict.fromkeys(wanted))
        for start in range(0, len(new), 10_000):
            self._learn(new[start : start + 10_000])
        return [self._term_of[surface] for surface in wanted]

    def _learn(self, surfaces: list[str]) -> None:
        """Send tokens, one a line, through the filters that `terms` has; stop words are sought before the stemmer."""
        whole = [surface for surface in surfaces if surface and not surface.isspace() and "\n" not in surface]
        self._term_of.update(dict.fromkeys(surfaces))
        text = "\n".join(whole)
        for surface, lowered, stemmed in zip(
            whole, self._split(self._lowered, text), self._split(self._stemmed, text), strict=True
        ):
            self._term_of[surface] = None if lowered in self._stop_words else stemmed

    def _split(self, analyzer: Any, text: str) -> list[str]:
        """Run an analyzer: two calls into Java a text. No token holds a space, so `[a, b]` can be taken apart.

        Both methods are static, for the sake of threads: see `jvm.in_threads`.
        """
        if not text:
            return []
        text = safe_text(text)
        with java_errors("analyzing a text"):
            tokens = self._analyze(analyzer, text)
            listed = self._listed(tokens)
        return listed[1:-1].split(", ") if len(listed) > 2 else []
