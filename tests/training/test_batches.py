import math
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.errors import ConfigError, DataError
from sparseembed.pseudo.duplicates import contained, near_groups
from sparseembed.pseudo.folding import WordTable, words_of
from sparseembed.pseudo.pairs import Pair, Source
from sparseembed.training import batches
from sparseembed.training.batches import MIXED, BatchPlan
from sparseembed.training.collisions import collide, mark_pairs

WORDS = ["red", "green", "blue", "cat", "dog", "sun", "moon", "sea", "tree", "stone"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
PAIRS = st.lists(st.builds(Pair, TEXTS, TEXTS, st.none() | TEXTS), min_size=2, max_size=24)


def distinct(name, count):
    return Source(name, tuple(Pair(f"{name} query{n}", f"{name} answer{n} text{n}") for n in range(count)))


def similarity(table, one, other):
    """Weighted Jaccard as `near_groups` defines it, over texts that are distinct."""
    rows = {table.text(n).tobytes(): set(table.text(n).tolist()) for n in range(len(table))}
    idf = lambda word: math.log(1 + len(rows) / sum(word in row for row in rows.values()))  # noqa: E731
    x, y = set(table.text(one).tolist()), set(table.text(other).tolist())
    union = sum(map(idf, x | y))
    return sum(map(idf, x & y)) / union if union else 1.0


@settings(max_examples=60)
@given(texts=st.lists(TEXTS | st.just("?!"), max_size=20))
def test_near_groups_are_the_components_of_a_naive_comparison(texts):
    table = WordTable.of(texts)
    group = list(range(len(texts)))
    for one, other in combinations(range(len(texts)), 2):
        if similarity(table, one, other) >= 0.7 - 1e-9:
            group = [group[one] if each == group[other] else each for each in group]
    numbers = {each: number for number, each in enumerate(dict.fromkeys(group))}
    assert near_groups(table).tolist() == [numbers[each] for each in group]


@given(texts=st.lists(TEXTS, max_size=20), least=st.integers(1, 4))
def test_contained_texts_are_those_that_a_search_finds(texts, least):
    first = {text: number for number, text in reversed(list(enumerate(texts)))}
    expected = [
        (first[text], first[holder])
        for text in first
        for holder in first
        if text != holder and len(text.split()) >= least and f" {text} " in f" {holder} "
    ]
    assert contained(WordTable.of(texts), least) == sorted(expected)


def test_words_of_a_template_weigh_little():
    diseases = ["asthma", "gout", "measles", "mumps", "rabies", "scurvy", "anaemia", "cholera"]
    texts = [f"What are the symptoms of {name}?" for name in diseases]
    assert near_groups(WordTable.of(texts)).tolist() == list(range(8))
    assert near_groups(WordTable.of([*texts, "what are  the SYMPTOMS of: gout"])).tolist() == [*range(8), 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [("Beta-Blockers, 2nd_try!", ["beta", "blockers", "2nd", "try"]), ("東京 ok", ["東", "京", "ok"]), ("…!", [])],
)
def test_words(text, words):
    assert words_of(text) == words


COLLIDING = [
    (Pair("the cat", "one text"), Pair("The  cat!", "other words")),  # the same query
    (Pair("first", "Some text."), Pair("second", "some text")),  # the same positive
    (Pair("the cat", "one"), Pair("unlike", "THE CAT")),  # a query that is the other's positive
    (Pair("a b c d e", "one"), Pair("unlike", "so a b c d e it is")),  # a query that stands in the other's positive
    (Pair("one", "a b c d e"), Pair("unlike", "so a b c d e it is")),  # a positive that stands in the other's
    (Pair("one", "this text"), Pair("unlike", "other", "this text")),  # a positive that is the other's negative
]
APART = [
    (Pair("a b c d", "one"), Pair("unlike", "so a b c d it is")),  # too short to tell anything
    (Pair("one", "two", "this text"), Pair("unlike", "other", "this text")),  # a negative of both
    (Pair("the cat", "one"), Pair("the dog", "two")),
]


@pytest.mark.parametrize(("pairs", "expected"), [(p, True) for p in COLLIDING] + [(p, False) for p in APART])
def test_which_pairs_collide(pairs, expected):
    one, other = mark_pairs(pairs)
    assert collide(one, other) is collide(other, one) is expected


@settings(max_examples=40)
@given(pairs=PAIRS, size=st.integers(2, 6), seed=st.integers(0, 3), alike=st.sampled_from([0.0, 0.5, 1.0]))
def test_each_pass_holds_each_pair_once_and_no_colliding_two_share_a_batch(pairs, size, seed, alike):
    plan = BatchPlan([Source("s", tuple(pairs))], size, seed, alike)
    marks = dict(zip(pairs, mark_pairs(pairs), strict=True))  # equal pairs have equal marks
    step = 0
    for _ in range(3):
        seen: Counter = Counter()
        while sum(seen.values()) < len(pairs):
            batch = plan.batch(step)
            assert 1 <= len(batch) <= size
            assert not any(collide(marks[one], marks[other]) for one, other in combinations(batch, 2))
            seen.update(batch)
            step += 1
        assert seen == Counter(pairs)


@settings(max_examples=25)
@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=4).filter(lambda counts: sum(counts) > 1),
    size=st.integers(2, 8),
    alike=st.sampled_from([0.0, 0.5]),
    steps=st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_any_step_can_be_asked_for(counts, size, alike, steps):
    sources = [distinct("abcd"[number], count) for number, count in enumerate(counts)]
    sequential = BatchPlan(sources, size, 5, alike)
    expected = [sequential.batch(step) for step in range(61)]
    fresh = BatchPlan(sources, size, 5, alike)
    assert [fresh.batch(step) for step in steps] == [expected[step] for step in steps]


def test_another_seed_is_another_order_and_another_pass_too():
    source = distinct("a", 40)
    one, other = BatchPlan([source], 10, 0), BatchPlan([source], 10, 1)
    assert [one.batch(n) for n in range(4)] != [other.batch(n) for n in range(4)]
    assert [one.batch(n) for n in range(4)] != [one.batch(n) for n in range(4, 8)]


def test_batches_are_of_one_source_each_and_nearly_equal():
    plan = BatchPlan([distinct("a", 101), distinct("b", 40), distinct("c", 3), distinct("d", 5)], 40, 0)
    assert plan.round_length == 3 + 1 + 1  # 101 / 40 is nearer to 3 than to 2
    found = {}
    for step in range(plan.round_length):
        batch = plan.batch(step)
        found.setdefault(plan.source(step), []).append(len(batch))
        names = {pair.query.split()[0] for pair in batch}
        assert names == ({"c", "d"} if plan.source(step) == MIXED else {plan.source(step)})
    assert {name: sorted(sizes) for name, sizes in found.items()} == {"a": [33, 34, 34], "b": [40], MIXED: [8]}


def test_a_large_source_has_no_more_than_its_cap(monkeypatch):
    monkeypatch.setattr(batches, "CAP", 20)
    plan = BatchPlan([distinct("large", 100), distinct("small", 10)], 5, 0)
    seen = Counter()
    for step in range(5 * 6):  # five rounds
        seen.update({plan.source(step): 1})
    assert seen == {"large": 5 * 4, "small": 5 * 2}


def test_a_query_that_returns_again_and_again_spreads_over_all_batches():
    pairs = [Pair("the same", f"answer{n} text{n}") for n in range(6)] + list(distinct("b", 6).pairs)
    plan = BatchPlan([Source("s", tuple(pairs))], 6, 0)
    firsts = [plan.batch(step) for step in range(6)]
    assert [len(batch) for batch in firsts] == [2] * 6
    assert [sum(pair.query == "the same" for pair in batch) for batch in firsts] == [1] * 6


def test_a_single_pair_of_a_source_joins_another():
    plan = BatchPlan([distinct("a", 4), distinct("b", 1)], 4, 0)
    assert sorted(len(plan.batch(step)) for step in range(2)) == [2, 3]


@pytest.mark.parametrize(
    ("sources", "size", "seed", "kind", "message"),
    [
        ([distinct("a", 4)], 1, 0, ConfigError, "batch size 1"),
        ([distinct("a", 4)], 4, -1, ConfigError, "seed -1"),
        ([distinct("a", 1)], 4, 0, DataError, "1 pairs to train on"),
        ([], 4, 0, DataError, "0 pairs to train on"),
    ],
)
def test_what_cannot_be_planned(sources, size, seed, kind, message):
    with pytest.raises(kind, match=message):
        BatchPlan(sources, size, seed)


def test_steps_are_counted_from_zero():
    with pytest.raises(ConfigError, match="step -1"):
        BatchPlan([distinct("a", 4)], 4, 0).batch(-1)
