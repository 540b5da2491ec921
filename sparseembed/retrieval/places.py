"""Where the terms of a text stand in it: what marks words in a passage."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sparseembed.analyzers.base import Analyzer, ContextAnalyzer
from sparseembed.sparse.literal import JoinedTerms, LiteralTerms, PieceTerms, WordTerms


class TermPlace(NamedTuple):
    """A term, and the part of a text that it was made of, in characters."""

    start: int
    end: int
    term: str


def places(literal: LiteralTerms, text: str) -> list[TermPlace]:
    """Find the literal terms of a text where they stand.

    Words are looked for as they were read, one after the other; one that was read in another spelling than it stands
    there, such as a ligature, has no place. Of words and pieces side by side, the words have places.

    :param literal: Finds the terms of the index.
    :param text: The text.
    :return: The places, in the text's order; they do not overlap.
    """
    if isinstance(literal, JoinedTerms):
        literal = literal.words
    if isinstance(literal, WordTerms):
        return list(_words(literal.analyzer, text))
    assert isinstance(literal, PieceTerms)
    return list(_pieces(literal, text))


def _words(analyzer: Analyzer, text: str) -> Iterator[TermPlace]:
    end = 0
    for surface, term in _read(analyzer, text):
        start = text.find(surface, end) if surface else -1
        if term is not None and start >= 0:
            end = start + len(surface)
            yield TermPlace(start, end, term)


def _read(analyzer: Analyzer, text: str) -> Sequence[tuple[str, str | None]]:
    if isinstance(analyzer, ContextAnalyzer):
        return [(token.surface, token.term) for token in analyzer.tokens_of_each([text])[0]]
    surfaces = analyzer.surfaces(text)
    return list(zip(surfaces, analyzer.terms_of(surfaces), strict=True))


def _pieces(literal: PieceTerms, text: str) -> Iterator[TermPlace]:
    read = literal.tokenizer.encode(" " + text, add_special_tokens=False)
    for piece, (start, end) in zip(read.ids, read.offsets, strict=True):
        term = literal.term(piece)
        start, end = max(start - 1, 0), max(end - 1, 0)
        start += len(text[start:end]) - len(text[start:end].lstrip())  # a piece may begin with a space
        if term is not None and start < end:
            yield TermPlace(start, end, term)
