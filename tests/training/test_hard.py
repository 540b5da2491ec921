"""Hard negatives: BM25's best wrong answers, and never an answer in disguise."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.pseudo.pairs import Pair, Source
from sparseembed.training import run
from sparseembed.training.collisions import collide, mark_pairs
from sparseembed.training.hard import HARDEST, with_hard_negatives
from sparseembed.training.lexical import WordStatistics

WORDS = [a + b for a in "bcdfgh" for b in ("at", "en", "ot", "ul")]


def random_pairs(seed, count):
    """Make pairs of few words, so that BM25 finds wrong answers, and some texts that are nearly the same."""
    rng = random.Random(seed)
    pairs = []
    for _ in range(count):
        text = rng.choices(WORDS, k=rng.randint(6, 14))
        pairs.append(Pair(" ".join(rng.sample(text, 2)), " ".join(text)))
    twin = pairs[0]
    return [*pairs, Pair("twin of " + twin.query, twin.positive + " more")]


def naive(pairs):
    """Return the places of BM25's best wrong answers to each pair's query, all that are tied with the last one too."""
    marks = mark_pairs(pairs)
    texts = [pair.positive for pair in pairs]
    for number, scores in enumerate(WordStatistics(texts).bm25([pair.query for pair in pairs], texts).tolist()):
        found = [n for n in range(len(pairs)) if scores[n] > 0 and not collide(marks[number], marks[n])]
        found.sort(key=lambda n: -scores[n])
        least = scores[found[:HARDEST][-1]] if found else 0
        yield {n for n in found if scores[n] >= least - 1e-5}


@given(st.integers(0, 10_000))
def test_a_negative_is_one_of_bm25s_best_wrong_answers(seed):
    pairs = random_pairs(seed, 40)
    (made,) = with_hard_negatives([Source("s", tuple(pairs))], 0)
    for pair, given_one, places in zip(made.pairs, pairs, naive(pairs), strict=True):
        assert pair[:2] == given_one[:2]
        allowed = {pairs[n].positive for n in places}
        assert (pair.negative in allowed) if allowed else pair.negative is None


def test_no_answer_becomes_a_negative():
    text = "the cat sat on the mat and looked at the grey dog in the garden"
    pairs = [
        Pair("where did the cat sit", text),
        Pair("a grey dog", text + " today"),  # nearly the same text
        Pair("the cat sat on the mat", "what it looked at the cat never told the dog"),  # stands in the first text
        Pair("cat food", "a cat eats meat, and never the grass of a garden"),
    ]
    (made,) = with_hard_negatives([Source("s", tuple(pairs))], 0)
    assert made.pairs[0].negative == pairs[3].positive
    assert made.pairs[1].negative != text
    assert made.pairs[2].negative not in (text, pairs[1].positive)


def test_a_negative_that_is_given_is_kept_and_no_other_changes():
    pairs = random_pairs(3, 60)
    given_one = [*pairs]
    given_one[5] = given_one[5]._replace(negative="none of your words")
    free, bound = (with_hard_negatives([Source("s", tuple(each))], 7)[0].pairs for each in (pairs, given_one))
    assert bound[5].negative == "none of your words"
    assert [*free[:5], *free[6:]] == [*bound[:5], *bound[6:]]


def test_chance_is_the_seeds():
    source = Source("s", tuple(random_pairs(1, 80)))
    first, again, other = (with_hard_negatives([source], seed)[0] for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_where_bm25_finds_nothing_there_is_no_negative():
    pairs = (Pair("alpha", "beta gamma"), Pair("delta", "epsilon zeta"))
    assert with_hard_negatives([Source("s", pairs)], 0)[0].pairs == pairs


@pytest.mark.parametrize("objectives", [("dense", "aligned"), ("dense", "residual"), ("distilled",)])
def test_what_adds_to_bm25_is_trained_on_them(objectives, tiny_embedder, learnable, recipe, tmp_path, monkeypatch):
    seen = []

    class Seen(run.BatchPlan):
        def __init__(self, sources, *rest):
            seen.extend(pair for source in sources for pair in source.pairs)
            super().__init__(sources, *rest)

    monkeypatch.setattr(run, "BatchPlan", Seen)
    source = Source("nouns", tuple(learnable(60)))
    chosen = recipe.with_changes(objectives=objectives, steps=2, batch=8)
    made = run.train([source], tiny_embedder("tied"), tmp_path / "out", chosen, held_out=6)
    negatives = [pair.negative for pair in seen]
    assert any(negatives) == (objectives[-1] != "aligned")
    assert np.isfinite([point["loss"][objectives[-1]] for point in made.about["about"]["curve"]]).all()
