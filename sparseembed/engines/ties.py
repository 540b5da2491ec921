"""Scores as Anserini writes them into a run file, which decide how trec_eval orders ties.

trec_eval ignores ranks: it sorts by score, and equal scores by document id, *descending*. So Anserini lowers tied
scores a little. Published figures contain that step and its limit: from about 16 on, float32 cannot hold it, and the
ties of long queries do fall to trec_eval (ArguAna's BM25, nDCG@10: .3840 so, and .3873 in Anserini's own order).
"""

from collections.abc import Sequence
from math import floor

import numpy as np

from sparseembed.engines.base import Hit


def run_scores(scores: Sequence[float]) -> list[float]:
    """Do what Anserini's ScoreTiesAdjusterReranker does: round to 4 decimals, then lower ties in steps of 1e-6.

    :param scores: the scores of one query's hits, best first.
    :return: the scores for the run file, as float32 values; those of ties descend as far as float32 allows.
    """
    margin, step = np.float32(1e-4), np.float32(1e-6)
    adjusted: list[float] = []
    last, tied = np.float32(0), 0
    for place, score in enumerate(scores):
        rounded = np.float32(floor(float(np.float32(score)) * 10_000 + 0.5) / 10_000)
        tied = 0 if place == 0 or last - rounded > margin else tied + 1
        last = rounded - step * np.float32(tied)
        adjusted.append(float(last))
    return adjusted


def as_trec_eval_reads(hits: Sequence[Hit]) -> list[Hit]:
    """Order one query's hits as trec_eval orders them when it reads Anserini's run of them.

    :param hits: the hits, best first, ties by id, ascending.
    :return: the same documents with their scores of `run_scores`, ranked anew.
    """
    scored = zip(run_scores([hit.score for hit in hits]), [hit.id for hit in hits], strict=True)
    return [Hit(doc_id, score, rank) for rank, (score, doc_id) in enumerate(sorted(scored, reverse=True), start=1)]
