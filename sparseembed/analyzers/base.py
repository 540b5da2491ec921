"""What an analyzer is: a text in, terms out."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from sparseembed.text import PART, parts_of


class WordAnalyzer(Protocol):
    """Takes texts apart word by word: the terms of a text are those of its surfaces, without those that have none."""

    name: str

    def terms(self, text: str) -> list[str]:
        """Return a text's terms, repetitions included."""

    def surfaces(self, text: str) -> list[str]:
        """Return a text's tokens as they stand there."""

    def terms_of(self, surfaces: Iterable[str]) -> list[str | None]:
        """Return the term of each token; None for a token that is left out, such as a stop word."""


class Token(NamedTuple):
    """A term, and the part of the text that it was made of."""

    surface: str
    term: str


class ContextAnalyzer(ABC):
    """Takes texts apart where a token depends on its neighbours: bigrams, dictionaries, several terms for one word."""

    name: str

    @abstractmethod
    def tokens_of_parts(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each of some texts that are not very long, repetitions included."""

    def tokens_of_each(self, texts: Sequence[str]) -> list[list[Token]]:
        """Return the tokens of each text, repetitions included.

        A text of more than 262,144 characters is read part by part, each of which ends at white space where there is
        some in its second half: neighbours are known within a part alone.
        """
        found = self.tokens_of_parts([text if len(text) <= PART else "" for text in texts])
        for place, text in enumerate(texts):
            if len(text) > PART:
                once: dict[Token, Token] = {}
                read = (token for part in parts_of(text, PART) for token in self.tokens_of_parts([part])[0])
                found[place] = [once.setdefault(token, token) for token in read]
        return found

    def terms(self, text: str) -> list[str]:
        """Return a text's terms, repetitions included."""
        return [token.term for token in self.tokens_of_each([text])[0]]


Analyzer = WordAnalyzer | ContextAnalyzer


def terms_of_each(analyzer: Analyzer, texts: Sequence[str]) -> list[list[str]]:
    """Return the terms of each text: in one call, where the analyzer can do that.

    :param analyzer: The analyzer.
    :param texts: The texts.
    """
    if isinstance(analyzer, ContextAnalyzer):
        return [[token.term for token in tokens] for tokens in analyzer.tokens_of_each(texts)]
    return list(map(analyzer.terms, texts))
