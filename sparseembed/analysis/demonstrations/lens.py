"""What embeddings are read through: the vocabulary's scores, its terms as words for people."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.decoding import Decoder
from sparseembed.arrays import Floats, Vectors
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.sparse.pieces import PieceSpace, piece_rows, piece_space


@dataclass(frozen=True)
class Lens:
    """Decoder and terms of an embedder.

    Terms that differ only in case and leading space are shown as one *word*, in whichever term space they are.

    :param decoder: Adjusted embeddings -> scores.
    :param space: The terms.
    :param inputs: Embeddings -> what is adjusted and decoded (see `Head.inputs`).
    """

    decoder: Decoder
    space: PieceSpace
    inputs: Callable[[Vectors], Vectors]

    @cached_property
    def words(self) -> list[str]:
        """The words, in the order of their first terms."""
        return list(dict.fromkeys(fold(label) for label in self.space.labels))

    @cached_property
    def number(self) -> dict[str, int]:
        """The place of each word in `words`."""
        return {word: place for place, word in enumerate(self.words)}

    @cached_property
    def word_of_term(self) -> npt.NDArray[np.int64]:
        """The place in `words` of each term, shape (T,)."""
        return np.asarray([self.number[fold(label)] for label in self.space.labels], dtype=np.int64)

    def scores(self, vectors: Vectors) -> Floats:
        """Return the decoded scores of all terms.

        :param vectors: Adjusted embeddings, shape (n, d).
        :return: Shape (n, T).
        """
        return self.decoder.scores(vectors).astype(np.float64)

    def best(self, values: Floats) -> Floats:
        """Return each word's largest value.

        :param values: A value of each term, shape (T,).
        :return: A value of each word, shape (W,).
        """
        result = np.full(len(self.words), -np.inf)
        np.maximum.at(result, self.word_of_term, values)
        return result

    def sum(self, values: Floats) -> Floats:
        """Return the sum of each word's values.

        :param values: A value of each term, shape (T,).
        :return: A value of each word, shape (W,).
        """
        result: Floats = np.bincount(self.word_of_term, weights=values, minlength=len(self.words)).astype(np.float64)
        return result

    def tokens(self, scores: Floats, k: int, literal: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Return the k aligned tokens of one text.

        :param scores: Its scores, shape (T,).
        :param k: Tokens wanted.
        :param literal: The words that stand in the text.
        :return: `token`, `score` and `literal` of each, best first.
        """
        values, there = self.best(scores), set(literal)
        order = np.argsort(-values, kind="stable")[:k]
        return [
            {"token": self.words[at], "score": float(values[at]), "literal": self.words[at] in there} for at in order
        ]

    def literal(self, text: str, tokenizer: Any) -> set[str]:
        """Return the words that stand in a text.

        :param text: The text.
        :param tokenizer: A `tokenizers.Tokenizer`.
        :return: The words; pieces that are no terms are left out.
        """
        pieces = tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids
        terms = {self.space.term_of_piece[piece] for piece in pieces if piece < len(self.space.term_of_piece)} - {-1}
        return {fold(self.space.labels[term]) for term in terms}


def fold(label: str) -> str:
    """Return the word that a term is shown as.

    >>> fold(" Positive")
    'positive'
    """
    return label.strip().lower()


def standard(scores: Floats) -> Floats:
    """Standardise scores over the vocabulary: mean 0 and standard deviation 1 in each row; equal scores become 0.

    :param scores: Shape (n, T).
    :return: Shape (n, T).

    >>> standard(np.array([[1.0, 3.0], [5.0, 5.0]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    centred = scores - scores.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    least = 1e-12 * np.abs(scores).max(axis=1, keepdims=True, initial=0.0)
    result: Floats = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > least)
    return result


def open_lens(embedder: TransformerEmbedder, terms: str = "folded") -> Lens:
    """Read an embedder's decoding matrix.

    :param embedder: The embedder.
    :param terms: `folded` or `token`.
    :return: What its embeddings are read through.
    :raises EmbedderError: The model has no LM head, or one that does not fit.
    """
    from sparseembed.alignment.head import decoding_head

    matrix, inputs = decoding_head(embedder)
    space = piece_space(terms, embedder.tokenizer, len(matrix))
    return Lens(Decoder(piece_rows(space, matrix), embedder.device), space, inputs)
