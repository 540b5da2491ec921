"""The `token` and `folded` term spaces: which vocabulary pieces are terms, and which of them are one."""

from typing import Any, NamedTuple

import numpy as np

from sparseembed.alignment.decoding import DecodingRows, single_rows
from sparseembed.arrays import Vectors

REPLACEMENT = "\ufffd"


class PieceSpace(NamedTuple):
    """Terms made of vocabulary pieces.

    :param terms: Each term as it stands in the index: the decimal id of its first piece.
    :param labels: Each term for people.
    :param term_of_piece: Number of each piece's term, -1 for a piece that is no term.
    """

    terms: list[str]
    labels: list[str]
    term_of_piece: list[int]


def piece_space(kind: str, tokenizer: Any, rows: int) -> PieceSpace:
    """Sort the vocabulary's pieces into terms.

    No terms are: special tokens; pieces that are white space alone; pieces that are no text by themselves (parts of a
    UTF-8 character); rows of the matrix that the tokenizer has no piece for. In `folded`, pieces that differ only in
    case and in a leading space are one term.

    :param kind: `token` or `folded`.
    :param tokenizer: A `tokenizers.Tokenizer`.
    :param rows: Rows of the decoding matrix.
    :return: The terms, in the order of their first pieces.
    """
    special = {piece for piece, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    spelled = _spelled(tokenizer, rows)
    terms: list[str] = []
    labels: list[str] = []
    number_of: dict[str, int] = {}
    term_of_piece: list[int] = []
    for piece, text in enumerate(spelled):
        if piece in special or not text.strip() or REPLACEMENT in text:
            term_of_piece.append(-1)
            continue
        key = text.strip().lower() if kind == "folded" else str(piece)
        if key not in number_of:
            number_of[key] = len(terms)
            terms.append(str(piece))
            labels.append(key if kind == "folded" else text)
        term_of_piece.append(number_of[key])
    return PieceSpace(terms, labels, term_of_piece)


def piece_rows(space: PieceSpace, matrix: Vectors) -> DecodingRows:
    """Group the decoding matrix by term.

    :param space: The terms.
    :param matrix: Decoding matrix, shape (V, d).
    :return: The rows of each term, in the order of the terms.
    """
    of = np.asarray(space.term_of_piece[: len(matrix)], dtype=np.int64)
    order = np.argsort(of, kind="stable")
    order = order[of[order] >= 0]
    starts = np.searchsorted(of[order], np.arange(len(space.terms)))
    return DecodingRows(matrix, starts.astype(np.int64), sums=single_rows(order))


def _spelled(tokenizer: Any, rows: int) -> list[str]:
    """Spell each piece; a leading space shows as a space, whichever way the tokenizer marks it."""
    known = min(rows, 1 + max(tokenizer.get_vocab().values(), default=-1))  # some vocabularies have gaps
    plain = tokenizer.decode_batch([[piece] for piece in range(known)], skip_special_tokens=False)
    for piece in range(known):
        token = tokenizer.id_to_token(piece)
        if token is None:
            plain[piece] = ""
        elif token.startswith("▁") and not plain[piece].startswith(" "):
            plain[piece] = " " + plain[piece]
    return [*plain, *[""] * (rows - known)]
