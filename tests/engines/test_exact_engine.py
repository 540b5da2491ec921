"""The exact engine against a naive dot product."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.engines.base import Hit
from sparseembed.engines.exact import ExactEngine
from sparseembed.errors import DataError

TERMS = st.sampled_from(["a", "b", "c", "d", "é", "😀"])
VECTORS = st.dictionaries(TERMS, st.integers(1, 65_535) | st.integers(1, 2), max_size=6)
COLLECTIONS = st.dictionaries(st.text(st.sampled_from("ab\uffff😀"), min_size=1, max_size=3), VECTORS, max_size=12)


def naive(documents, query, k):
    """Score every document, drop zeros, sort by score and then by the UTF-8 bytes of the id."""
    scores = {i: sum(w * query.get(t, 0) for t, w in vector.items()) for i, vector in documents.items()}
    found = sorted((i for i in scores if scores[i] > 0), key=lambda i: (-scores[i], i.encode()))
    return [Hit(i, float(scores[i]), rank) for rank, i in enumerate(found[:k], start=1)]


@given(COLLECTIONS, st.dictionaries(TERMS | st.just("unknown"), st.integers(1, 300)), st.integers(1, 15))
def test_equals_the_naive_dot_product(documents, query, k):
    engine = ExactEngine(list(documents), documents.values())
    assert engine.documents == len(documents)
    assert engine.search(query, k) == naive(documents, query, k)


@given(COLLECTIONS)
def test_the_order_of_documents_does_not_matter(documents):
    backwards = dict(reversed(documents.items()))
    query = {"a": 1, "b": 2}
    one = ExactEngine.from_pairs(documents.items()).search(query, 20)
    assert one == ExactEngine.from_pairs(backwards.items()).search(query, 20)


def test_by_hand():
    engine = ExactEngine(["d2", "d1", "d3"], [{"x": 2, "y": 1}, {"x": 4}, {}])
    assert engine.search({"x": 3, "y": 6}, 10) == [Hit("d1", 12.0, 1), Hit("d2", 12.0, 2)]
    assert engine.scores({"y": 6}).tolist() == [0, 6, 0]


def test_sums_beyond_32_bits_are_exact():
    vector = {f"t{i}": 65_535 for i in range(50)}
    engine = ExactEngine(["d"], [vector])
    (hit,) = engine.search(dict.fromkeys(vector, 2**24 - 1), 1)
    assert hit.score == 50 * 65_535 * (2**24 - 1)


def test_duplicate_ids_are_refused():
    with pytest.raises(DataError, match="'a' occurs twice"):
        ExactEngine(["a", "b", "a"], [{}, {}, {}])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_vectors_as_ids(count):
    with pytest.raises(DataError, match="2 ids but"):
        ExactEngine(["a", "b"], [{"x": 1}] * count)


def test_bad_weights_name_the_document():
    with pytest.raises(DataError, match="document 'b'"):
        ExactEngine(["a", "b"], [{"x": 1}, {"x": 0}])
