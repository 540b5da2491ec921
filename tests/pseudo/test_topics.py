import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.errors import ConfigError
from sparseembed.pseudo import topics
from sparseembed.pseudo.pairs import Pair, Source
from sparseembed.pseudo.topics import topic_groups, topic_points
from sparseembed.training.batches import BatchPlan

THEMES = {
    "sea": "whale ship salt wave tide harbour sailor reef",
    "farm": "wheat cow barn tractor harvest hay plough seed",
    "law": "court judge trial verdict appeal statute jury oath",
    "music": "violin chord opera tempo chorus flute rhythm score",
}


def pairs_on(count, seed=0):
    """Make pairs of four themes in turn, each of some of its theme's words, of its own words and of words of all."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        words = list(THEMES.values())[number % 4].split()
        chosen = rng.choice(words, 5, replace=False)
        own = " ".join(f"{letter}{number}" for letter in "pqrstuvw")
        made.append(Pair(f"the {chosen[0]} of {number}x", f"{' and the '.join(chosen)} {own}"))
    return made


def theme_of(pair):
    return next(name for name, words in THEMES.items() if pair.positive.split()[0] in words)


def generator(seed=0):
    return np.random.default_rng(seed)


def test_groups_are_of_one_theme():
    pairs = pairs_on(80)
    groups = topic_groups(topic_points(pairs, generator()), 4, generator(1))
    assert sorted(len(group) for group in groups) == [20, 20, 20, 20]
    assert all(len({theme_of(pairs[number]) for number in group}) == 1 for group in groups)


def test_a_sample_is_enough_to_fit_the_space(monkeypatch):
    monkeypatch.setattr(topics, "SAMPLE", 24)
    pairs = pairs_on(80)
    points = topic_points(pairs, generator())
    assert points.shape[0] == 80
    groups = topic_groups(points, 4, generator(1))
    assert all(len({theme_of(pairs[number]) for number in group}) == 1 for group in groups)


def test_points_lie_as_words_do():
    """With as many dimensions as there are words nothing is lost: inner products are those of the tf-idf vectors."""
    pairs = pairs_on(40)
    points = topic_points(pairs, generator())
    assert points.shape[1] <= topics.DIMENSION
    products = points @ points.T
    assert products[0, 0] == pytest.approx(1.0)
    mates = list(range(4, 40, 4))
    others = [number for number in range(1, 40) if number % 4]
    assert products[0, mates].mean() > 10 * abs(products[0, others].mean())


@settings(max_examples=40)
@given(count=st.integers(1, 60), parts=st.integers(1, 9), seed=st.integers(0, 5))
def test_each_point_is_in_one_group_of_nearly_equal_ones(count, parts, seed):
    parts = min(count, parts)
    points = generator(seed).standard_normal((count, 3)).astype(np.float32)
    groups = topic_groups(points, parts, generator(seed + 1))
    assert sorted(number for group in groups for number in group.tolist()) == list(range(count))
    sizes = [len(group) for group in groups]
    assert len(sizes) == parts
    assert max(sizes) - min(sizes) <= 2


def test_chance_draws_other_groups_of_the_same_points():
    points = topic_points(pairs_on(80), generator())
    drawn = [{frozenset(group.tolist()) for group in topic_groups(points, 11, generator(seed))} for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("texts", [["same"] * 9, ["?"] * 9, [f"word{n}" for n in range(9)], ["one", "two", "three"]])
def test_texts_that_tell_nothing_apart(texts):
    points = topic_points([Pair(text, text) for text in texts], generator())
    assert np.isfinite(points).all()
    assert sum(len(group) for group in topic_groups(points, 3, generator())) == len(texts)


def test_a_plan_puts_what_is_alike_together():
    source = Source("s", tuple(pairs_on(160)))
    shares = []
    for alike in (0.0, 1.0):
        plan = BatchPlan([source], 10, 0, alike)
        batches = [plan.batch(step) for step in range(16)]
        themes = [[theme_of(pair) for pair in batch] for batch in batches]
        shares.append(np.mean([max(names.count(name) for name in names) / len(names) for names in themes]))
    assert shares[0] < 0.6
    assert shares[1] > 0.9


def test_a_batch_of_halves_is_of_two_themes():
    source = Source("s", tuple(pairs_on(160)))
    plan = BatchPlan([source], 20, 0, 0.5)
    themes = [{theme_of(pair) for pair in plan.batch(step)} for step in range(8)]
    assert [len(names) for names in themes].count(2) >= 6


@pytest.mark.parametrize("alike", [-0.1, 1.5])
def test_impossible_shares_are_one_line(alike):
    with pytest.raises(ConfigError, match=f"alike {alike}: give the share of a batch that is alike, 0 to 1"):
        BatchPlan([Source("s", tuple(pairs_on(8)))], 4, 0, alike)
