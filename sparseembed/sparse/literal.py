"""The literal terms of a text, for documents and for queries: no model is needed for either."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from sparseembed.analyzers.base import Analyzer, terms_of_each
from sparseembed.analyzers.plain import plain
from sparseembed.arrays import Ints
from sparseembed.text import PART, clean_text, parts_of

MARK = "#"  # before a piece that stands beside words; no analysed word begins with it


class LiteralTerms(Protocol):
    """Finds the terms that stand in a text."""

    kind: str
    counted: bool  # whether a term that stands twice in a query weighs twice

    def of(self, text: str) -> list[str]:
        """Return the text's terms as they stand in the index, in order, repetitions included."""

    def of_each(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the terms of each text."""


class PieceTerms:
    """Literal terms of the `token` and `folded` term spaces: the vocabulary pieces of the text.

    A query is the *set* of its pieces, as in the paper.
    """

    counted = False

    def __init__(self, kind: str, tokenizer: Any, term_of_piece: Sequence[str | None]) -> None:
        """Take a tokenizer and what each piece stands for.

        :param kind: `token` or `folded`.
        :param tokenizer: A `tokenizers.Tokenizer`.
        :param term_of_piece: For each piece of the vocabulary its term, None for one that is no term.
        """
        self.kind = kind
        self.tokenizer = tokenizer
        self._term_of_piece = term_of_piece

    def of(self, text: str) -> list[str]:
        """Return the terms of the text's pieces; the text is read as standing after a space, as in running text."""
        pieces = next(self.numbers([text])).tolist()
        return [term for term in map(self.term, pieces) if term is not None]

    def of_each(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the terms of each text."""
        return list(map(self.of, texts))

    def numbers(self, texts: Sequence[str]) -> Iterator[Ints]:
        """Yield the piece ids of each text; a text of many parts is tokenized part by part."""
        for some in _batches(texts):
            split = [parts_of(plain(clean_text(text)).strip()) for text in some]
            firsts = [" " + next(parts) for parts in split]
            read = self.tokenizer.encode_batch(firsts, add_special_tokens=False)
            for first, others in zip(read, split, strict=True):
                rest = (self.tokenizer.encode(" " + part, add_special_tokens=False) for part in others)
                yield np.concatenate([_ids(first), *map(_ids, rest)])

    def term(self, piece: int) -> str | None:
        """Return the term of a piece of the vocabulary; None for one that is no term."""
        return self._term_of_piece[piece] if piece < len(self._term_of_piece) else None


class WordTerms:
    """Literal terms of the `word` term space: what an analyzer makes of the text.

    A word that stands twice in a query weighs twice, as in a plain Lucene match query.
    """

    kind, counted = "word", True

    def __init__(self, analyzer: Analyzer) -> None:
        """Take an analyzer.

        :param analyzer: Takes texts apart.
        """
        self.analyzer = analyzer

    def of(self, text: str) -> list[str]:
        """Return the analysed words of a text."""
        return self.analyzer.terms(text)

    def of_each(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the analysed words of each text."""
        return terms_of_each(self.analyzer, texts)


class JoinedTerms:
    """Literal terms of the `word+folded` term space: a text's words, and the set of its pieces."""

    kind, counted = "word+folded", True

    def __init__(self, words: WordTerms, pieces: PieceTerms) -> None:
        """Take both.

        :param words: Finds the words.
        :param pieces: Finds the pieces.
        """
        self.words, self.pieces = words, pieces
        self.analyzer, self.tokenizer = words.analyzer, pieces.tokenizer

    def of(self, text: str) -> list[str]:
        """Return the text's words, repetitions included, then each of its pieces once."""
        return [*self.words.of(text), *map(marked, dict.fromkeys(self.pieces.of(text)))]

    def of_each(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the words and pieces of each text."""
        return list(map(self.of, texts))


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Put texts together that are tokenized at once: many short ones, few long ones."""
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if sum(min(len(each), PART) for each in batch) >= PART:
            yield batch
            batch = []
    yield batch


def _ids(encoding: Any) -> Ints:
    return np.asarray(encoding.ids, dtype=np.int64)


def marked(piece: str) -> str:
    """Return a piece as it stands in an index beside words."""
    return MARK + piece
