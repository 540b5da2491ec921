"""Document frequencies, idf and BM25 against sums written out in plain Python."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.sparse.counts import TermCounts

TERMS = 6
corpora = st.lists(st.lists(st.integers(-1, TERMS - 1), max_size=12), max_size=9)


def counts_of(documents, terms=TERMS):
    rows = np.asarray([row for row, document in enumerate(documents) for _ in document], dtype=np.int64)
    numbers = np.asarray([term for document in documents for term in document], dtype=np.int64)
    return TermCounts(rows, numbers, (len(documents), terms))


def naive_idf(documents, term):
    n = sum(any(each >= 0 for each in document) for document in documents)
    frequency = sum(term in document for document in documents)
    return math.log(1 + (n - frequency + 0.5) / (frequency + 0.5))


def naive_bm25(documents, row, term):
    """Lucene's formula with k1 0.9 and b 0.4; lengths are in terms, and blank documents have none."""
    known = [[each for each in document if each >= 0] for document in documents]
    filled = [len(document) for document in known if document]
    frequency = known[row].count(term)
    if not frequency:
        return 0.0
    norm = 0.9 * (0.6 + 0.4 * len(known[row]) / (sum(filled) / len(filled)))
    return naive_idf(documents, term) * frequency / (frequency + norm)


@given(corpora)
def test_frequencies_and_idf(documents):
    counts = counts_of(documents)
    for term in range(TERMS):
        assert counts.document_frequency[term] == sum(term in document for document in documents)
        assert counts.idf[term] == pytest.approx(naive_idf(documents, term), rel=1e-5)
    assert counts.idf.dtype == np.float32
    assert counts.lengths.tolist() == [sum(each >= 0 for each in document) for document in documents]


@given(corpora, st.data())
def test_bm25_of_any_rows(documents, data):
    rows = data.draw(st.lists(st.integers(0, len(documents) - 1), max_size=6)) if documents else []
    impacts = counts_of(documents).bm25(np.asarray(rows, dtype=np.int64)).toarray()
    expected = [[naive_bm25(documents, row, term) for term in range(TERMS)] for row in rows]
    np.testing.assert_allclose(impacts, np.reshape(expected, (len(rows), TERMS)), rtol=1e-5)
    assert impacts.dtype == np.float32


@given(corpora.filter(bool), st.data())
def test_an_excerpt_is_a_corpus_of_its_own(documents, data):
    rows = data.draw(st.lists(st.integers(0, len(documents) - 1), min_size=1, max_size=6))
    texts = data.draw(
        st.dictionaries(st.integers(0, len(rows) - 1), st.lists(st.integers(0, TERMS - 1), max_size=9), max_size=3)
    )
    excerpt = counts_of(documents).excerpt(np.asarray(rows, dtype=np.int64), texts)
    alone = counts_of([texts.get(place, documents[row]) for place, row in enumerate(rows)])
    np.testing.assert_array_equal(excerpt.matrix.toarray(), alone.matrix.toarray())
    np.testing.assert_array_equal(excerpt.idf, alone.idf)
    every = np.arange(len(rows))
    np.testing.assert_array_equal(excerpt.bm25(every).toarray(), alone.bm25(every).toarray())


def test_a_figure_worked_on_paper():
    # Two documents of 2 and 4 terms, mean 3; term 0 stands once in the first and twice in the second.
    impacts = counts_of([[0, 1], [0, 0, 2, 3]]).bm25(np.asarray([1, 0])).toarray()
    idf = math.log(1 + 0.5 / 2.5)
    assert impacts[0, 0] == pytest.approx(idf * 2 / (2 + 0.9 * (0.6 + 0.4 * 4 / 3)), rel=1e-6)
    assert impacts[1, 0] == pytest.approx(idf * 1 / (1 + 0.9 * (0.6 + 0.4 * 2 / 3)), rel=1e-6)


def test_a_collection_of_blank_documents():
    counts = counts_of([[], [-1]], terms=0)
    assert counts.idf.shape == (0,)
    assert counts.bm25(np.asarray([0, 1])).shape == (2, 0)
    assert counts_of([[], []]).bm25(np.asarray([1])).nnz == 0


def test_reading_impacts_leaves_the_counts_alone():
    counts = counts_of([[0, 0, 1], [2]])
    counts.bm25(np.asarray([0, 1]))
    assert counts.matrix.toarray()[0].tolist() == [2, 1, 0, 0, 0, 0]
    assert counts.matrix.dtype == np.int32


@given(corpora, st.integers(0, TERMS))
def test_terms_that_are_not_scored_have_an_idf_alone(documents, scored):
    whole = counts_of(documents).matrix.tocoo()
    at, terms = (axis.astype(np.int64) for axis in whole.coords)
    counts = TermCounts(at, terms, whole.shape, scored, whole.data)
    few = counts_of([[term for term in document if term < scored] for document in documents], terms=scored)
    rows = np.arange(len(documents))
    impacts = counts.bm25(rows).toarray()
    np.testing.assert_allclose(impacts[:, :scored], few.bm25(rows).toarray(), rtol=1e-6)
    assert not impacts[:, scored:].any()
    assert counts.lengths.tolist() == few.lengths.tolist()
    np.testing.assert_allclose(counts.idf[:scored], few.idf, rtol=1e-6)
    assert (counts.idf > 0).all()  # of a term in every document too, and in documents without a scored term
    again = counts.excerpt(rows, {})
    np.testing.assert_allclose(again.bm25(rows).toarray(), impacts, rtol=1e-6)
