"""The metrics against loops over sets, and against figures worked by hand."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.analysis import metrics, spectrum, tokens, verdict
from sparseembed.analysis.metrics import (
    global_counts,
    global_rate,
    hit_curve,
    local_rates,
    per_text,
)
from sparseembed.analysis.tokens import make_sets, text_terms
from sparseembed.intervals import bootstrap_means

SIZE = 12


@st.composite
def rankings(draw):
    """Rankings of 12 terms and a set of terms for each of a few texts."""
    n = draw(st.integers(1, 8))
    top = [draw(st.permutations(range(SIZE))) for _ in range(n)]
    sets = [draw(st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=9)) for _ in range(n)]
    return np.asarray(top, dtype=np.int32), sets


@given(rankings())
def test_the_metrics_equal_loops_over_sets(drawn):
    top, lists = drawn
    sets = make_sets(lists, SIZE)
    found = per_text(top, sets)
    own = [set(each) for each in lists]
    for k in (1, 3, 12, 100):
        assert hit_curve(found.first_ranks)[k - 1] == pytest.approx(
            np.mean([bool(set(row[:k]) & mine) for row, mine in zip(top.tolist(), own, strict=True)])
        )
    overlap = [set(row[: len(mine)]) & mine for row, mine in zip(top.tolist(), own, strict=True)]
    expected = [len(both) / len(mine) for both, mine in zip(overlap, own, strict=True)]
    np.testing.assert_allclose(local_rates(found), expected)
    assert global_counts(top, sets) == (len(set().union(*overlap)), len(set().union(*own)))
    rate = global_rate(top, sets)
    assert 0 <= rate.low <= rate.value + 1e-12
    assert rate.value - 1e-12 <= rate.high <= 1


@given(rankings())
def test_perfect_rankings_have_perfect_rates_and_hits_never_fall_with_k(drawn):
    top, lists = drawn
    sets = make_sets(lists, SIZE)
    assert (np.diff(hit_curve(per_text(top, sets).first_ranks)) >= 0).all()
    perfect = np.asarray([sorted(range(SIZE), key=lambda term: (term not in mine, term)) for mine in lists])
    found = per_text(perfect.astype(np.int32), sets)
    assert local_rates(found).tolist() == [1.0] * len(lists)
    assert hit_curve(found.first_ranks)[0] == 1.0
    matched, present = global_counts(perfect.astype(np.int32), sets)
    assert matched == present


def test_marking_in_blocks_gives_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    sets = make_sets([rng.integers(0, 50, size=rng.integers(1, 20)).tolist() for _ in range(30)], 50)
    top = np.asarray([rng.permutation(50)[:25] for _ in range(30)])
    whole = sets.literal(top)
    monkeypatch.setattr(tokens, "BLOCK_CELLS", 120)
    np.testing.assert_array_equal(sets.literal(top), whole)
    assert whole.any()


def test_repeated_tokens_count_once():
    assert make_sets([[3, 1, 3, 3]], 5).sizes.tolist() == [2]


def test_sets_can_be_taken_in_another_order():
    sets = make_sets([[1, 2], [0], [3, 4]], 5)
    taken = sets.take(np.array([2, 0, 0]))
    assert (taken.terms.tolist(), taken.starts.tolist()) == ([3, 4, 1, 2, 1, 2], [0, 2, 4, 6])


def test_the_interval_is_that_of_a_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, size=(400, 1))
    low, high = bootstrap_means(values)
    assert low[0] < values.mean() < high[0]
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / np.sqrt(400), rel=0.15)
    assert bootstrap_means(values)[0][0] == low[0]


def test_text_terms_leave_out_special_tokens_and_what_is_cut_off(tiny_tokenizer):
    from sparseembed.sparse.pieces import piece_space

    space = piece_space("token", tiny_tokenizer, tiny_tokenizer.get_vocab_size())
    text = "the cat sat on the mat and the dog"
    pieces = tiny_tokenizer.encode(text, add_special_tokens=False).ids
    (found,) = text_terms([text], tiny_tokenizer, space.term_of_piece, "{text}", 100)
    assert found == sorted({space.term_of_piece[piece] for piece in pieces})
    # Of eight tokens, one is <s>: the text has room for seven.
    (cut,) = text_terms([text], tiny_tokenizer, space.term_of_piece, "{text}", 8)
    assert cut == sorted({space.term_of_piece[piece] for piece in pieces[:7]})
    assert text_terms([" ", ""], tiny_tokenizer, space.term_of_piece, "{text}", 8) == [[], []]


@pytest.mark.parametrize("module", [metrics, spectrum, tokens, verdict])
def test_the_examples_in_docstrings_hold(module):
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


def test_there_are_examples_for_each_metric():
    assert sum(bool(each.examples) for each in doctest.DocTestFinder().find(metrics)) >= 4
