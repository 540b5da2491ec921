"""Term spaces: what a term of the index is. A new one is a new entry in `BUILDERS` and in `LOADERS`."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparseembed.alignment.composed import compose_rows, even_rows
from sparseembed.alignment.decoding import DecodingRows, Vectors, join_rows
from sparseembed.embedders.tokenizer import load_tokenizer
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import IndexFolderError
from sparseembed.files import write_json
from sparseembed.sparse.counts import TermCounts
from sparseembed.sparse.literal import MARK, JoinedTerms, LiteralTerms, PieceTerms, WordTerms, marked
from sparseembed.sparse.pieces import PieceSpace, piece_rows, piece_space
from sparseembed.sparse.words import Vocabulary, collect_words


@dataclass(frozen=True)
class TermSpace(ABC):
    """The terms of an index.

    :param kind: `token`, `folded`, `word` or `word+folded`.
    :param terms: Each term as it stands in the index, T of them.
    :param labels: Each term for people.
    :param literal: Finds the literal terms of a text.
    :param about: What must be stored to have the space back without the corpus.
    """

    kind: str
    terms: Sequence[str]
    labels: Sequence[str]
    literal: LiteralTerms
    about: dict[str, Any]

    @abstractmethod
    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Return each term's decoding rows.

        :param matrix: The decoding matrix, shape (V, d).
        :param tokenizer: The backbone's tokenizer.
        """

    def save(self, folder: Path) -> None:
        """Store the space in an index, so that queries need neither the corpus nor the model.

        :param folder: A folder that exists.
        """
        stored = {"kind": self.kind, "terms": list(self.terms), "labels": list(self.labels), **self.about}
        write_json(folder / "terms.json", stored)
        if self.tokenizer is not None:
            (folder / "tokenizer.json").write_text(self.tokenizer.to_str(), encoding="utf-8")

    @property
    def tokenizer(self) -> Any:
        """The `tokenizers.Tokenizer` that finds the literal terms, or None."""
        return getattr(self.literal, "tokenizer", None)


class WordSpace(TermSpace):
    """The analysed words of a collection."""

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "WordSpace":
        """Make the space of a vocabulary."""
        return cls("word", vocabulary.terms, vocabulary.terms, WordTerms(), {"surfaces": vocabulary.surfaces})

    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Compose the rows of each word from those of its pieces."""
        return even_rows(compose_rows(self.about["surfaces"], tokenizer, matrix))


class PieceTermSpace(TermSpace):
    """The pieces of an embedder's vocabulary."""

    @classmethod
    def of(cls, kind: str, pieces: PieceSpace, tokenizer: Any) -> "PieceTermSpace":
        """Make the space of sorted pieces.

        :param kind: `token` or `folded`.
        :param pieces: The pieces.
        :param tokenizer: A `tokenizers.Tokenizer`.
        """
        term_of_piece = [None if number < 0 else pieces.terms[number] for number in pieces.term_of_piece]
        literal = PieceTerms(kind, tokenizer, term_of_piece)
        return cls(kind, pieces.terms, pieces.labels, literal, {"term_of_piece": pieces.term_of_piece})

    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Group the rows of the pieces by term."""
        return piece_rows(PieceSpace(list(self.terms), list(self.labels), self.about["term_of_piece"]), matrix)


@dataclass(frozen=True)
class JoinedSpace(TermSpace):
    """Words, and after them folded pieces, marked: two fields in one."""

    words: TermSpace
    pieces: TermSpace

    @classmethod
    def of(cls, words: TermSpace, pieces: TermSpace) -> "JoinedSpace":
        """Put two spaces side by side."""
        assert isinstance(words.literal, WordTerms)
        assert isinstance(pieces.literal, PieceTerms)
        terms, labels = (
            [*first, *map(marked, second)]
            for first, second in ((words.terms, pieces.terms), (words.labels, pieces.labels))
        )
        literal = JoinedTerms(words.literal, pieces.literal)
        return cls(literal.kind, terms, labels, literal, {**words.about, **pieces.about}, words, pieces)

    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Return the rows of both, as two parts."""
        return join_rows(self.words.rows(matrix, tokenizer), self.pieces.rows(matrix, tokenizer))


class Analysed(NamedTuple):
    """A term space and the literal terms of the corpus in it."""

    space: TermSpace
    counts: TermCounts


def analyse_words(texts: Sequence[str], embedder: TransformerEmbedder) -> Analysed:
    """Make the `word` space of a collection; the embedder plays no part in it."""
    literal = WordTerms()
    vocabulary, counts = collect_words(texts, literal.analyzer)
    return Analysed(WordSpace.of(vocabulary), counts)


def analyse_pieces(kind: str, texts: Sequence[str], embedder: TransformerEmbedder, rows: int) -> Analysed:
    """Make the `token` or `folded` space of an embedder's vocabulary and count its terms in a collection.

    :param kind: `token` or `folded`.
    :param rows: Rows of the decoding matrix.
    """
    pieces = piece_space(kind, embedder.tokenizer, rows)
    space = PieceTermSpace.of(kind, pieces, embedder.tokenizer)
    literal = space.literal
    assert isinstance(literal, PieceTerms)
    found = [
        numbers for start in range(0, len(texts), 1024) for numbers in literal.numbers(texts[start : start + 1024])
    ]
    documents = np.repeat(np.arange(len(texts), dtype=np.int64), [len(each) for each in found])
    of = np.asarray([*pieces.term_of_piece, -1], dtype=np.int64)
    occurrences = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    occurrences = np.minimum(occurrences, len(of) - 1)
    return Analysed(space, TermCounts(documents, of[occurrences], (len(texts), len(pieces.terms))))


def analyse_both(texts: Sequence[str], embedder: TransformerEmbedder, rows: int) -> Analysed:
    """Make the `word+folded` space; BM25 impacts are those of the words alone."""
    from scipy.sparse import hstack

    words, pieces = analyse_words(texts, embedder), analyse_pieces("folded", texts, embedder, rows)
    joined = hstack([words.counts.matrix, pieces.counts.matrix > 0], format="coo", dtype=np.int32)
    documents, terms = (axis.astype(np.int64) for axis in joined.coords)
    counts = TermCounts(documents, terms, joined.shape, len(words.space.terms), joined.data)
    return Analysed(JoinedSpace.of(words.space, pieces.space), counts)


Builder = Callable[[Sequence[str], TransformerEmbedder, int], Analysed]
BUILDERS: dict[str, Builder] = {
    "word": lambda texts, embedder, rows: analyse_words(texts, embedder),
    "folded": lambda texts, embedder, rows: analyse_pieces("folded", texts, embedder, rows),
    "token": lambda texts, embedder, rows: analyse_pieces("token", texts, embedder, rows),
    "word+folded": analyse_both,
}


def load_term_space(folder: Path) -> TermSpace:
    """Load a space that was saved in an index.

    :param folder: The folder it was saved in.
    :return: The space; neither torch nor a JVM is loaded.
    :raises IndexFolderError: It is missing or damaged.
    """
    try:
        stored = json.loads((folder / "terms.json").read_text(encoding="utf-8"))
        return LOADERS[stored["kind"]](stored, folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise IndexFolderError(f"{folder}/terms.json is missing or damaged: build the index again") from None


def _stored_pieces(kind: str, stored: Any, folder: Path) -> PieceTermSpace:
    pieces = PieceSpace(stored["terms"], stored["labels"], stored["term_of_piece"])
    return PieceTermSpace.of(kind, pieces, load_tokenizer(folder))


def _stored_both(stored: Any, folder: Path) -> JoinedSpace:
    words = len(stored["surfaces"])
    after = {key: [value.removeprefix(MARK) for value in stored[key][words:]] for key in ("terms", "labels")}
    vocabulary = Vocabulary(stored["terms"][:words], stored["surfaces"])
    return JoinedSpace.of(WordSpace.of(vocabulary), _stored_pieces("folded", {**stored, **after}, folder))


LOADERS: dict[str, Callable[[Any, Path], TermSpace]] = {
    "word": lambda stored, folder: WordSpace.of(Vocabulary(stored["terms"], stored["surfaces"])),
    "folded": lambda stored, folder: _stored_pieces("folded", stored, folder),
    "token": lambda stored, folder: _stored_pieces("token", stored, folder),
    "word+folded": _stored_both,
}
