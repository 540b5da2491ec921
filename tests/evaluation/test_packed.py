"""Packed runs: the same runs in less memory."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.engines.base import Hit
from sparseembed.evaluation.packed import PackedRun, packed

SCORES = st.floats(allow_nan=False, allow_infinity=False)


def ranked(scores):
    return [Hit(doc, score, rank) for rank, (doc, score) in enumerate(scores.items(), 1)]


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=4), st.dictionaries(st.text(max_size=4), SCORES, max_size=6), max_size=4))
def test_a_packed_run_is_the_run(scores):
    run = {query: ranked(docs) for query, docs in scores.items()}
    found = packed(run)
    assert (dict(found), len(found), list(found)) == (run, len(run), list(run))
    assert found == run
    assert all(type(hit) is Hit and type(hit.score) is float for hits in found.values() for hit in hits)
    assert packed(found) is found


def test_twelve_bytes_a_hit():
    run = {f"q{query}": ranked({f"d{doc}": 1.0 / doc for doc in range(1, 1001)}) for query in range(50)}
    assert 12 <= len(pickle.dumps(PackedRun(run))) / (50 * 1000) < 12.7  # with each id once, and the arrays' heads


def test_a_query_that_is_not_there():
    with pytest.raises(KeyError):
        PackedRun({"a": []})["b"]
    assert PackedRun({}).get("b", []) == []
    assert "a" in PackedRun({"a": []})
    assert "b" not in PackedRun({"a": []})
