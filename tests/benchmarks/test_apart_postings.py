"""Bytes, pruning, query weights and confidence, worked out by hand and against naive ways."""

import numpy as np
import pytest
from apart.postings import confidence, idf_weighted, keep_best, keep_share, postings_bytes, varint_bytes
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

matrices = st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=1, max_size=7)


def test_seven_bits_a_byte():
    numbers = np.array([0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_456])
    assert varint_bytes(numbers).tolist() == [1, 1, 1, 2, 2, 3, 3, 4, 5]


def test_bytes_of_postings_by_hand():
    rows, terms = np.array([0, 127, 255, 300, 130]), np.array([0, 0, 0, 0, 1])
    documents = csr_array((np.ones(5), (rows, terms)), shape=(301, 3))
    # Term 0: numbers 0, then gaps 127, 128, 45: 1 + 1 + 2 + 1 bytes. Term 1: number 130: 2 bytes. Term 2: none.
    assert postings_bytes(documents, 8) == 7 + 5
    assert postings_bytes(documents, 4) == 7 + 2.5
    assert postings_bytes(csr_array((301, 3)), 8) == 0


def test_the_share_is_of_each_document_s_own_largest():
    documents = csr_array(np.array([[100, 50, 49, 1], [4, 2, 1, 0], [0, 0, 0, 0]], dtype=float))
    assert keep_share(documents, 0.5).toarray().tolist() == [[100, 50, 0, 0], [4, 2, 0, 0], [0, 0, 0, 0]]
    assert keep_share(documents, 0.0).nnz == 7


def test_of_equal_impacts_the_lower_terms_stay():
    documents = csr_array(np.array([[3, 9, 3, 3], [0, 0, 5, 0], [0, 0, 0, 0]], dtype=float))
    assert keep_best(documents, 2).toarray().tolist() == [[3, 9, 0, 0], [0, 0, 5, 0], [0, 0, 0, 0]]


@given(matrices, st.integers(1, 5), st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_pruning_as_the_naive_way_does(rows, count, share):
    documents = csr_array(np.array(rows, dtype=float))
    best, shared = keep_best(documents, count).toarray(), keep_share(documents, share).toarray()
    for row, of_best, of_share in zip(rows, best.tolist(), shared.tolist(), strict=True):
        order = sorted(range(4), key=lambda term: (-row[term], term))[:count]
        assert of_best == [value if term in order else 0 for term, value in enumerate(row)]
        assert of_share == [value if value >= share * max(row) else 0 for value in row]
    assert documents.toarray().tolist() == rows  # what was given is left as it was


def test_query_weights_by_idf():
    idf = {"rare": 3.0, "common": 0.02, "middle": 1.03}
    query = {"rare": 2, "common": 1, "unknown": 5, "middle": 1}
    assert idf_weighted(query, idf) == {"rare": 96, "common": 1, "middle": 16}
    # Weights of an expanded query are 16 for a term that stands once.
    assert idf_weighted({"rare": 16, "middle": 8}, idf, unit=16) == {"rare": 48, "middle": 8}


def test_confidence_is_the_share_of_best_terms_that_stand_in_the_text():
    literal = csr_array(np.array([[2, 0, 1, 0, 0], [0, 0, 0, 0, 7], [0, 0, 0, 0, 0]]))
    best = np.array([[2, 1, 0, 3], [0, 1, 2, 3], [4, 3, 2, 1]], dtype=np.int32)
    assert confidence(best, literal).tolist() == [0.5, 0.0, 0.0]
    assert confidence(best[:, :1], literal).tolist() == [1.0, 0.0, 0.0]
    assert confidence(best[:, :0], literal).tolist() == [0.0, 0.0, 0.0]


def test_numbers_in_8_bits():
    from apart.dense import to_8_bits

    vectors = np.array([[0.5, -1.0, 0.25], [0.0, 0.0, 0.0], [254.0, 3.0, -1.0]], dtype=np.float32)
    assert to_8_bits(vectors).tolist() == [[64, -127, 32], [0, 0, 0], [127, 2, 0]]


def test_principal_directions_come_by_falling_spread():
    from apart.dense import principal

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 3)).astype(np.float32) * np.array([1, 5, 0.1], dtype=np.float32)
    spread = (vectors @ principal(vectors)).var(axis=0)
    assert spread[0] > spread[1] > spread[2]
    assert abs(principal(vectors)[:, 0]) == pytest.approx([0, 1, 0], abs=0.1)
