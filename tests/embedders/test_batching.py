"""What a plan of batches promises, for any lengths."""

from hypothesis import given
from hypothesis import strategies as st

from sparseembed.embedders.batching import plan_batches

lengths = st.lists(st.integers(1, 200), max_size=80)
budgets = st.integers(1, 1000)


@given(lengths, budgets, st.integers(1, 12))
def test_each_text_is_in_exactly_one_batch(lengths, budget, largest):
    batches = plan_batches(lengths, budget, largest)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(batches)


@given(lengths, budgets, st.integers(1, 12))
def test_no_batch_is_over_its_limits(lengths, budget, largest):
    for batch in plan_batches(lengths, budget, largest):
        padded = len(batch) * max(lengths[row] for row in batch)
        assert len(batch) == 1 or padded <= budget
        assert len(batch) <= largest


@given(lengths, budgets)
def test_the_longest_come_first_and_equals_keep_their_order(lengths, budget):
    flat = [row for batch in plan_batches(lengths, budget) for row in batch]
    assert flat == sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))


@given(lengths, budgets, st.integers(1, 12))
def test_no_batch_could_take_the_next_text_as_well(lengths, budget, largest):
    batches = plan_batches(lengths, budget, largest)
    for batch in batches[:-1]:
        assert len(batch) == largest or (len(batch) + 1) * lengths[batch[0]] > budget


def test_a_text_over_the_budget_goes_alone():
    assert plan_batches([5, 50, 5], budget=20) == [[1], [0, 2]]


def test_no_texts_make_no_batches():
    assert plan_batches([], budget=20) == []
