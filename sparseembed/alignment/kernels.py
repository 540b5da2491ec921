"""Compiled loops of decoding: pieces' scores to terms' scores, and the best of them. Import this module lazily."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.lanes import PANEL, add_line, raise_line
from sparseembed.jit import njit

_TILE = 256  # terms whose scores are turned together, from one text after the other to one term after the other
_SAMPLE = 8192  # scores that a threshold is taken from, at least
_LAST = np.iinfo(np.int64).max


@njit(cache=True, nogil=True, error_model="numpy")
def score_terms(
    scored: npt.NDArray[np.float32],
    pieces: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    factors: npt.NDArray[np.float32],
    ends: npt.NDArray[np.int64],
    span: tuple[int, int],
    out: npt.NDArray[np.float32],
) -> None:
    """Score terms by the sums of their pieces' scores.

    :param scored: Scores of the pieces for a panel of texts, shape (V, PANEL).
    :param pieces: Pieces of the rows, shape (P,).
    :param offsets: Where each row's pieces begin, shape (R + 1,).
    :param factors: Factor of each row, shape (R,).
    :param ends: Where each term's rows begin, and the number of rows, shape (T + 1,).
    :param span: The first term and the one after the last.
    :param out: Written: scores of the first n <= PANEL texts, shape (n, T).
    """
    total = np.empty(PANEL, dtype=np.float32)
    tile = np.empty((_TILE, PANEL), dtype=np.float32)
    for first in range(span[0], span[1], _TILE):
        count = min(_TILE, span[1] - first)
        tile[:] = -np.inf
        for place in range(count):
            for row in range(ends[first + place], ends[first + place + 1]):
                total[:] = np.float32(0.0)
                for position in range(offsets[row], offsets[row + 1]):
                    add_line(total, scored, np.int64(pieces[position]))
                raise_line(tile, np.int64(place), total, factors[row])
        for text in range(out.shape[0]):
            for place in range(count):
                out[text, first + place] = tile[place, text]


@njit(cache=True, nogil=True, error_model="numpy")
def select_best(
    scores: npt.NDArray[np.float32],
    bits: npt.NDArray[np.int32],
    first: int,
    size: int,
    terms: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
) -> None:
    """Select the k best of some terms for each text: by falling score, equal ones by rising number.

    A threshold that a little more than k scores should reach is taken from an even sample; the scores that reach it
    are sorted. Where fewer than k reach it, it is lowered: the result is exact whatever the sample.

    :param scores: Shape (n, T).
    :param bits: The same memory as int32.
    :param first: The first of the terms.
    :param size: How many terms.
    :param terms: Written: numbers of terms, shape (n, k), k <= size.
    :param values: Written: their scores, shape (n, k).
    """
    k = terms.shape[1]
    if k == 0:
        return
    step = max(1, size // _SAMPLE)
    taken = (size + step - 1) // step
    sample = np.empty(taken, dtype=np.int64)
    found = np.empty(size, dtype=np.int64)
    share = taken * k / size
    for text in range(scores.shape[0]):
        for place in range(taken):
            term = first + place * step
            sample[place] = _key(scores[text, term], bits[text, term], term)
        rank = k - 1 if step == 1 else int(share + 4 * np.sqrt(share)) + 4
        count = 0
        while count < k:
            whole = rank >= taken
            limit = _LAST if whole else np.partition(sample, rank)[rank]
            least = scores[text, limit & 0xFFFFFFFF] if not whole else np.float32(-np.inf)
            count = 0
            for term in range(first, first + size):
                if whole or scores[text, term] >= least:
                    key = _key(scores[text, term], bits[text, term], term)
                    if key <= limit:
                        found[count] = key
                        count += 1
            rank *= 4
        best = np.sort(found[:count])
        for place in range(k):
            term = best[place] & 0xFFFFFFFF
            terms[text, place] = term
            values[text, place] = scores[text, term]


@njit(cache=True, nogil=True, inline="always")
def _key(score: Any, bits: Any, term: Any) -> Any:
    """Return an integer that sorts as (-score, term); the bits of floats sort as they do, below zero backwards."""
    ordered = np.int64(bits)
    if score == 0.0:
        ordered = np.int64(0)  # -0.0 and 0.0 are equal
    elif ordered < 0:
        ordered ^= np.int64(0x7FFFFFFF)
    return ((-1 - ordered) << 32) | np.int64(term)
