"""Which terms become postings: against a loop over documents, and through a sparsifier."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Decoder, DecodingRows, Sums
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.config import SparseConfig
from sparseembed.sparse.counts import TermCounts
from sparseembed.sparse.pruning import worth_keeping
from sparseembed.sparse.sparsify import Sparsifier

term = st.tuples(st.sampled_from([0.5, 1.0, 2.0, 3.5]), st.booleans(), st.booleans())
documents = st.lists(st.tuples(st.lists(term, max_size=12), st.integers(1, 6)), max_size=6)


def naive(document, most):
    """Say which terms of one document are kept."""
    others = [place for place, (_, literal, given) in enumerate(document) if given and not literal]
    best = sorted(others, key=lambda place: (-document[place][0], place))[:most]
    return [literal or place in best for place, (_, literal, _) in enumerate(document)]


@settings(deadline=None)
@given(documents)
def test_the_weightiest_are_kept_beside_all_literal_ones(rows):
    flat = [term for document, _ in rows for term in document]
    weights, literal, given_ = (np.array([each[part] for each in flat], dtype=kind) for part, kind in
                                ((0, np.float32), (1, bool), (2, bool)))  # fmt: skip
    indptr = np.cumsum([0, *(len(document) for document, _ in rows)])
    most = np.array([count for _, count in rows], dtype=np.int64)
    kept = worth_keeping(indptr, weights, literal, given_, most)
    assert kept.tolist() == [each for document, count in rows for each in naive(document, count)]


def sparsifier(config):
    # Four terms: the rows of the first two are rows of the base, those of the others are sums of two.
    base = np.eye(4, dtype=np.float32)
    sums = Sums(np.array([0, 1, 2, 3, 3, 2], np.int32), np.array([0, 1, 2, 4, 6]), np.ones(4, np.float32))
    rows = DecodingRows(base, np.arange(4), sums=sums)
    assert rows.single().tolist() == [True, True, False, False]
    vectors = np.array([[1, 2, 3, 4]], dtype=np.float32)
    adjustment = fit_adjustment("none", vectors)
    collection = CollectionStatistics(4, 8, np.array([1, 2, 1, 2]))
    made = Sparsifier(config, collection, Decoder(rows), adjustment)
    counts = TermCounts(np.array([0, 0]), np.array([2, 4]), (1, 5))
    return made.block(counts, vectors)


def test_a_rare_composed_word_stays_where_it_stands_and_is_given_to_no_other():
    choices = {"k": 4, "floor": "zero", "idf": False, "mix": 1.0}
    everything = sparsifier(SparseConfig(**choices))
    assert everything.terms.tolist() == [0, 1, 2, 3, 4]
    assert everything.literal.tolist() == [False, False, True, False, True]
    assert sparsifier(SparseConfig(**choices, composed=2)).terms.tolist() == [0, 1, 2, 3, 4]
    pruned = sparsifier(SparseConfig(**choices, composed=3))
    assert pruned.terms.tolist() == [0, 1, 2, 4]
    assert pruned.weights.tolist() == everything.weights[[0, 1, 2, 4]].tolist()
    assert sparsifier(SparseConfig(**choices, composed=3, kept=1)).terms.tolist() == [1, 2, 4]
    assert sparsifier(SparseConfig(**choices, kept=1)).terms.tolist() == [2, 3, 4]
