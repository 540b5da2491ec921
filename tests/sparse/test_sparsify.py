"""Sparsifying against a dense computation, one text and one term at a time."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from sparseembed.alignment.adjustment import Adjustment, fit_adjustment
from sparseembed.alignment.decoding import Decoder, DecodingRows, join_rows
from sparseembed.sparse.config import SparseConfig
from sparseembed.sparse.counts import TermCounts
from sparseembed.sparse.sparsify import Sparsifier
from sparseembed.sparse.spill import Block, Spill
from sparseembed.sparse.weighting import weigh

N, T, D = 9, 12, 6
BLANK = [4, 8]  # documents without terms, whose vectors are zero


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(11)
    vectors = (rng.normal(size=(N, D)) + 1).astype(np.float32)
    vectors[BLANK] = 0
    matrix = rng.normal(size=(T, D)).astype(np.float32)
    filled = [row for row in range(N) if row not in BLANK]
    rows = rng.choice(filled, size=40)
    terms = rng.integers(0, T, size=40)
    return vectors, matrix, TermCounts(rows, terms, (N, T))


def sparsifier(parts, config):
    vectors, matrix, counts = parts
    decoder = Decoder(DecodingRows(matrix, np.arange(T, dtype=np.int64)))
    return Sparsifier(config, counts, decoder, fit_adjustment(config.adjustment, vectors))


def dense(block):
    return csr_array((block.weights, block.terms, block.indptr), shape=(len(block.indptr) - 1, T)).toarray()


def naive(parts, config, row):
    """Weigh one document into an array over all terms."""
    vectors, matrix, counts = parts
    adjusted = fit_adjustment(config.adjustment, vectors).apply(vectors)[row]
    scores = matrix @ adjusted
    kept = np.argsort(-scores)[: config.k]
    weights = np.zeros(T)
    weights[kept] = weigh(scores[None, kept], counts.idf[None, kept], config)[0]
    if not config.literal:
        return weights
    return counts.bm25(np.asarray([row])).toarray()[0] + config.weight * weights


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
    rows = np.asarray([3, 0, 8, 7, 4])
    block = sparsifier(parts, config).block(rows, parts[0][rows])
    expected = [naive(parts, config, row) for row in rows]
    np.testing.assert_allclose(dense(block), expected, rtol=1e-4, atol=1e-6)
    assert dense(block).any()


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_a_blocks_entries_are_positive_in_order_and_marked(parts, config):
    rows = np.arange(N)
    block = sparsifier(parts, config).block(rows, parts[0])
    assert (block.weights > 0).all()
    assert [each.dtype for each in block] == [np.int64, np.int32, np.float32, np.bool_]
    counts = parts[2].matrix.toarray()
    for row in rows:
        span = slice(block.indptr[row], block.indptr[row + 1])
        assert (np.diff(block.terms[span]) > 0).all()
        literal = counts[row][block.terms[span]] > 0
        assert block.literal[span].tolist() == (literal & config.literal).tolist()
        if config.literal:
            assert set(np.flatnonzero(counts[row])) <= set(block.terms[span].tolist())


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_blank_documents_are_empty(parts, config):
    block = sparsifier(parts, config).block(np.asarray(BLANK), parts[0][BLANK])
    assert block.indptr.tolist() == [0, 0, 0]


def test_without_a_mix_the_literal_terms_stand_alone(parts):
    rows = np.arange(N)
    block = sparsifier(parts, SparseConfig(mix=0.0)).block(rows, parts[0])
    np.testing.assert_array_equal(dense(block), parts[2].bm25(rows).toarray())
    assert block.literal.all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_parts_are_weighed_apart_and_have_their_shares(parts, config, share):
    vectors, matrix, counts = parts
    whole, first = counts.matrix.tocoo(), 7
    at, terms = (axis.astype(np.int64) for axis in whole.coords)
    halves = [DecodingRows(each, np.arange(len(each))) for each in (matrix[:first], matrix[first:])]
    scored = TermCounts(at, terms, (N, T), first, whole.data)
    adjustment = fit_adjustment(config.adjustment, vectors)
    rows = np.arange(N)
    joined = Sparsifier(config.with_changes(pieces=share), scored, Decoder(join_rows(*halves)), adjustment)
    block = joined.block(rows, vectors)
    expected = scored.bm25(rows).toarray() if config.literal else np.zeros((N, T))
    for start, half, weight in zip((0, first), halves, (1 - share, share), strict=True):
        span = slice(start, start + len(half))
        own = TermCounts(at, np.where((terms >= start) & (terms < span.stop), terms - start, -1), (N, len(half)))
        own.idf = scored.idf[span]  # counted over the whole
        alone = Sparsifier(config.with_changes(literal=False), own, Decoder(half), adjustment).block(rows, vectors)
        weights = csr_array((alone.weights, alone.terms, alone.indptr), shape=(N, len(half))).toarray()
        expected[:, span] += weight * weights * (config.weight if config.literal else 1.0)
    np.testing.assert_allclose(dense(block), expected, rtol=1e-4, atol=1e-6)


def test_blocks_do_not_depend_on_their_company(parts):
    whole = sparsifier(parts, CONFIGS[0]).block(np.arange(N), parts[0])
    for row in range(N):
        alone = sparsifier(parts, CONFIGS[0]).block(np.asarray([row]), parts[0][[row]])
        np.testing.assert_allclose(dense(alone)[0], dense(whole)[row], rtol=1e-5, atol=1e-7)


def test_a_collection_without_terms():
    counts = TermCounts(np.zeros(0, np.int64), np.zeros(0, np.int64), (2, 0))
    decoder = Decoder(DecodingRows(np.zeros((0, D), dtype=np.float32), np.zeros(0, dtype=np.int64)))
    for literal in (True, False):
        config = SparseConfig(literal=literal, mix=0.3)
        made = Sparsifier(config, counts, decoder, Adjustment("none", np.zeros(0, dtype=np.float32)))
        assert made.block(np.asarray([0, 1]), np.ones((2, D), dtype=np.float32)).indptr.tolist() == [0, 0, 0]


def test_a_spill_gives_its_blocks_back(parts, tmp_path):
    spill = Spill(tmp_path / "blocks")
    assert (list(spill), spill.largest) == ([], 0.0)
    blocks = [
        sparsifier(parts, SparseConfig(mix=0.3)).block(np.asarray(rows), parts[0][rows])
        for rows in ([0, 1, 2], [4], [5])
    ]
    for block in blocks:
        spill.add(block)
    for _ in range(2):
        for before, after in zip(blocks, spill, strict=True):
            for field in Block._fields:
                np.testing.assert_array_equal(getattr(after, field), getattr(before, field))
    assert spill.largest == max(float(block.weights.max()) for block in blocks if len(block.weights))
