"""Scorers: embeddings and spelled rows to terms' scores and the best terms, on the processor or on a torch device.

Texts are multiplied in panels of one width, the last filled up with zeros: how a matrix product rounds depends on its
shape, and so a text's scores do not depend on how many others come with it.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from sparseembed.alignment.decoding import Aligned, DecodingRows, Sums
from sparseembed.arrays import Vectors

BLOCK_BYTES = 64 << 20  # of scores held at once
_THREADS = 16  # at most
_DEVICE_PANEL = 256  # texts scored together on a device, at most


class Scorer(Protocol):
    """What a decoder computes with."""

    def top(self, vectors: Vectors, parts: Sequence[int], found: Sequence[Aligned]) -> None:
        """Find the best terms of each part.

        :param vectors: Shape (n, d).
        :param parts: Terms of each part, T in sum.
        :param found: Written: for each part as many terms as there is room for.
        """

    def scores(self, vectors: Vectors) -> Vectors:
        """Return the scores of all terms, shape (n, T)."""


class ProcessorScorer:
    """Scores by NumPy's matrix product and compiled loops."""

    def __init__(self, rows: DecodingRows) -> None:
        """Take the rows.

        :param rows: The rows.
        """
        base, compact = compact_base(rows)
        self._base = np.ascontiguousarray(base)
        self._rows = (compact.pieces.astype(np.uint32), compact.offsets, compact.factors)
        self._ends = np.append(rows.starts, len(compact.factors)).astype(np.int64)
        self._threads = max(1, min(_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1))

    def top(self, vectors: Vectors, parts: Sequence[int], found: Sequence[Aligned]) -> None:
        """Find the best terms of each part; see `Scorer.top`."""
        from sparseembed.alignment.kernels import select_best

        with ThreadPoolExecutor(self._threads) as pool:
            for start, scored in self._panels(vectors, pool):
                bits, first = scored.view(np.int32), 0
                jobs = []
                for size, part in zip(parts, found, strict=True):
                    for text, stop in _spans(len(scored), self._threads):
                        into = slice(start + text, start + stop)
                        there = (part.terms[into], part.scores[into])
                        jobs.append(pool.submit(select_best, scored[text:stop], bits[text:stop], first, size, *there))
                    first += size
                for job in jobs:
                    job.result()

    def scores(self, vectors: Vectors) -> Vectors:
        """Return the scores of all terms; see `Scorer.scores`."""
        result = np.empty((len(vectors), len(self._ends) - 1), dtype=np.float32)
        with ThreadPoolExecutor(self._threads) as pool:
            for start, scored in self._panels(vectors, pool):
                result[start : start + len(scored)] = scored
        return result

    def _panels(self, vectors: Vectors, pool: ThreadPoolExecutor) -> Iterator[tuple[int, Vectors]]:
        """Give the scores of some texts at a time, with the first one's number; they hold until the next are asked for.

        All texts of a panel are multiplied at once. Where the scores of all terms are too many, fewer are kept.
        """
        from sparseembed.alignment.kernels import score_terms
        from sparseembed.alignment.lanes import PANEL

        terms = len(self._ends) - 1
        kept = max(1, min(PANEL, BLOCK_BYTES // (4 * max(1, terms))))
        panel = np.zeros((PANEL, vectors.shape[1]), dtype=np.float32)
        scored = np.empty((len(self._base), PANEL), dtype=np.float32)
        whole = np.empty((min(kept, len(vectors)), terms), dtype=np.float32)
        for start in range(0, len(vectors), kept):
            block = vectors[start : start + kept]
            panel[: len(block)], panel[len(block) :] = block, 0.0
            np.matmul(self._base, panel.T, out=scored)
            out = whole[: len(block)]
            spans = _spans(terms, self._threads)
            jobs = [pool.submit(score_terms, scored, *self._rows, self._ends, span, out) for span in spans]
            for job in jobs:
                job.result()
            yield start, out


class DeviceScorer:
    """Scores by torch, on any device."""

    def __init__(self, rows: DecodingRows, device: str) -> None:
        """Put the rows on the device.

        :param rows: The rows.
        :param device: A torch device.
        """
        import torch

        base, compact = compact_base(rows)
        count = len(compact.factors)
        sizes = np.diff(np.append(rows.starts, count))
        self._terms, self._device = len(rows), device
        # A width of panels that depends on the rows alone; scores of rows and of terms stand beside each other.
        self._width = max(1, min(_DEVICE_PANEL, BLOCK_BYTES // (4 * max(1, count))))
        self._base, self._pieces, self._offsets, self._factors, self._of = (
            torch.from_numpy(np.ascontiguousarray(each)).to(device)
            for each in (
                base,
                compact.pieces.astype(np.int64),
                compact.offsets[:-1],
                compact.factors[:, None],
                np.repeat(np.arange(len(rows)), sizes),
            )
        )
        self._grouped = self._terms != count

    def top(self, vectors: Vectors, parts: Sequence[int], found: Sequence[Aligned]) -> None:
        """Find the best terms of each part; see `Scorer.top`."""
        for start, scored in self._panels(vectors):
            first = 0
            for size, part in zip(parts, found, strict=True):
                values, terms = best_of_rows(scored[:, first : first + size], part.terms.shape[1])
                part.terms[start : start + len(scored)] = terms.cpu().numpy() + first
                part.scores[start : start + len(scored)] = values.cpu().numpy()
                first += size

    def scores(self, vectors: Vectors) -> Vectors:
        """Return the scores of all terms; see `Scorer.scores`."""
        result = np.empty((len(vectors), self._terms), dtype=np.float32)
        for start, scored in self._panels(vectors):
            result[start : start + len(scored)] = scored.cpu().numpy()
        return result

    def _panels(self, vectors: Vectors) -> Iterator[tuple[int, Any]]:
        import torch
        from torch.nn.functional import embedding_bag

        with torch.inference_mode():
            for start in range(0, len(vectors), self._width):
                block = torch.from_numpy(vectors[start : start + self._width]).to(self._device)
                panel = torch.zeros((self._width, vectors.shape[1]), device=self._device)
                panel[: len(block)] = block
                scored = self._base @ panel.T
                if len(self._factors):
                    scored = embedding_bag(self._pieces, scored, self._offsets, mode="sum") * self._factors
                if self._grouped:
                    lowest = torch.full((self._terms, self._width), -torch.inf, device=self._device)
                    scored = lowest.scatter_reduce_(0, self._of[:, None].expand_as(scored), scored, "amax")
                yield start, scored.T[: len(block)].contiguous()


def best_of_rows(scored: Any, k: int) -> tuple[Any, Any]:
    """Find the k largest of each row: by falling score, equal ones by rising number.

    :param scored: A torch tensor, shape (n, T).
    :param k: At most T.
    :return: Values and places, shape (n, k) each.
    """
    import torch

    values, places = torch.topk(scored, k, dim=1)
    # topk does not say which of equal scores it takes: rows where the last one's equals were left out are sorted.
    split = (scored >= values[:, -1:]).sum(dim=1) > k if k else torch.zeros(len(scored), dtype=torch.bool)
    places = places.sort(dim=1).values
    order = scored.gather(1, places).sort(dim=1, descending=True, stable=True)
    values, places = order.values, places.gather(1, order.indices)
    for row in split.nonzero().flatten().tolist():
        whole = scored[row].sort(descending=True, stable=True)
        values[row], places[row] = whole.values[:k], whole.indices[:k]
    return values, places


def compact_base(rows: DecodingRows) -> tuple[Vectors, Sums]:
    """Return base and sums without the rows of the base that no row is made of."""
    sums = rows.spelled()
    used = np.unique(sums.pieces)
    if len(used) == len(rows.base):
        return rows.base, sums
    number = np.zeros(len(rows.base), dtype=np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    return rows.base[used], sums._replace(pieces=number[sums.pieces])


def _spans(size: int, parts: int) -> list[tuple[int, int]]:
    """Cut 0..size-1 into at most `parts` even spans, none empty."""
    edges = np.linspace(0, size, min(parts, size) + 1).astype(int).tolist() if size else [0]
    return list(pairwise(edges))
