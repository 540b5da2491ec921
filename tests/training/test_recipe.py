import doctest
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.errors import ConfigError
from sparseembed.training import recipe as module
from sparseembed.training.recipe import Recipe


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"objectives": ()}, "objectives must be some of dense, aligned, residual, searched, distilled, fused"),
        ({"objectives": ("dense", "sparse")}, "not dense, sparse"),
        ({"objectives": ("dense", "dense")}, "not dense, dense"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"batch": 1}, "batch must be at least 2, not 1"),
        ({"cached_tokens": 0}, "cached_tokens must be at least 1"),
        ({"rank": 0}, "rank must be at least 1"),
        ({"query_length": 7}, "query_length must be at least 8 tokens, not 7"),
        ({"document_length": -3}, "document_length must be at least 8 tokens, not -3"),
        ({"layers": 0.0}, "layers must be above 0 and at most 1, not 0.0"),
        ({"layers": 1.01}, "layers must be above 0 and at most 1"),
        ({"temperature": float("nan")}, "temperature must be above 0 and at most 10, not nan"),
        ({"learning_rate": -1e-3}, "learning_rate must be above 0 and at most 1"),
        ({"learning_rate": float("inf")}, "learning_rate must be above 0 and at most 1, not inf"),
        ({"alpha": 0}, "alpha must be above 0"),
        ({"warmup": 1.0}, "warmup must be a share of the steps"),
        ({"sparsity": -0.1}, "sparsity must be between 0 and 100"),
        ({"sparsity": float("nan")}, "sparsity must be between 0 and 100"),
        ({"seed": -1}, "seed must be at least 0 and below 2^63, not -1"),
        ({"seed": 2**64}, "seed must be at least 0 and below 2^63"),
    ],
)
def test_a_choice_outside_its_range_is_one_line(changes, told):
    with pytest.raises(ConfigError) as caught:
        Recipe().with_changes(**changes)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()


def test_changes_leave_what_is_none():
    changed = Recipe().with_changes(steps=3, batch=None, objectives=["residual"])
    assert changed == Recipe(steps=3, objectives=("residual",))
    assert changed.as_dict() == {**Recipe().as_dict(), "steps": 3, "objectives": ["residual"]}


@given(steps=st.integers(1, 500), warmup=st.floats(0, 0.99))
def test_the_rate_rises_to_its_largest_and_falls_to_almost_0(steps, warmup):
    recipe = Recipe(steps=steps, warmup=warmup, learning_rate=0.5)
    rates = [recipe.rate(step) for step in range(steps)]
    assert all(0 < rate <= 0.5 for rate in rates)
    rising = min(round(warmup * steps), steps - 1)
    assert all(one <= other for one, other in pairwise(rates[: rising + 1]))
    assert all(one > other for one, other in pairwise(rates[rising:]))
    assert max(rates) == pytest.approx(0.5)
    assert recipe.rate(steps) == 0


def test_the_examples():
    assert doctest.testmod(module).failed == 0
