"""The literal terms of a text, for documents and for queries: no model is needed for either."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sparseembed.analyzers.base import Analyzer, terms_of_each
from sparseembed.analyzers.plain import plain
from sparseembed.embedders.long_texts import parts_of
from sparseembed.text import clean_text

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
        pieces = self.numbers([text])[0].tolist()
        return [term for term in map(self.term, pieces) if term is not None]

    def of_each(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the terms of each text."""
        return list(map(self.of, texts))

    def numbers(self, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
        """Return the piece ids of many texts; a text of many parts is tokenized part by part."""
        split = [list(parts_of(plain(clean_text(text)).strip())) for text in texts]
        firsts = [" " + parts[0] for parts in split]
        found = [[_ids(each)] for each in self.tokenizer.encode_batch(firsts, add_special_tokens=False)]
        for parts, ids in zip(split, found, strict=True):
            ids.extend(_ids(self.tokenizer.encode(" " + part, add_special_tokens=False)) for part in parts[1:])
        return [np.concatenate(ids) for ids in found]

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


def _ids(encoding: Any) -> npt.NDArray[np.int64]:
    return np.asarray(encoding.ids, dtype=np.int64)


def marked(piece: str) -> str:
    """Return a piece as it stands in an index beside words."""
    return MARK + piece
