"""Even samples against their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data.sampling import even_places, even_sample, stepped_places


@given(st.integers(0, 400), st.integers(0, 500))
def test_places_are_distinct_and_reach_from_end_to_end(count, most):
    places = even_places(count, most)
    wanted = min(count, most)
    assert len(places) == wanted
    assert places.dtype == np.int64
    if wanted:
        assert places[0] == 0
    if wanted > 1:
        assert places[-1] == count - 1
        gaps = np.diff(places)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(("most", "kept"), [(0, ""), (1, "a"), (2, "ad"), (4, "abde"), (6, "abcdef"), (9, "abcdef")])
def test_a_sample_of_a_mapping(most, kept):
    values = {letter: ord(letter) for letter in "abcdef"}
    assert even_sample(values, most) == {letter: ord(letter) for letter in kept}


@given(st.integers(0, 400), st.integers(1, 500))
def test_stepped_places_are_those_of_a_slice(count, most):
    places = stepped_places(count, most)
    step = max(1, -(-count // most))
    assert list(places) == list(range(count))[::step]
    assert len(places) <= most
    assert len(places) > most / 2 or len(places) == count or most == 1
