"""Term spaces: what a term of the index is. A new one is a new class here and a new entry in `spaces.SPACES`."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.composed import compose_rows, even_rows
from sparseembed.alignment.decoding import DecodingRows, join_rows
from sparseembed.analyzers.base import Analyzer
from sparseembed.arrays import Vectors
from sparseembed.sparse.counts import Occurrences, TermCounts
from sparseembed.sparse.literal import MARK, JoinedTerms, LiteralTerms, PieceTerms, WordTerms, marked
from sparseembed.sparse.pieces import PieceSpace, piece_rows
from sparseembed.sparse.vocabulary import Vocabulary


class Counted(NamedTuple):
    """Counted literal terms of some documents.

    :param counts: Shape (n, T + U): the T known terms, and after them U unknown ones.
    :param unknown: The unknown terms, U of them.
    """

    counts: TermCounts
    unknown: list[str]


@dataclass(frozen=True)
class TermSpace(ABC):
    """The known terms of an index: those that have decoding rows. A literal term of a document need not be one.

    :param kind: `token`, `folded`, `word` or `word+folded`.
    :param terms: Each term as it stands in the index, T of them.
    :param labels: Each term for people.
    :param literal: Finds the literal terms of a text.
    """

    kind: str
    terms: Sequence[str]
    labels: Sequence[str]
    literal: LiteralTerms

    @abstractmethod
    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Return each term's decoding rows.

        :param matrix: The decoding matrix, shape (V, d).
        :param tokenizer: The backbone's tokenizer.
        """

    @cached_property
    def number(self) -> dict[str, int]:
        """Each known term's number."""
        return {term: number for number, term in enumerate(self.terms)}

    def count(self, texts: Sequence[str]) -> Counted:
        """Count the literal terms of texts.

        :param texts: The texts, n of them.
        :return: The counts; a term that is not known gets a number after those that are.
        """
        occurrences, unknown = self.occurrences(texts)
        return Counted(occurrences.counts(), unknown)

    def occurrences(self, texts: Sequence[str]) -> tuple[Occurrences, list[str]]:
        """List the literal terms of texts: what `count` counts, without scipy.

        :param texts: The texts, n of them.
        :return: The terms; those that are not known are numbered after those that are, and named in that order.
        """
        known, unknown = self.number, dict[str, int]()
        first = len(known)
        numbers: list[int] = []
        often: list[int] = []
        sizes = []
        for terms in map(Counter, self.literal.of_each(texts)):
            sizes.append(len(terms))
            often.extend(terms.values())
            for term in terms:
                number = known.get(term)
                numbers.append(unknown.setdefault(term, first + len(unknown)) if number is None else number)
        rows = np.repeat(np.arange(len(texts), dtype=np.int64), sizes)
        shape = (len(texts), first + len(unknown))
        found, occurrences = np.asarray(numbers, dtype=np.int64), np.asarray(often, dtype=np.int32)
        return Occurrences(rows, found, occurrences, shape, self.scored(shape[1])), list(unknown)

    def scored(self, terms: int) -> npt.NDArray[np.bool_] | None:
        """Return which terms make a text's length and have BM25 impacts, shape (terms,); None for all.

        :param terms: How many: the known ones, and unknown ones after them.
        """
        return None

    @property
    def tokenizer(self) -> Any:
        """The `tokenizers.Tokenizer` that finds the literal terms, or None."""
        return getattr(self.literal, "tokenizer", None)

    @property
    def analyzer(self) -> Analyzer | None:
        """The analyzer that finds the literal words, or None where terms are pieces alone."""
        return getattr(self.literal, "analyzer", None)


@dataclass(frozen=True)
class WordSpace(TermSpace):
    """The analysed words of a collection.

    :param surfaces: For each term the spelling that stands for it.
    """

    surfaces: Sequence[str]

    @classmethod
    def of(cls, vocabulary: Vocabulary, analyzer: Analyzer) -> "WordSpace":
        """Make the space of a vocabulary."""
        return cls("word", vocabulary.terms, vocabulary.terms, WordTerms(analyzer), vocabulary.surfaces)

    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Compose the rows of each word from those of its pieces."""
        return even_rows(compose_rows(self.surfaces, tokenizer, matrix))


@dataclass(frozen=True)
class PieceTermSpace(TermSpace):
    """The pieces of an embedder's vocabulary.

    :param term_of_piece: Number of each piece's term, -1 for a piece that is no term.
    """

    term_of_piece: Sequence[int]

    @classmethod
    def of(cls, kind: str, pieces: PieceSpace, tokenizer: Any) -> "PieceTermSpace":
        """Make the space of sorted pieces.

        :param kind: `token` or `folded`.
        :param pieces: The pieces.
        :param tokenizer: A `tokenizers.Tokenizer`.
        """
        term_of_piece = [None if number < 0 else pieces.terms[number] for number in pieces.term_of_piece]
        literal = PieceTerms(kind, tokenizer, term_of_piece)
        return cls(kind, pieces.terms, pieces.labels, literal, pieces.term_of_piece)

    def occurrences(self, texts: Sequence[str]) -> tuple[Occurrences, list[str]]:
        """List the terms of texts; every term is known."""
        assert isinstance(self.literal, PieceTerms)
        of = np.asarray([*self.term_of_piece, -1], dtype=np.int64)
        terms = often = np.zeros(0, dtype=np.int64)
        # A piece beyond the matrix's rows is no term.
        each_text = (of[np.minimum(each, len(of) - 1)] for each in self.literal.numbers(texts))
        found = [np.unique(each[each >= 0], return_counts=True) for each in each_text]
        if found:
            terms, often = (np.concatenate(each) for each in zip(*found, strict=True))
        rows = np.repeat(np.arange(len(texts), dtype=np.int64), [len(each) for each, _ in found])
        return Occurrences(rows, terms, often.astype(np.int32), (len(texts), len(self.terms)), None), []

    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Group the rows of the pieces by term."""
        return piece_rows(PieceSpace(list(self.terms), list(self.labels), list(self.term_of_piece)), matrix)


@dataclass(frozen=True)
class JoinedSpace(TermSpace):
    """Words, and after them folded pieces, marked: two fields in one. BM25 impacts are those of the words alone."""

    words: WordSpace
    pieces: PieceTermSpace

    @classmethod
    def of(cls, words: WordSpace, pieces: PieceTermSpace) -> "JoinedSpace":
        """Put two spaces side by side."""
        assert isinstance(words.literal, WordTerms)
        assert isinstance(pieces.literal, PieceTerms)
        terms, labels = (
            [*first, *map(marked, second)]
            for first, second in ((words.terms, pieces.terms), (words.labels, pieces.labels))
        )
        literal = JoinedTerms(words.literal, pieces.literal)
        return cls(literal.kind, terms, labels, literal, words, pieces)

    def occurrences(self, texts: Sequence[str]) -> tuple[Occurrences, list[str]]:
        """List the words of texts, and each piece of a text once."""
        (words, unknown), (pieces, _) = self.words.occurrences(texts), self.pieces.occurrences(texts)
        first, more = len(self.words.terms), len(self.pieces.terms)
        rows = np.concatenate([words.rows, pieces.rows])
        terms = np.concatenate([np.where(words.terms < first, words.terms, words.terms + more), first + pieces.terms])
        often = np.concatenate([words.often, np.ones_like(pieces.often)])
        order = np.argsort(rows, kind="stable")
        shape = (len(texts), words.shape[1] + more)
        return Occurrences(rows[order], terms[order], often[order], shape, self.scored(shape[1])), unknown

    def scored(self, terms: int) -> npt.NDArray[np.bool_] | None:
        """Leave the pieces out of lengths and impacts."""
        mask = np.ones(terms, dtype=np.bool_)
        mask[len(self.words.terms) : len(self.terms)] = False
        return mask

    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Return the rows of both, as two parts."""
        return join_rows(self.words.rows(matrix, tokenizer), self.pieces.rows(matrix, tokenizer))


def unmarked(terms: Sequence[str]) -> list[str]:
    """Return pieces as they stand in an index of their own."""
    return [term.removeprefix(MARK) for term in terms]
