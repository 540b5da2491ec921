"""Decoding against a naive argsort, and composed rows against sums written out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.alignment import composed, decoding, scoring
from sparseembed.alignment.composed import compose_rows, even_rows
from sparseembed.alignment.decoding import Decoder, DecodingRows, join_rows, single_rows
from sparseembed.alignment.kernels import select_best


def random_rows(sizes, seed=0, dimension=5):
    """Return rows for terms that have `sizes[t]` rows each."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(sum(sizes), dimension)).astype(np.float32)
    return DecodingRows(matrix, np.cumsum([0, *sizes[:-1]])[: len(sizes)].astype(np.int64))


def naive_scores(rows, vectors):
    ends = [*rows.starts[1:], len(rows.matrix)]
    return np.asarray(
        [
            [max(float(row @ vector) for row in rows.matrix[start:end]) for start, end in zip(rows.starts, ends)]  # noqa: B905
            for vector in vectors
        ]
    )


@given(st.lists(st.integers(1, 3), min_size=1, max_size=12), st.integers(1, 15), st.integers(0, 9), st.integers(0, 99))
def test_top_is_the_head_of_a_sort(sizes, k, n, seed):
    rows = random_rows(sizes, seed)
    vectors = np.random.default_rng(seed + 1).normal(size=(n, 5)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "BLOCK_BYTES", 4 * len(rows.matrix) * 2)  # two texts a block
        aligned = Decoder(rows).top(vectors, k)
    kept = min(k, len(sizes))
    assert aligned.terms.shape == aligned.scores.shape == (n, kept)
    assert (aligned.terms.dtype, aligned.scores.dtype) == (np.int32, np.float32)
    if n:
        expected = naive_scores(rows, vectors)
        order = np.argsort(-expected, axis=1)[:, :kept]
        np.testing.assert_array_equal(aligned.terms, order)
        np.testing.assert_allclose(aligned.scores, np.take_along_axis(expected, order, 1), rtol=1e-4, atol=1e-5)


def test_all_scores():
    rows = random_rows([1, 3, 2])
    vectors = np.random.default_rng(5).normal(size=(4, 5)).astype(np.float32)
    np.testing.assert_allclose(Decoder(rows).scores(vectors), naive_scores(rows, vectors), rtol=1e-4, atol=1e-5)


@given(
    st.lists(st.lists(st.integers(1, 3), max_size=6), min_size=1, max_size=3).filter(any),
    st.integers(1, 8),
    st.integers(0, 5),
)
def test_the_best_of_each_part_are_those_of_the_part_alone(sizes, k, n):
    parts = [random_rows(each, seed) for seed, each in enumerate(sizes)]
    vectors = np.random.default_rng(9).normal(size=(n, 5)).astype(np.float32)
    joined = join_rows(*parts)
    assert (len(joined), joined.parts) == (sum(map(len, sizes)), tuple(map(len, sizes)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "BLOCK_BYTES", 4 * len(joined.matrix) * 2)
        found = Decoder(joined).top_of_parts(vectors, k)
    first = 0
    for part, aligned in zip(parts, found, strict=True):
        alone = Decoder(part).top(vectors, k)
        np.testing.assert_array_equal(aligned.terms, alone.terms + first)
        np.testing.assert_allclose(aligned.scores, alone.scores, rtol=1e-5, atol=1e-6)
        first += len(part)


def test_rows_that_were_not_joined_are_one_part():
    decoder, vectors = Decoder(random_rows([2, 1, 1])), np.ones((2, 5), dtype=np.float32)
    (only,) = decoder.top_of_parts(vectors, 2)
    np.testing.assert_array_equal(only.terms, decoder.top(vectors, 2).terms)


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1, 1, 1], [2, 1, 4]])
def test_no_block_of_scores_is_over_its_size(monkeypatch, sizes):
    monkeypatch.setattr(scoring, "BLOCK_BYTES", 4 * len(sizes) * 3)
    scorer = scoring.ProcessorScorer(random_rows(sizes))
    with ThreadPoolExecutor(1) as pool:
        blocks = [len(scored) for _, scored in scorer._panels(np.ones((8, 5), dtype=np.float32), pool)]
    assert blocks == [3, 3, 2]


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=40),
    st.integers(1, 45),
    st.integers(1, 40),
    st.integers(1, 400),
    st.integers(0, 99),
)
def test_a_text_s_terms_depend_neither_on_blocks_nor_on_other_texts(sizes, k, n, block, seed):
    rows = random_rows(sizes, seed)
    vectors = np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)
    whole = Decoder(rows).top(vectors, k)
    alone = [Decoder(rows).top(vectors[place : place + 1], k) for place in range(n)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "BLOCK_BYTES", 4 * block)
        cut = Decoder(rows).top(vectors, k)
    for field in range(2):
        np.testing.assert_array_equal(cut[field], whole[field])
        np.testing.assert_array_equal(np.concatenate([each[field] for each in alone]), whole[field])


@pytest.mark.parametrize("size", [7, 3000, 40_000])
@pytest.mark.parametrize("kind", ["normal", "few values", "zeros", "rising", "best at sampled places no more"])
def test_the_best_are_exact_and_ties_go_to_the_smaller_number(size, kind):
    rng = np.random.default_rng(size)
    scores = {
        "normal": rng.normal(size=size),
        "few values": rng.integers(-2, 3, size=size) * rng.choice([-1.0, 1.0], size=size),
        "zeros": np.zeros(size) * rng.choice([-1.0, 1.0], size=size),
        "rising": np.arange(size) - size / 2,
        "best at sampled places no more": np.where(np.arange(size) % 4 == 0, 5.0, -rng.random(size)),
    }[kind].astype(np.float32)
    for rows in (1, 2, 3):
        stacked = np.tile(scores, (rows, 1))
        for k in {1, min(size, 500), min(size, 1024), size}:
            terms, values = np.empty((rows, k), dtype=np.int32), np.empty((rows, k), dtype=np.float32)
            select_best(stacked, stacked.view(np.int32), 0, size, terms, values)
            expected = np.argsort(-scores, kind="stable")[:k]
            np.testing.assert_array_equal(terms, np.tile(expected, (rows, 1)))
            np.testing.assert_array_equal(values, stacked[:, :k] * 0 + scores[expected])
            tensor = torch.from_numpy(stacked)
            found = scoring.best_of_rows(tensor, k)
            np.testing.assert_array_equal(found[1].numpy(), np.tile(expected, (rows, 1)))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=12), st.integers(1, 15), st.integers(0, 9), st.integers(0, 99))
def test_a_device_decodes_as_the_processor_does(sizes, k, n, seed):
    rows = join_rows(random_rows(sizes, seed), random_rows([1, 2], seed + 1))
    vectors = np.random.default_rng(seed + 1).normal(size=(n, 5)).astype(np.float32)
    here, there = Decoder(rows), Decoder(rows, "cpu:0")
    assert isinstance(there._scorer, scoring.DeviceScorer)
    np.testing.assert_allclose(there.scores(vectors), here.scores(vectors), rtol=1e-4, atol=1e-5)
    for one, other in zip(here.top_of_parts(vectors, k), there.top_of_parts(vectors, k), strict=True):
        np.testing.assert_array_equal(one.terms, other.terms)
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4, atol=1e-5)


def test_a_block_smaller_than_one_text_still_holds_one(monkeypatch):
    rows, vectors = random_rows([1] * 7), np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32)
    whole = Decoder(rows).top(vectors, 3)
    monkeypatch.setattr(scoring, "BLOCK_BYTES", 1)
    np.testing.assert_array_equal(Decoder(rows).top(vectors, 3).terms, whole.terms)


def test_no_terms_at_all():
    decoder = Decoder(DecodingRows(np.zeros((0, 5), dtype=np.float32), np.zeros(0, dtype=np.int64)))
    assert len(decoder) == 0
    assert decoder.top(np.ones((2, 5), dtype=np.float32), 3).terms.shape == (2, 0)


def test_a_composed_row_is_the_sum_of_its_pieces_over_the_root_of_their_number(tiny_tokenizer, monkeypatch):
    monkeypatch.setattr(composed, "CHUNK", 2)
    matrix = np.random.default_rng(3).normal(size=(tiny_tokenizer.get_vocab_size(), 4)).astype(np.float32)
    words = ["cat", "Photosynthesis", "naïve", "x"]
    rows = compose_rows(words, tiny_tokenizer, matrix)
    assert len(rows) == 4
    np.testing.assert_array_equal(rows.starts, [0, 2, 4, 6])
    lengths = set()
    for number, word in enumerate(words):
        for variant, spelled in enumerate((" " + word, word)):
            pieces = tiny_tokenizer.encode(spelled, add_special_tokens=False).ids
            lengths.add(len(pieces))
            expected = sum(matrix[piece] for piece in pieces) / len(pieces) ** 0.5
            np.testing.assert_allclose(rows.matrix[2 * number + variant], expected, rtol=1e-5, atol=1e-6)
    assert 1 in lengths
    assert max(lengths) > 2


def test_a_composed_term_scores_what_its_better_variant_scores(tiny_tokenizer):
    matrix = np.zeros((tiny_tokenizer.get_vocab_size(), 1), dtype=np.float32)
    [spaced] = tiny_tokenizer.encode(" cat", add_special_tokens=False).ids
    matrix[spaced] = 7.0
    aligned = Decoder(compose_rows(["zz", "cat"], tiny_tokenizer, matrix)).top(np.ones((1, 1), dtype=np.float32), 1)
    assert (aligned.terms.item(), aligned.scores.item()) == (1, 7.0)


def test_pieces_beyond_the_matrix_and_words_without_pieces_are_left_out(tiny_tokenizer):
    short = np.ones((3, 2), dtype=np.float32)
    rows = compose_rows(["cat", ""], tiny_tokenizer, short)
    np.testing.assert_array_equal(rows.matrix, np.zeros((4, 2)))


def test_no_words_make_no_rows(tiny_tokenizer):
    rows = compose_rows([], tiny_tokenizer, np.ones((9, 2), dtype=np.float32))
    assert (len(rows), rows.matrix.shape) == (0, (0, 2))


def test_sums_score_as_the_rows_that_they_stand_for(tiny_tokenizer, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 3)
    monkeypatch.setattr(composed, "CHUNK", 3)
    rng = np.random.default_rng(8)
    matrix = rng.normal(size=(tiny_tokenizer.get_vocab_size(), 6)).astype(np.float32)
    words = ["cat", "Photosynthesis", "", "naïve", "x", "whales", "river"]
    rows = even_rows(compose_rows(words, tiny_tokenizer, matrix))
    pieces = DecodingRows(matrix, np.arange(0, 60, 2), sums=single_rows(rng.permutation(len(matrix))[:60]))
    joined = join_rows(rows, pieces)
    assert joined.base is matrix
    made = DecodingRows(joined.matrix, joined.starts, joined.parts)
    np.testing.assert_array_equal(joined.matrix, np.concatenate([rows.matrix, pieces.matrix]))
    vectors = rng.normal(size=(21, 6)).astype(np.float32)
    for device in ("cpu", "cpu:0"):
        sums, whole = Decoder(joined, device), Decoder(made, device)
        np.testing.assert_allclose(sums.scores(vectors), whole.scores(vectors), rtol=1e-4, atol=1e-5)
        for one, other in zip(sums.top_of_parts(vectors, 30), whole.top_of_parts(vectors, 30), strict=True):
            np.testing.assert_array_equal(one.terms, other.terms)
            np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4, atol=1e-5)


def test_rows_over_different_bases_are_joined_with_theirs():
    first, second = random_rows([2, 1]), random_rows([1, 1], 1)
    sums = DecodingRows(first.base, np.arange(2), sums=single_rows(np.asarray([2, 0])))
    joined = join_rows(second, sums, first)
    assert joined.parts == (2, 2, 2)
    expected = np.concatenate([second.base, first.base[[2, 0]], first.base])
    np.testing.assert_array_equal(joined.matrix, expected)
    assert joined.starts.tolist() == [0, 1, 2, 3, 4, 6]


def test_even_rows_keep_their_directions_and_the_mean_length():
    matrix = np.asarray([[3.0, 4.0], [0.0, 0.0], [0.0, 15.0]], dtype=np.float32)
    rows = even_rows(DecodingRows(matrix, np.asarray([0, 2])))
    np.testing.assert_allclose(rows.matrix, [[6.0, 8.0], [0.0, 0.0], [0.0, 10.0]], rtol=1e-6)
    assert rows.matrix.dtype == np.float32
    assert rows.starts.tolist() == [0, 2]
    zeros = DecodingRows(np.zeros((2, 3), dtype=np.float32), np.asarray([0]))
    np.testing.assert_array_equal(even_rows(zeros).matrix, zeros.matrix)
    assert len(even_rows(compose_rows([], None, np.ones((9, 2), dtype=np.float32)))) == 0
