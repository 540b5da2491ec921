"""Scores as Anserini writes them, and what trec_eval makes of them."""

import numpy as np

from sparseembed.engines.base import Hit
from sparseembed.engines.ties import as_trec_eval_reads, run_scores


def test_scores_are_rounded_to_four_decimals():
    assert run_scores([1.23456, 0.5]) == [float(np.float32(1.2346)), 0.5]


def test_ties_go_down_in_steps():
    got = run_scores([2.0, 2.0, 2.0, 1.0])
    assert np.allclose(got, [2.0, 2.0 - 1e-6, 2.0 - 2e-6, 1.0], rtol=0, atol=1e-7)
    assert got[0] > got[1] > got[2]


def test_large_ties_stay_ties():
    assert run_scores([500.0, 500.0]) == [500.0, 500.0]


def test_no_scores():
    assert run_scores([]) == []


def test_trec_eval_orders_what_is_left_of_ties_by_id_descending():
    hits = [Hit("a", 500.0, 1), Hit("b", 500.0, 2), Hit("c", 2.0, 3), Hit("d", 2.0, 4)]
    assert [(hit.id, hit.rank) for hit in as_trec_eval_reads(hits)] == [("b", 1), ("a", 2), ("c", 3), ("d", 4)]
