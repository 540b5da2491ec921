"""What every engine checks before it searches."""

import numpy as np
import pytest

from sparseembed.engines.base import MAX_WEIGHT, Engine, Hit, check_count, check_query
from sparseembed.errors import ConfigError


class Recorder(Engine):
    """Keeps what reaches it."""

    def __init__(self):
        self.seen = []

    @property
    def documents(self):
        return 3

    def _search(self, query, k, selection):
        self.seen.append((query, k))
        return [Hit("d", 1.0, 1)]


@pytest.mark.parametrize("k", [0, -1, 1.0, "3", None, True, float("nan")])
def test_k_must_be_a_whole_number_above_zero(k):
    with pytest.raises(ConfigError, match=r"k is .*1 or more"):
        Recorder().search({"a": 1}, k)
    with pytest.raises(ConfigError, match="k is"):
        Recorder().search_batch([], k)


@pytest.mark.parametrize("weight", [0, -1, 0.7, 1.0, "1", None, True, MAX_WEIGHT + 1, np.float32(2)])
def test_weights_must_be_positive_integers(weight):
    engine = Recorder()
    with pytest.raises(ConfigError, match="'bad' has the weight"):
        engine.search({"good": 1, "bad": weight}, 5)
    with pytest.raises(ConfigError, match="'bad' has the weight"):
        engine.search_batch([{"good": 1}, {"bad": weight}], 5)
    assert engine.seen == []


def test_terms_must_be_strings():
    with pytest.raises(ConfigError, match="17 is no string"):
        Recorder().search({17: 1}, 5)


def test_numpy_integers_become_plain_ones():
    engine = Recorder()
    engine.search({"a": np.int64(7), "b": np.uint8(255)}, np.int32(4))
    ((query, k),) = engine.seen
    assert query == {"a": 7, "b": 255}
    assert {type(weight) for weight in query.values()} == {int}
    assert (k, type(k)) == (4, int)


def test_an_empty_query_finds_nothing_and_is_not_searched():
    engine = Recorder()
    assert engine.search({}, 5) == []
    assert engine.search_batch([{}, {"a": 1}, {}], 5) == [[], [Hit("d", 1.0, 1)], []]
    assert engine.seen == [({"a": 1}, 5)]


def test_threads_are_checked_too():
    with pytest.raises(ConfigError, match="threads is 0"):
        Recorder().search_batch([{"a": 1}], 5, threads=0)


def test_check_count_names_what_the_user_calls_it():
    check_count("docs_k", 1)
    with pytest.raises(ConfigError, match="docs_k is 0"):
        check_count("docs_k", 0)


def test_check_query_does_not_change_its_argument():
    query = {"a": np.int64(3)}
    assert check_query(query) == {"a": 3}
    assert type(query["a"]) is np.int64
