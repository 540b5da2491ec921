"""Weighted terms of a document: the whole computation against a naive one, document by document."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from sparseembed.alignment.adjustment import Adjustment, fit_adjustment
from sparseembed.alignment.decoding import Decoder, DecodingRows, join_rows
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.config import SparseConfig
from sparseembed.sparse.counts import TermCounts
from sparseembed.sparse.sparsify import Sparsifier
from sparseembed.sparse.weighting import weigh

N, T, U, D = 9, 12, 3, 6  # documents, known terms, unknown ones, dimensions
BLANK = [4, 8]  # documents without terms, whose vectors are zero


@pytest.fixture(scope="module")
def parts():
    """Return embeddings, a decoding matrix and counts of which the last U terms are unknown."""
    rng = np.random.default_rng(11)
    vectors = (rng.normal(size=(N, D)) + 1).astype(np.float32)
    vectors[BLANK] = 0
    matrix = rng.normal(size=(T, D)).astype(np.float32)
    filled = [row for row in range(N) if row not in BLANK]
    rows = rng.choice(filled, size=50)
    terms = rng.integers(0, T + U, size=50)
    return vectors, matrix, TermCounts(rows, terms, (N, T + U))


def collection_of(counts):
    """Sum over the documents; the unknown terms are not among the frequencies."""
    every = CollectionStatistics.of(counts)
    return CollectionStatistics(every.documents, every.length, every.frequency[:T])


def sparsifier(parts, config):
    vectors, matrix, counts = parts
    decoder = Decoder(DecodingRows(matrix, np.arange(T, dtype=np.int64)))
    return Sparsifier(config, collection_of(counts), decoder, fit_adjustment(config.adjustment, vectors))


def dense(weighted, terms=T + U):
    return csr_array((weighted.weights, weighted.terms, weighted.indptr), shape=(len(weighted.indptr) - 1, terms))


def block(parts, config, rows):
    return sparsifier(parts, config).block(parts[2].take(np.asarray(rows)), parts[0][rows])


def naive(parts, config, row):
    """Weigh one document into an array over all terms."""
    vectors, matrix, counts = parts
    collection = collection_of(counts)
    adjusted = fit_adjustment(config.adjustment, vectors).apply(vectors)[row]
    scores = matrix @ adjusted
    kept = np.argsort(-scores)[: config.k]
    weights = np.zeros(T + U)
    weights[kept] = weigh(scores[None, kept], collection.idf[None, kept], config)[0]
    if not config.literal:
        return weights
    return collection.impacts(counts).toarray()[row] + config.weight * weights


CONFIGS = [
    SparseConfig(k=5, mix=0.3),
    SparseConfig(k=5, floor="zero", mix=0.7, adjustment="none"),
    SparseConfig(k=T + 50, floor="zero", scale="none", weighting="sqrt", adjustment="pc1", mix=1.0),
    SparseConfig(k=1, floor="zero", idf=False, mix=0.5),
    SparseConfig(k=5, mix=0.0),
    SparseConfig(k=5, literal=False),
    SparseConfig(k=5, literal=False, mix=0.0, adjustment="pc1:0.5", floor="zero"),
]


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_equals_the_dense_computation(parts, config):
    rows = [3, 0, 8, 7, 4]
    found = dense(block(parts, config, rows)).toarray()
    expected = [naive(parts, config, row) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert found.any()
    assert found[:, T:].any() == config.literal  # an unknown term is weighed where it stands, and nowhere else


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_a_blocks_entries_are_positive_in_order_and_marked(parts, config):
    rows = range(N)
    weighted = block(parts, config, list(rows))
    assert (weighted.weights > 0).all()
    assert [each.dtype for each in weighted] == [np.int64, np.int32, np.float32, np.bool_]
    counts = parts[2].matrix.toarray()
    for row in rows:
        span = slice(weighted.indptr[row], weighted.indptr[row + 1])
        assert (np.diff(weighted.terms[span]) > 0).all()
        literal = counts[row][weighted.terms[span]] > 0
        assert weighted.literal[span].tolist() == (literal & config.literal).tolist()
        if config.literal:
            assert set(np.flatnonzero(counts[row])) <= set(weighted.terms[span].tolist())


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_blank_documents_are_empty(parts, config):
    assert block(parts, config, BLANK).indptr.tolist() == [0, 0, 0]


def test_without_a_mix_the_literal_terms_stand_alone(parts):
    weighted = block(parts, SparseConfig(mix=0.0), list(range(N)))
    np.testing.assert_array_equal(dense(weighted).toarray(), collection_of(parts[2]).impacts(parts[2]).toarray())
    assert weighted.literal.all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_parts_are_weighed_apart_and_have_their_shares(parts, config, share):
    vectors, matrix, every = parts
    counts = TermCounts(*_entries(every.matrix[:, :T]), (N, T))
    first = 7
    scored = TermCounts(*_entries(counts.matrix), (N, T), np.arange(T) < first)
    collection = CollectionStatistics.of(scored)
    adjustment = fit_adjustment(config.adjustment, vectors)
    halves = [DecodingRows(each, np.arange(len(each))) for each in (matrix[:first], matrix[first:])]
    joined = Sparsifier(config.with_changes(pieces=share), collection, Decoder(join_rows(*halves)), adjustment)
    found = dense(joined.block(scored, vectors), T).toarray()
    expected = collection.impacts(scored).toarray() if config.literal else np.zeros((N, T))
    for start, half, weight in zip((0, first), halves, (1 - share, share), strict=True):
        span = slice(start, start + len(half))
        own = CollectionStatistics(collection.documents, collection.length, collection.frequency[span])
        few = TermCounts(*_entries(counts.matrix[:, span]), (N, len(half)))
        alone = Sparsifier(config.with_changes(literal=False), own, Decoder(half), adjustment).block(few, vectors)
        weights = dense(alone, len(half)).toarray()
        expected[:, span] += weight * weights * (config.weight if config.literal else 1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def _entries(matrix):
    """Return rows and terms of the occurrences that a matrix of counts stands for."""
    whole = matrix.tocoo()
    return (np.repeat(axis.astype(np.int64), whole.data) for axis in whole.coords)


def test_blocks_do_not_depend_on_their_company(parts):
    whole = dense(block(parts, CONFIGS[0], list(range(N)))).toarray()
    for row in range(N):
        alone = dense(block(parts, CONFIGS[0], [row])).toarray()[0]
        np.testing.assert_allclose(alone, whole[row], rtol=1e-5, atol=1e-7)


def test_another_collections_sums_change_idf_and_lengths_alone(parts):
    config = SparseConfig(k=5, mix=0.3)
    rarer = CollectionStatistics(1000, 9000, np.ones(T, dtype=np.int64))
    changed = sparsifier(parts, config).but(collection=rarer)
    assert changed.config is config
    before, after = (each.block(parts[2], parts[0]) for each in (sparsifier(parts, config), changed))
    np.testing.assert_array_equal(before.terms, after.terms)
    assert (after.weights > before.weights).all()


def test_a_collection_without_terms():
    counts = TermCounts(np.zeros(0, np.int64), np.zeros(0, np.int64), (2, 0))
    decoder = Decoder(DecodingRows(np.zeros((0, D), dtype=np.float32), np.zeros(0, dtype=np.int64)))
    for literal in (True, False):
        config = SparseConfig(literal=literal, mix=0.3)
        nothing = Adjustment("none", np.zeros(0, dtype=np.float32))
        made = Sparsifier(config, CollectionStatistics.of(counts), decoder, nothing)
        assert made.block(counts, np.ones((2, D), dtype=np.float32)).indptr.tolist() == [0, 0, 0]
