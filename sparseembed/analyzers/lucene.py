"""Text to terms by Lucene itself, in Java: for languages not analysed in Python, and what the others are held to."""

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from sparseembed.analyzers.base import ContextAnalyzer, Token
from sparseembed.analyzers.whitespace import SPACE
from sparseembed.analyzers.wordwise import LONGEST
from sparseembed.errors import EngineError
from sparseembed.java.helper import helper, pack, unpack
from sparseembed.java.home import find_java_home
from sparseembed.java.jvm import java_errors, start
from sparseembed.progress import note

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


class LuceneAnalyzer(ContextAnalyzer):
    """An analyzer of Anserini or Lucene by its name in Java. Java starts when it is first used, by any thread."""

    def __init__(self, name: str, key: str) -> None:
        """Name it; nothing is started.

        :param name: Its name in manifests.
        :param key: Its name in Java: a language that Anserini knows, `en`, `whitespace` or `standard`.
        """
        self.name, self.key, self._told = name, key, False

    def tokens_of_parts(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each text; lone surrogates count as U+FFFD.

        :param texts: The texts.
        :raises EngineError: Java cannot be started, or has no such analyzer.
        """
        if not self._told:
            if self.key == "th" and not knows_thai():
                raise EngineError(
                    f"the Java at {find_java_home().path} has no Thai dictionary: point JAVA_HOME to a full JDK of 21 "
                    "or newer, or use the analyzer unicode"
                )
            self._told = True
            note(f"words are found by Lucene's own analyzer ({self.name}), for which Java is started")
        found: list[list[Token]] = []
        for begin in range(0, len(texts), _BLOCK):
            with java_errors(f"analyzing a text ({self.name})"):
                answer = unpack(helper("Words", "tokens", self.key, pack(texts[begin : begin + _BLOCK])))
            place = 0
            while place < len(answer):
                end = place + 1 + 2 * int(answer[place] or 0)
                pairs = zip(answer[place + 2 : end : 2], answer[place + 1 : end : 2], strict=True)
                found.append([Token(surface or term, term[:LONGEST]) for surface, term in pairs if _whole(term)])
                place = end
        return found


def knows_thai() -> bool:
    """Say whether the Java at hand finds words in Thai, by a dictionary that small runtimes leave out."""
    return find_java_home().has_part("thai_dict")


def _whole(term: str | None) -> TypeGuard[str]:
    """Say whether a term can stand in an index: filters may leave an empty one, and a dictionary may hold a phrase."""
    return term is not None and term != "" and SPACE.search(term) is None


def _analyzed(method: str, texts: Sequence[str]) -> list[list[str]]:
    """Send texts through one of the analyzers of Java's `Words`."""
    if not texts:
        return []
    with java_errors("analyzing a text"):
        answer: str = helper("Words", method, pack(texts)).decode()
    return [terms.split("\n") if terms else [] for terms in answer.split("\0")]
