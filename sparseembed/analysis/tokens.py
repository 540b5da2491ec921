"""The distinct tokens of each text: what aligned tokens are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.embedders.long_texts import beginning
from sparseembed.embedders.spec import TEXT

Numbers = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]
BLOCK_CELLS = 16 << 20  # text x term cells marked at once


@dataclass(frozen=True)
class TokenSets:
    """The set T_i of distinct terms of each of n texts.

    :param terms: Numbers of the terms, text after text, shape (P,); ascending within a text.
    :param starts: Where each text's terms begin, and P at the end, shape (n + 1,).
    :param size: Number of terms there are.
    """

    terms: Numbers
    starts: Numbers
    size: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> Numbers:
        """|T_i|, shape (n,)."""
        return np.diff(self.starts)

    @property
    def owners(self) -> Numbers:
        """The text that each entry of `terms` belongs to, shape (P,)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def take(self, rows: Numbers) -> "TokenSets":
        """Return the sets of the given texts, in the given order."""
        return make_sets([self.terms[self.starts[row] : self.starts[row + 1]].tolist() for row in rows], self.size)

    def literal(self, top: npt.NDArray[np.integer[Any]]) -> Marks:
        """Mark the terms that stand in their text.

        :param top: Terms of each text, shape (n, k).
        :return: Shape (n, k).

        >>> sets = make_sets([[1, 2], [3]], 5)
        >>> sets.literal(np.array([[2, 4, 1], [0, 1, 2]])).tolist()
        [[True, False, True], [False, False, False]]
        """
        result = np.zeros(top.shape, dtype=np.bool_)
        block = max(1, BLOCK_CELLS // max(1, self.size))
        for start in range(0, len(self), block):
            stop = min(start + block, len(self))
            inside = np.zeros((stop - start, self.size), dtype=np.bool_)
            entries = slice(int(self.starts[start]), int(self.starts[stop]))
            owners = np.repeat(np.arange(stop - start), self.sizes[start:stop])
            inside[owners, self.terms[entries]] = True
            result[start:stop] = np.take_along_axis(inside, top[start:stop].astype(np.int64), axis=1)
        return result

    def frequencies(self) -> Numbers:
        """Return how many texts hold each term, shape (size,)."""
        return np.bincount(self.terms, minlength=self.size)


def make_sets(sets: Sequence[Sequence[int]], size: int) -> TokenSets:
    """Make token sets from lists of term numbers, in which a term may occur more than once.

    :param sets: The terms of each text.
    :param size: Number of terms there are.
    :return: The sets.
    """
    unique = [sorted(set(terms)) for terms in sets]
    starts = np.concatenate([[0], np.cumsum([len(terms) for terms in unique])]).astype(np.int64)
    return TokenSets(np.asarray([term for terms in unique for term in terms], dtype=np.int64), starts, size)


def text_terms(
    texts: Sequence[str], tokenizer: Any, term_of_piece: Sequence[int], template: str, max_length: int
) -> list[list[int]]:
    """Return the distinct terms of each text, of the part of it that the embedder sees.

    Special tokens are not added, and pieces that are no terms (special, undecodable, white space alone) are left out:
    the same that the aligned tokens never hold.

    :param texts: The texts.
    :param tokenizer: A `tokenizers.Tokenizer`.
    :param term_of_piece: Number of each piece's term, -1 for none.
    :param template: The embedder's prompt: what room it leaves is the text's.
    :param max_length: Tokens of a prompted text.
    :return: Ascending term numbers of each text; empty for a text without one.
    """
    overhead = len(tokenizer.encode(template.replace(TEXT, "")).ids)
    room = max(1, (max_length - overhead) // max(1, template.count(TEXT)))
    result = []
    seen = [beginning(text, room, tokenizer) for text in texts]
    for encoding in tokenizer.encode_batch(seen, add_special_tokens=False):
        pieces = encoding.ids[:room]
        result.append(sorted({term_of_piece[piece] for piece in pieces if piece < len(term_of_piece)} - {-1}))
    return result
