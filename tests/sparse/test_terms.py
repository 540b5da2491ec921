"""Term spaces: fitted to a collection, the same whatever the batches, and what they count in a text."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.alignment.composed import compose_rows, even_rows
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.pieces import piece_rows, piece_space
from sparseembed.sparse.spaces import SPACES, Backbone, fit_words
from sparseembed.sparse.terms import JoinedSpace, PieceTermSpace, WordSpace, unmarked

TEXTS = [
    "the cat sat on the mat",
    "",
    "Green plants make sugar <s> 😀",
    "The whale, the whale",
    "the cats of cats",
    "and",
]
NEW = ["a zebra sees a quagga, zebras see cats", "", "the mat \ud800 of quaggas"]
KINDS = tuple(SPACES)


@pytest.fixture(scope="module")
def matrix(tiny_model):
    from sparseembed.alignment.matrix import read_matrix

    return read_matrix(tiny_model("tied"))


@pytest.fixture(scope="module")
def backbone(tiny_tokenizer, matrix):
    return Backbone(tiny_tokenizer, len(matrix))


def fit(kind, backbone, texts=TEXTS, least=1, batch=None):
    size = batch or max(1, len(texts))
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    return SPACES[kind](batches, least, backbone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [TEXTS, NEW], ids=["fitted", "new"])
def test_counts_are_those_of_the_literal_terms(backbone, kind, texts):
    space = fit(kind, backbone, least=2).space
    assert (space.kind, space.literal.kind) == (kind, kind)
    counts, unknown = space.count(texts)
    names = [*space.terms, *unknown]
    assert len(set(names)) == len(names)
    assert counts.matrix.shape == (len(texts), len(names))
    for text, row in zip(texts, counts.matrix.toarray().tolist(), strict=True):
        found = {name: count for name, count in zip(names, row, strict=True) if count}
        assert found == Counter(space.literal.of(text))
    assert not counts.matrix.toarray()[1].any()
    assert {*unknown} == {term for text in texts for term in space.literal.of(text)} - {*space.terms}
    assert bool(unknown) == kind.startswith("word")


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_counts_the_same_alone_and_among_others(backbone, kind):
    space = fit(kind, backbone, least=2).space
    counts, unknown = space.count([*TEXTS, *NEW])
    names = [*space.terms, *unknown]
    for row, text in enumerate([*TEXTS, *NEW]):
        alone, own = space.count([text])
        dense, whole = alone.matrix.toarray()[0], counts.matrix.toarray()[row]
        assert dict(zip([*space.terms, *own], dense.tolist(), strict=True)) == {
            name: count for name, count in zip(names, whole.tolist(), strict=True) if name in {*space.terms, *own}
        }
        assert alone.lengths.tolist() == [counts.lengths[row]]
    assert space.count([]).counts.matrix.shape == (0, len(space.terms))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(texts=st.lists(st.sampled_from([*TEXTS, *NEW]), max_size=9), batch=st.integers(1, 4), least=st.integers(1, 3))
def test_a_fit_is_the_same_whatever_the_batches(backbone, kind, texts, batch, least):
    whole, parts = fit(kind, backbone, texts, least), fit(kind, backbone, texts, least, batch)
    assert parts.space.terms == whole.space.terms
    assert parts.space.labels == whole.space.labels
    assert parts[2:] == whole[2:]
    assert (parts.collection.documents, parts.collection.length) == (
        whole.collection.documents,
        whole.collection.length,
    )
    np.testing.assert_array_equal(parts.collection.frequency, whole.collection.frequency)
    # And they are the sums of what the space counts in the collection.
    counts = whole.space.count(texts).counts
    sums = CollectionStatistics.of(counts)
    known = len(whole.space.terms)
    assert (whole.collection.documents, whole.collection.length) == (sums.documents, sums.length)
    np.testing.assert_array_equal(whole.collection.frequency, sums.frequency[:known])
    if kind.startswith("word"):
        words = len(getattr(whole.space, "words", whole.space).terms)
        assert (whole.collection.frequency[:words] >= least).all()
        assert (whole.rare, (sums.frequency[known:] < least).all()) == (len(sums.frequency) - known, True)
        unknown = counts.matrix[:, known:].sum()
        assert whole.known_share == pytest.approx(1 - unknown / max(1, sums.length))


def test_folded_counts_join_what_differs_in_case_and_space(backbone):
    space = fit("folded", backbone).space
    the = space.labels.index("the")
    assert space.count(TEXTS).counts.matrix.toarray()[[0, 3], the].tolist() == [2, 2]


@pytest.mark.parametrize("kind", ["folded", "token"])
def test_rows_are_those_of_the_pieces(backbone, matrix, kind):
    space = fit(kind, backbone).space
    assert isinstance(space, PieceTermSpace)
    expected = piece_rows(piece_space(kind, backbone.tokenizer, len(matrix)), matrix)
    np.testing.assert_array_equal(space.rows(matrix, backbone.tokenizer).matrix, expected.matrix)
    assert space.terms == piece_space(kind, *backbone).terms  # all pieces, whether the collection has them or not


def test_the_word_space(backbone, matrix):
    texts = ["The cats sat", "cats and whales", ""]
    space, collection, rare, share, _ = fit("word", backbone, texts)
    assert isinstance(space, WordSpace)
    assert (space.terms, space.labels) == (["cat", "sat", "whale"], ["cat", "sat", "whale"])
    assert space.surfaces == ["cats", "sat", "whales"]
    assert space.count(texts).counts.matrix.toarray().tolist() == [[1, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert (collection.documents, collection.length, collection.frequency.tolist()) == (2, 4, [2, 1, 1])
    assert (rare, share) == (0, 1.0)
    rows = even_rows(compose_rows(["cats", "sat", "whales"], backbone.tokenizer, matrix))
    np.testing.assert_array_equal(space.rows(matrix, backbone.tokenizer).matrix, rows.matrix)
    assert space.literal.of("the cat") == ["cat"]


def test_a_rare_word_is_no_known_term(backbone):
    texts = ["The cats sat", "cats and whales whales", ""]
    space, collection, rare, share, _ = fit("word", backbone, texts, least=2)
    assert (space.terms, rare, share) == (["cat"], 2, pytest.approx(1 - 3 / 5))
    assert (collection.documents, collection.length, collection.frequency.tolist()) == (2, 5, [2])
    counts, unknown = space.count(texts)
    assert unknown == ["sat", "whale"]
    assert counts.matrix.toarray().tolist() == [[1, 1, 0], [1, 0, 2], [0, 0, 0]]
    assert counts.lengths.tolist() == [2, 3, 0]


def test_the_space_of_words_and_pieces(backbone, matrix):
    texts = [*TEXTS, "the of and", "cat cat cat"]
    words, pieces, both = (fit(kind, backbone, texts, least=2) for kind in ("word", "folded", "word+folded"))
    space, first = both.space, len(words.space.terms)
    assert isinstance(space, JoinedSpace)
    assert space.terms == [*words.space.terms, *("#" + term for term in pieces.space.terms)]
    assert space.labels == [*words.space.labels, *("#" + label for label in pieces.space.labels)]
    assert unmarked(space.terms[first:]) == pieces.space.terms
    (counts, unknown), own, others = (each.space.count(texts) for each in (both, words, pieces))
    assert unknown == own.unknown
    impacts, known = both.collection.impacts(counts).toarray(), len(space.terms)
    alone = words.collection.impacts(own.counts).toarray()
    np.testing.assert_array_equal(impacts[:, :first], alone[:, :first])
    np.testing.assert_array_equal(impacts[:, known:], alone[:, first:])
    assert not impacts[:, first:known].any()
    found = counts.matrix.toarray()[:, first:known]
    np.testing.assert_array_equal(found, others.counts.matrix.toarray() > 0)
    assert counts.lengths.tolist() == own.counts.lengths.tolist()
    assert (both.collection.idf > 0).all()
    made = space.rows(matrix, backbone.tokenizer)
    assert made.parts == (first, len(pieces.space.terms))
    halves = [each.space.rows(matrix, backbone.tokenizer).matrix for each in (words, pieces)]
    np.testing.assert_array_equal(made.matrix, np.concatenate(halves))
    for text in texts:
        literal = [*words.space.literal.of(text), *dict.fromkeys("#" + term for term in pieces.space.literal.of(text))]
        assert space.literal.of(text) == literal


def test_a_fit_reads_its_texts_once_and_leaves_no_file(backbone, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sparseembed.sparse.vocabulary.WordCounter.__init__.__defaults__", (2,))
    for kind in KINDS:
        batches = iter([TEXTS[:2], TEXTS[2:]])
        assert fit(kind, backbone).collection.length == SPACES[kind](batches, 1, backbone).collection.length
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_analyzer_is_refused():
    from sparseembed.errors import ConfigError

    with pytest.raises(ConfigError, match="unknown analyzer 'none': analyzers are lucene-english"):
        fit_words([TEXTS], 1, "none")
