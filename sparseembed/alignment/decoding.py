"""Decoding: the K terms that an embedding scores highest, block by block, never (N, V) at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Vectors

CHUNK = 8192  # rows made, or words spelled, at once
FEW = 16  # passages whose scores of all terms are held at once


class Aligned(NamedTuple):
    """Aligned terms of n texts, best first; of equal scores the smaller number first."""

    terms: npt.NDArray[np.int32]  # (n, k), numbers of terms
    scores: Vectors  # (n, k)


class BestOf(NamedTuple):
    """Aligned terms of one text of several passages, best first; of equal scores the smaller number first."""

    terms: npt.NDArray[np.int32]  # (k,), numbers of terms
    scores: Vectors  # (k,), of the best passage
    passages: npt.NDArray[np.int64]  # (k,), which one that is, from 0; of equal ones the first
    among: int = 1  # how many passages there are


class Sums(NamedTuple):
    """Rows as sums: row r is factors[r] x the sum of base[pieces[offsets[r] : offsets[r + 1]]]."""

    pieces: npt.NDArray[np.int32]  # (P,), rows of a base
    offsets: npt.NDArray[np.int64]  # (R + 1,)
    factors: Vectors  # (R,)


@dataclass(frozen=True)
class DecodingRows:
    """Rows grouped by the term they stand for; a term scores what its best row scores.

    :param base: The rows themselves, shape (R, d), or the rows that they are sums of, shape (V, d).
    :param starts: Shape (T,): where each term's rows begin; strictly increasing from 0.
    :param parts: How many terms each part of them has whose best are told apart, T in sum; empty for one part.
    :param sums: The rows as sums of rows of the base, the rows of one term together; None where they are the base.
    """

    base: Vectors
    starts: npt.NDArray[np.int64]
    parts: tuple[int, ...] = ()
    sums: Sums | None = None

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def matrix(self) -> Vectors:
        """All rows, shape (R, d); sums are made anew at each call: for few terms."""
        if self.sums is None:
            return self.base
        result = np.empty((len(self.sums.factors), self.base.shape[1]), dtype=np.float32)
        for start in range(0, len(result), CHUNK):
            result[start : start + CHUNK] = self.made(start, start + CHUNK)
        return result

    def made(self, start: int, stop: int) -> Vectors:
        """Return the rows start..stop-1, shape (stop - start, d)."""
        from scipy.sparse import csr_array

        pieces, offsets, factors = self.spelled()
        offsets = offsets[start : stop + 1]
        pieces = pieces[offsets[0] : offsets[-1]]
        ones = np.ones(len(pieces), dtype=np.float32)
        which = csr_array((ones, pieces, offsets - offsets[0]), shape=(len(offsets) - 1, len(self.base)))
        made: Vectors = (which @ self.base) * factors[start:stop, None]
        return made

    def single(self) -> npt.NDArray[np.bool_]:
        """Say of which terms the first row is one row of the base and no sum of several, shape (T,)."""
        sizes: npt.NDArray[np.int64] = np.diff(self.spelled().offsets)[self.starts]
        alone: npt.NDArray[np.bool_] = sizes == 1
        return alone

    def spelled(self) -> Sums:
        """Return the rows as sums; those that are the base are sums of one."""
        return self.sums or single_rows(np.arange(len(self.base)))


def single_rows(order: npt.NDArray[np.int64]) -> Sums:
    """Return rows of a base, in the given order, as sums of one each.

    :param order: Their numbers, shape (R,).
    """
    count = len(order)
    return Sums(order.astype(np.int32), np.arange(count + 1, dtype=np.int64), np.ones(count, dtype=np.float32))


def join_rows(*parts: DecodingRows) -> DecodingRows:
    """Put the rows of several sets of terms one after the other; each set is a part of its own.

    :param parts: The rows, of one width; sets over one and the same base share it.
    """
    spelled = [part.spelled() for part in parts]
    before = np.cumsum([0, *(len(each.factors) for each in spelled)])
    starts = np.concatenate([part.starts + first for part, first in zip(parts, before, strict=False)])
    sizes = tuple(map(len, parts))
    bases = list({id(part.base): part.base for part in parts}.values())
    base = bases[0] if len(bases) == 1 else np.concatenate(bases)
    if all(part.sums is None for part in parts) and len(bases) == len(parts):
        return DecodingRows(base, starts, sizes)
    firsts = np.cumsum([0, *map(len, bases)])
    first_of = {id(each): first for each, first in zip(bases, firsts, strict=False)}
    pieces = [each.pieces + np.int32(first_of[id(part.base)]) for part, each in zip(parts, spelled, strict=True)]
    offsets = np.cumsum(np.concatenate([[0], *(np.diff(each.offsets) for each in spelled)])).astype(np.int64)
    factors = np.concatenate([each.factors for each in spelled])
    return DecodingRows(base, starts, sizes, Sums(np.concatenate(pieces), offsets, factors))


class Decoder:
    """Embeddings -> aligned terms.

    The score of a row that is a sum is the sum of its pieces' scores, times its factor: the pieces are multiplied once
    a text, E h for all pieces that any term has, and the rows of the terms are never made.
    """

    def __init__(self, rows: DecodingRows, device: str = "cpu") -> None:
        """Put the rows where they are used.

        :param rows: The rows.
        :param device: A torch device.
        """
        from sparseembed.alignment.scoring import DeviceScorer, ProcessorScorer, Scorer

        self._count = len(rows)
        self.single = rows.single()
        self.parts = rows.parts or (len(rows),)
        self.dimension = rows.base.shape[1]
        self._scorer: Scorer = ProcessorScorer(rows) if device == "cpu" else DeviceScorer(rows, device)

    def __len__(self) -> int:
        return self._count

    def top(self, vectors: Vectors, k: int) -> Aligned:
        """Return the k terms with the highest scores E_g · h, each term by its best row.

        :param vectors: Adjusted embeddings, shape (n, d).
        :param k: Terms a text; fewer where there are fewer terms.
        :return: Shape (n, min(k, T)), best first.
        """
        return self._best(vectors, k, (len(self),))[0]

    def top_of_parts(self, vectors: Vectors, k: int) -> list[Aligned]:
        """Return the k terms with the highest scores of each part of the rows.

        :param vectors: Adjusted embeddings, shape (n, d).
        :param k: Terms of each part; fewer where it has fewer.
        :return: For each part of T_p terms, shape (n, min(k, T_p)), best first.
        """
        return self._best(vectors, k, self.parts)

    def top_of_several(self, blocks: Iterable[Vectors], k: int, even: bool = False) -> list[BestOf]:
        """Return the k terms of each part that score highest in any passage of one text.

        :param blocks: Adjusted embeddings of its passages, some at a time; those of blank ones are all zeros.
        :param k: As in `top_of_parts`.
        :param even: Whether each passage's scores are scaled first so that the best of each part is as large as that of
            all passages: as weights are scaled that are shares of a text's largest.
        """
        best = np.full(len(self), -np.inf, dtype=np.float32)
        carried = np.zeros(len(self), dtype=np.int64)
        spans = [slice(end - size, end) for size, end in zip(self.parts, accumulate(self.parts), strict=True)]
        tops = np.zeros(len(spans), dtype=np.float32)
        for first, scores in self._panels_of(blocks):
            for part, span in enumerate(spans if even else ()):
                largest = scores[:, span].max(axis=1, initial=0.0)
                scores[:, span] /= np.where(largest > 0, largest, np.float32(1))[:, None]
                tops[part] = max(tops[part], largest.max())
            rows = scores.argmax(axis=0)
            top = scores[rows, np.arange(len(self))]
            better = top > best
            best[better], carried[better] = top[better], first + rows[better]
        for top_of_part, span in zip(tops.tolist(), spans, strict=True):
            best[span] *= np.float32(top_of_part) if top_of_part else np.float32(1)
        best[~np.isfinite(best)] = 0.0
        return [_best_of(best, carried, span, k) for span in spans]

    def _panels_of(self, blocks: Iterable[Vectors]) -> "Iterator[tuple[int, Vectors]]":
        """Yield all scores of passages that are not blank, few at a time, and the first one's number."""
        first = 0
        for vectors in blocks:
            for start in range(0, len(vectors), FEW):
                panel = vectors[start : start + FEW]
                scores = self.scores(panel)
                scores[~panel.any(axis=1)] = -np.inf
                yield first + start, scores
            first += len(vectors)

    def scores(self, vectors: Vectors) -> Vectors:
        """Return the scores of all terms, for few texts.

        :param vectors: Shape (n, d).
        :return: Shape (n, T).
        """
        return self._scorer.scores(np.ascontiguousarray(vectors, dtype=np.float32))

    def _best(self, vectors: Vectors, k: int, parts: tuple[int, ...]) -> list[Aligned]:
        shapes = [(len(vectors), min(k, size)) for size in parts]
        found = [Aligned(np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.float32)) for shape in shapes]
        if len(vectors):
            self._scorer.top(np.ascontiguousarray(vectors, dtype=np.float32), parts, found)
        return found


def _best_of(scores: Vectors, passages: npt.NDArray[np.int64], span: slice, k: int) -> BestOf:
    """Return the k best of the terms of one part."""
    from sparseembed.alignment.kernels import select_best

    size = span.stop - span.start
    terms, values = np.empty((1, min(k, size)), dtype=np.int32), np.empty((1, min(k, size)), dtype=np.float32)
    select_best(scores[None, :], scores.view(np.int32)[None, :], span.start, size, terms, values)
    return BestOf(terms[0], values[0], passages[terms[0]])
