"""Counts of literal terms, the sums over a collection, idf and BM25, against sums written out in plain Python."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.sparse.bm25 import idf, saturation
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.counts import TermCounts

TERMS = 6
corpora = st.lists(st.lists(st.integers(-1, TERMS - 1), max_size=12), max_size=9)


def counts_of(documents, terms=TERMS, scored=None):
    rows = np.asarray([row for row, document in enumerate(documents) for _ in document], dtype=np.int64)
    numbers = np.asarray([term for document in documents for term in document], dtype=np.int64)
    return TermCounts(rows, numbers, (len(documents), terms), scored)


def impacts_of(documents, terms=TERMS):
    """Return the impacts of a collection whose sums are its own."""
    counts = counts_of(documents, terms)
    return CollectionStatistics.of(counts).impacts(counts).toarray()


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
def test_frequencies_lengths_and_idf(documents):
    counts = counts_of(documents)
    collection = CollectionStatistics.of(counts)
    lengths = [sum(each >= 0 for each in document) for document in documents]
    for term in range(TERMS):
        assert counts.frequency[term] == sum(term in document for document in documents)
        assert collection.idf[term] == pytest.approx(naive_idf(documents, term), rel=1e-5)
    assert collection.idf.dtype == np.float32
    assert counts.lengths.tolist() == lengths
    assert (collection.documents, collection.length) == (sum(map(bool, lengths)), sum(lengths))
    np.testing.assert_array_equal(collection.frequency, counts.frequency)
    assert len(counts) == len(documents)


@given(corpora, st.data())
def test_impacts_of_any_documents(documents, data):
    rows = data.draw(st.lists(st.integers(0, len(documents) - 1), max_size=6)) if documents else []
    counts = counts_of(documents)
    part = counts.take(np.asarray(rows, dtype=np.int64))
    impacts = CollectionStatistics.of(counts).impacts(part).toarray()
    expected = [[naive_bm25(documents, row, term) for term in range(TERMS)] for row in rows]
    np.testing.assert_allclose(impacts, np.reshape(expected, (len(rows), TERMS)), rtol=1e-5)
    assert impacts.dtype == np.float32
    assert part.lengths.tolist() == [counts.lengths[row] for row in rows]
    assert part.matrix.toarray().tolist() == counts.matrix.toarray()[rows].tolist()


@given(corpora, st.data())
def test_the_sums_of_parts_add_up_to_those_of_the_whole(documents, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(documents)), max_size=3)))
    places = [0, *cuts, len(documents)]
    parts = [counts_of(documents[start:end]) for start, end in pairwise(places)]
    added = CollectionStatistics(0, 0, np.zeros(TERMS, dtype=np.int64))
    for part in parts:
        added = added + CollectionStatistics.of(part)
    whole = CollectionStatistics.of(counts_of(documents))
    assert (added.documents, added.length, added.mean_length) == (whole.documents, whole.length, whole.mean_length)
    np.testing.assert_array_equal(added.frequency, whole.frequency)
    np.testing.assert_array_equal(added.idf, whole.idf)


def test_sums_of_two_vocabularies_do_not_add_up():
    with pytest.raises(ValueError, match="1 known terms and 2"):
        CollectionStatistics(1, 1, np.ones(1, dtype=np.int64)) + CollectionStatistics(1, 1, np.ones(2, dtype=np.int64))


@given(corpora.filter(lambda documents: any(term >= 0 for document in documents for term in document)), st.data())
def test_an_unknown_term_weighs_as_one_of_a_single_document(documents, data):
    known = data.draw(st.integers(0, TERMS))
    whole = CollectionStatistics.of(counts_of(documents))
    few = CollectionStatistics(whole.documents, whole.length, whole.frequency[:known])
    assert few.idf_of(known + 2).tolist() == pytest.approx([*few.idf.tolist(), *[idf(1, whole.documents)] * 2])
    counts = counts_of(documents)
    impacts = few.impacts(counts).toarray()
    np.testing.assert_array_equal(impacts[:, :known], whole.impacts(counts).toarray()[:, :known])
    for row, document in enumerate(documents):
        for term in range(known, TERMS):
            tf, length = document.count(term), sum(each >= 0 for each in document)
            expected = idf(1, whole.documents) * saturation(tf, length, whole.mean_length) if tf else 0.0
            assert impacts[row, term] == pytest.approx(expected, rel=1e-5)


def test_a_figure_worked_on_paper():
    # Two documents of 2 and 4 terms, mean 3; term 0 stands once in the first and twice in the second.
    impacts = impacts_of([[0, 1], [0, 0, 2, 3]])
    expected = math.log(1 + 0.5 / 2.5)
    assert impacts[1, 0] == pytest.approx(expected * 2 / (2 + 0.9 * (0.6 + 0.4 * 4 / 3)), rel=1e-6)
    assert impacts[0, 0] == pytest.approx(expected * 1 / (1 + 0.9 * (0.6 + 0.4 * 2 / 3)), rel=1e-6)


def test_a_collection_of_blank_documents():
    collection = CollectionStatistics.of(counts_of([[], [-1]], terms=0))
    assert (collection.documents, collection.length, collection.mean_length) == (0, 0, 1.0)
    assert collection.idf.shape == (0,)
    assert impacts_of([[], [-1]], terms=0).shape == (2, 0)
    assert not impacts_of([[], []]).any()
    # A document that is added later is weighed by it all the same.
    later = counts_of([[0, 1]])
    assert (CollectionStatistics.of(counts_of([[]], terms=0)).impacts(later).toarray()[0, :2] > 0).all()


def test_reading_impacts_leaves_the_counts_alone():
    counts = counts_of([[0, 0, 1], [2]])
    CollectionStatistics.of(counts).impacts(counts)
    assert counts.matrix.toarray()[0].tolist() == [2, 1, 0, 0, 0, 0]
    assert counts.matrix.dtype == np.int32


@given(corpora, st.lists(st.booleans(), min_size=TERMS, max_size=TERMS))
def test_terms_that_are_not_scored_have_an_idf_alone(documents, scored):
    mask = np.asarray(scored)
    counts = counts_of(documents, scored=mask)
    collection = CollectionStatistics.of(counts)
    few = counts_of([[term for term in document if term >= 0 and scored[term]] for document in documents])
    impacts = collection.impacts(counts)
    assert (impacts.data > 0).all()
    np.testing.assert_allclose(impacts.toarray(), CollectionStatistics.of(few).impacts(few).toarray(), rtol=1e-6)
    assert counts.lengths.tolist() == few.lengths.tolist()
    np.testing.assert_allclose(collection.idf[mask], CollectionStatistics.of(few).idf[mask], rtol=1e-6)
    assert (collection.idf > 0).all()  # of a term in every document too, and in documents without a scored term
    again = counts.take(np.arange(len(documents)))
    np.testing.assert_array_equal(collection.impacts(again).toarray(), impacts.toarray())


def test_occurrences_may_be_counted_already():
    rows, terms = np.asarray([0, 1, 1]), np.asarray([2, -1, 0])
    counts = TermCounts(rows, terms, (2, 3), None, np.asarray([4, 9, 2], dtype=np.int32))
    assert counts.matrix.toarray().tolist() == [[0, 0, 4], [2, 0, 0]]
    assert counts.lengths.tolist() == [4, 2]
