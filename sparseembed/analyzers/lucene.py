"""Text to terms by Lucene itself, in Java: the reference for `analyzers.english`, and what BM25 indexes use."""

from collections.abc import Iterable, Sequence

from sparseembed.java.helper import helper, pack
from sparseembed.java.jvm import java_errors, start

ANALYZER_NAME = "lucene-english"
"""Names the analyzer in manifests."""

_CACHE_LIMIT = 2_000_000
_BLOCK = 1_000  # texts sent to Java at once


class LuceneEnglishAnalyzer:
    """Anserini's default English analyzer: standard tokenizer, possessive, lower case, stop words, Porter stemmer.

    May be used by any thread.
    """

    name = ANALYZER_NAME

    def __init__(self) -> None:
        start()
        self._term_of: dict[str, str | None] = {}

    def terms(self, text: str) -> list[str]:
        """Analyze a text.

        :param text: any string; lone surrogates count as U+FFFD.
        :return: the stemmed terms in the order of the text, repetitions included, stop words left out.
        """
        return _analyzed("terms", [text])[0]

    def terms_many(self, texts: Sequence[str]) -> list[list[str]]:
        """Analyze many texts; the same as `terms` of each.

        :param texts: the texts.
        :return: one list of terms a text.
        """
        blocks = (texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK))
        return [terms for block in blocks for terms in _analyzed("terms", block)]

    def surfaces(self, text: str) -> list[str]:
        """Split a text into tokens as they stand there: case kept, stop words and endings too.

        :param text: any string.
        :return: the tokens; `terms` is what `term_of` makes of them, those that give None left out.
        """
        return _analyzed("surfaces", [text])[0]

    def term_of(self, surface: str) -> str | None:
        """Give the term of one token.

        :param surface: a token from `surfaces`.
        :return: its term; None for a stop word.
        """
        return self.terms_of([surface])[0]

    def terms_of(self, surfaces: Iterable[str]) -> list[str | None]:
        """Give the terms of many tokens at once, which is much faster than one by one.

        :param surfaces: tokens from `surfaces`.
        :return: for each its term, None for a stop word.
        """
        wanted = list(surfaces)
        known = self._term_of
        new = [surface for surface in dict.fromkeys(wanted) if surface not in known]
        if len(known) + len(new) > _CACHE_LIMIT:
            self._term_of = known = {}  # a new one: another thread may be reading the old one
            new = list(dict.fromkeys(wanted))
        for begin in range(0, len(new), 10_000):
            block = new[begin : begin + 10_000]
            # What is no token, a blank for instance, has no term.
            tokens = [surface for surface in block if surface.strip() and "\n" not in surface and "\0" not in surface]
            known.update(dict.fromkeys(block))
            known.update(
                zip(tokens, (terms[0] if terms else None for terms in _analyzed("termsOf", tokens)), strict=True)
            )
        return [known[surface] for surface in wanted]


def _analyzed(method: str, texts: Sequence[str]) -> list[list[str]]:
    """Send texts through one of the analyzers of Java's `Words`."""
    if not texts:
        return []
    with java_errors("analyzing a text"):
        answer: str = helper("Words", method, pack(texts)).decode()
    return [terms.split("\n") if terms else [] for terms in answer.split("\0")]
