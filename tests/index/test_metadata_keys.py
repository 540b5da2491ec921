"""Keys of metadata values: their bytes are in the order of the values, exactly."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.index.keys import LONGEST, after, key_of

near = st.builds(lambda base, step: 2**base + step, st.integers(50, 1022), st.integers(-3, 3))
numbers = st.one_of(
    st.integers(-5, 5),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False),
    near,
    near.map(lambda value: -value),
    near.map(float),
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 0.1, 1 / 3, math.inf, -math.inf]),
)


def sign(one, other):
    return (one > other) - (one < other)


@given(numbers, numbers)
def test_numbers_are_ordered_exactly(one, other):
    assert sign(key_of(one), key_of(other)) == sign(one, other)


@given(st.text(max_size=LONGEST // 4), st.text(max_size=LONGEST // 4))
def test_text_is_ordered_by_code_points(one, other):
    assert sign(key_of(one), key_of(other)) == sign(one, other)


@given(st.text("ab", max_size=3), st.text("ab", max_size=3), st.text("ab", max_size=30))
def test_long_text_is_told_apart_and_ordered_against_short_text(one, other, short):
    long = ["a" * (LONGEST - 1) + end + "x" * 30 for end in (one, other)]
    assert (key_of(long[0]) == key_of(long[1])) == (one == other)
    assert sign(key_of(long[0]), key_of(short)) == sign(long[0], short)
    edge = long[0][:LONGEST]
    assert key_of(edge) < key_of(long[0])
    assert len(key_of(long[0])) < 256


@given(st.lists(st.one_of(st.booleans(), numbers, st.text()), min_size=1))
def test_kinds_are_apart(values):
    for value in values:
        key = key_of(value)
        assert key[:1] == (b"b" if isinstance(value, bool) else b"s" if isinstance(value, str) else b"n")
        assert key[:1] <= key < after(key[:1])


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (0, -0.0), (2**60, float(2**60))])
def test_equal_numbers_have_one_key(one, other):
    assert key_of(one) == key_of(other)
    assert key_of(True) != key_of(1) != key_of("1")
    assert key_of(None) is None
