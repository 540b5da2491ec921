"""Term spaces: what a term of the index is. A new one is a new entry in `BUILDERS`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparseembed.alignment.composed import compose_rows, even_rows
from sparseembed.alignment.decoding import DecodingRows, Vectors
from sparseembed.embedders.tokenizer import load_tokenizer
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import IndexFolderError
from sparseembed.files import write_json
from sparseembed.sparse.counts import TermCounts
from sparseembed.sparse.literal import LiteralTerms, PieceTerms, WordTerms
from sparseembed.sparse.pieces import PieceSpace, piece_rows, piece_space
from sparseembed.sparse.words import Vocabulary, collect_words


@dataclass(frozen=True)
class TermSpace:
    """The terms of an index.

    :param kind: `token`, `folded` or `word`.
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

    def rows(self, matrix: Vectors, tokenizer: Any) -> DecodingRows:
        """Return each term's decoding rows.

        :param matrix: The decoding matrix, shape (V, d).
        :param tokenizer: The backbone's tokenizer.
        """
        if self.kind == "word":
            return even_rows(compose_rows(self.about["surfaces"], tokenizer, matrix))
        return piece_rows(PieceSpace(list(self.terms), list(self.labels), self.about["term_of_piece"]), matrix)

    def save(self, folder: Path) -> None:
        """Store the space in an index, so that queries need neither the corpus nor the model.

        :param folder: A folder that exists.
        """
        stored = {"kind": self.kind, "terms": list(self.terms), "labels": list(self.labels), **self.about}
        write_json(folder / "terms.json", stored)
        if isinstance(self.literal, PieceTerms):
            (folder / "tokenizer.json").write_text(self.literal.tokenizer.to_str(), encoding="utf-8")


class Analysed(NamedTuple):
    """A term space and the literal terms of the corpus in it."""

    space: TermSpace
    counts: TermCounts


def analyse_words(texts: Sequence[str], embedder: TransformerEmbedder) -> Analysed:
    """Make the `word` space of a collection; the embedder plays no part in it."""
    literal = WordTerms()
    vocabulary, counts = collect_words(texts, literal.analyzer)
    return Analysed(_word_space(vocabulary, literal), counts)


def analyse_pieces(kind: str, texts: Sequence[str], embedder: TransformerEmbedder, rows: int) -> Analysed:
    """Make the `token` or `folded` space of an embedder's vocabulary and count its terms in a collection.

    :param kind: `token` or `folded`.
    :param rows: Rows of the decoding matrix.
    """
    pieces = piece_space(kind, embedder.tokenizer, rows)
    space = _piece_term_space(kind, pieces, embedder.tokenizer)
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


Builder = Callable[[Sequence[str], TransformerEmbedder, int], Analysed]
BUILDERS: dict[str, Builder] = {
    "word": lambda texts, embedder, rows: analyse_words(texts, embedder),
    "folded": lambda texts, embedder, rows: analyse_pieces("folded", texts, embedder, rows),
    "token": lambda texts, embedder, rows: analyse_pieces("token", texts, embedder, rows),
}


def load_term_space(folder: Path) -> TermSpace:
    """Load a space that was saved in an index.

    :param folder: The folder it was saved in.
    :return: The space; neither torch nor a JVM is loaded.
    :raises IndexFolderError: It is missing or damaged.
    """
    try:
        stored = json.loads((folder / "terms.json").read_text(encoding="utf-8"))
        if stored["kind"] == "word":
            return _word_space(Vocabulary(stored["terms"], stored["surfaces"]), WordTerms())
        pieces = PieceSpace(stored["terms"], stored["labels"], stored["term_of_piece"])
        return _piece_term_space(stored["kind"], pieces, load_tokenizer(folder))
    except (OSError, ValueError, KeyError, TypeError):
        raise IndexFolderError(f"{folder}/terms.json is missing or damaged: build the index again") from None


def _word_space(vocabulary: Vocabulary, literal: WordTerms) -> TermSpace:
    return TermSpace("word", vocabulary.terms, vocabulary.terms, literal, {"surfaces": vocabulary.surfaces})


def _piece_term_space(kind: str, pieces: PieceSpace, tokenizer: Any) -> TermSpace:
    term_of_piece = [None if number < 0 else pieces.terms[number] for number in pieces.term_of_piece]
    literal = PieceTerms(kind, tokenizer, term_of_piece)
    return TermSpace(kind, pieces.terms, pieces.labels, literal, {"term_of_piece": pieces.term_of_piece})
