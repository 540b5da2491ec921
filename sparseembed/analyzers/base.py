"""What an analyzer is: a text in, terms out."""

from collections.abc import Iterable
from typing import Protocol


class Analyzer(Protocol):
    """Takes texts apart. The terms of a text are those of its surfaces, in order, without the ones that have none."""

    name: str

    def terms(self, text: str) -> list[str]:
        """Return a text's terms, repetitions included."""

    def surfaces(self, text: str) -> list[str]:
        """Return a text's tokens as they stand there."""

    def terms_of(self, surfaces: Iterable[str]) -> list[str | None]:
        """Return the term of each token; None for a token that is left out, such as a stop word."""
