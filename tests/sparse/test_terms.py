"""Term spaces: made from a collection, saved, and the same when loaded."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sparseembed
from sparseembed.alignment.composed import compose_rows, even_rows
from sparseembed.alignment.matrix import decoding_matrix
from sparseembed.errors import SparseEmbedError
from sparseembed.sparse.pieces import piece_rows, piece_space
from sparseembed.sparse.terms import BUILDERS, load_term_space

TEXTS = ["the cat sat on the mat", "", "Green plants make sugar <s> 😀", "The whale, the whale"]


@pytest.fixture(scope="module")
def matrix(tiny_model):
    from sparseembed.alignment.matrix import read_matrix

    return read_matrix(tiny_model("tied"))


@pytest.mark.parametrize("kind", ["folded", "token"])
def test_counts_are_those_of_the_literal_terms(tiny_embedder, matrix, kind):
    space, counts = BUILDERS[kind](TEXTS, tiny_embedder(), len(matrix))
    assert (space.kind, space.literal.kind) == (kind, kind)
    assert counts.matrix.shape == (len(TEXTS), len(space.terms))
    dense = counts.matrix.toarray()
    for row, text in enumerate(TEXTS):
        literal = space.literal.of(text)
        expected = [literal.count(term) for term in space.terms]
        assert dense[row].tolist() == expected
    assert dense[0].sum() > 4
    assert not dense[1].any()


def test_folded_counts_join_what_differs_in_case_and_space(tiny_embedder, matrix):
    space, counts = BUILDERS["folded"](TEXTS, tiny_embedder(), len(matrix))
    the = space.labels.index("the")
    assert counts.matrix.toarray()[[0, 3], the].tolist() == [2, 2]


@pytest.mark.parametrize("kind", ["folded", "token"])
def test_a_loaded_space_is_the_saved_one(tiny_embedder, matrix, tmp_path, kind):
    embedder = tiny_embedder()
    space, _ = BUILDERS[kind](TEXTS, embedder, len(matrix))
    space.save(tmp_path)
    loaded = load_term_space(tmp_path)
    assert (loaded.kind, loaded.terms, loaded.labels, loaded.about) == (kind, space.terms, space.labels, space.about)
    for text in [*TEXTS, "</s>cat <s>", "Ünïcode\x00", "a\ud800"]:
        assert loaded.literal.of(text) == space.literal.of(text)
    before, after = space.rows(matrix, embedder.tokenizer), loaded.rows(matrix, embedder.tokenizer)
    np.testing.assert_array_equal(after.matrix, before.matrix)
    np.testing.assert_array_equal(after.starts, before.starts)


@pytest.mark.parametrize("kind", ["folded", "token"])
def test_rows_are_those_of_the_pieces(tiny_embedder, matrix, kind):
    embedder = tiny_embedder()
    space, _ = BUILDERS[kind](TEXTS, embedder, len(matrix))
    expected = piece_rows(piece_space(kind, embedder.tokenizer, len(matrix)), matrix)
    np.testing.assert_array_equal(space.rows(matrix, embedder.tokenizer).matrix, expected.matrix)


def test_the_same_space_gives_the_same_bytes(tiny_embedder, matrix, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        BUILDERS["folded"](TEXTS, tiny_embedder(), len(matrix))[0].save(tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize(
    "contents",
    [
        *(None, "", "{", "[]", "null", '{"kind": "word"}', '{"kind": "folded", "terms": []}', '{"kind": "bag"}'),
        '{"kind": "word+folded", "terms": [7], "labels": ["a"], "surfaces": []}',
    ],
)
def test_a_damaged_space_is_one_line(tmp_path, contents):
    if contents is not None:
        (tmp_path / "terms.json").write_text(contents)
    with pytest.raises(SparseEmbedError, match=r"terms\.json is missing or damaged: build the index again") as caught:
        load_term_space(tmp_path)
    assert str(caught.value).isprintable()


def test_a_damaged_tokenizer_is_one_line(tiny_embedder, matrix, tmp_path):
    BUILDERS["folded"](TEXTS, tiny_embedder(), len(matrix))[0].save(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(SparseEmbedError, match=r"tokenizer\.json is damaged") as caught:
        load_term_space(tmp_path)
    assert str(caught.value).isprintable()


def test_loading_a_space_loads_neither_torch_nor_java(tiny_embedder, matrix, tmp_path):
    BUILDERS["folded"](TEXTS, tiny_embedder(), len(matrix))[0].save(tmp_path)
    (tmp_path / "word").mkdir()
    stored = {"kind": "word", "terms": ["cat"], "labels": ["cat"], "surfaces": ["Cats"]}
    (tmp_path / "word" / "terms.json").write_text(json.dumps(stored))
    program = (
        "import sys; from pathlib import Path; from sparseembed.sparse.terms import load_term_space\n"
        "assert load_term_space(Path(sys.argv[1])).literal.of('the cat')\n"
        "assert load_term_space(Path(sys.argv[1], 'word')).terms == ['cat']\n"
        "print([name for name in ('torch', 'transformers', 'jnius', 'pyserini', 'faiss') if name in sys.modules])"
    )
    root = Path(sparseembed.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, cwd=root)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


@pytest.mark.jvm
def test_the_word_space(tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    matrix = decoding_matrix(embedder)
    texts = ["The cats sat", "cats and whales", ""]
    space, counts = BUILDERS["word"](texts, embedder, len(matrix))
    assert space.terms == ["cat", "sat", "whale"]
    assert space.about == {"surfaces": ["cats", "sat", "whales"]}
    assert counts.matrix.toarray().tolist() == [[1, 1, 0], [1, 0, 1], [0, 0, 0]]
    rows = even_rows(compose_rows(["cats", "sat", "whales"], embedder.tokenizer, matrix))
    np.testing.assert_array_equal(space.rows(matrix, embedder.tokenizer).matrix, rows.matrix)
    space.save(tmp_path)
    loaded = load_term_space(tmp_path)
    assert (loaded.terms, loaded.about) == (space.terms, space.about)
    for text in [*texts, "a whale's catlike sitting"]:
        assert loaded.literal.of(text) == space.literal.of(text)
    assert loaded.literal.of("the cat") == ["cat"]


@pytest.mark.jvm
def test_the_space_of_words_and_pieces(tiny_embedder, matrix, tmp_path):
    embedder = tiny_embedder()
    texts = [*TEXTS, "the of and", "cat cat cat"]
    (words, few), (pieces, several) = (BUILDERS[kind](texts, embedder, len(matrix)) for kind in ("word", "folded"))
    space, counts = BUILDERS["word+folded"](texts, embedder, len(matrix))
    count = len(words.terms)
    assert space.terms == [*words.terms, *("#" + term for term in pieces.terms)]
    assert space.labels == [*words.labels, *("#" + label for label in pieces.labels)]
    rows = np.arange(len(texts))
    impacts = counts.bm25(rows).toarray()
    np.testing.assert_array_equal(impacts[:, :count], few.bm25(rows).toarray())
    assert not impacts[:, count:].any()
    np.testing.assert_array_equal(counts.matrix.toarray()[:, count:] > 0, several.matrix.toarray() > 0)
    assert (counts.idf > 0).all()
    made = space.rows(matrix, embedder.tokenizer)
    assert made.parts == (count, len(pieces.terms))
    halves = [each.rows(matrix, embedder.tokenizer).matrix for each in (words, pieces)]
    np.testing.assert_array_equal(made.matrix, np.concatenate(halves))
    space.save(tmp_path)
    loaded = load_term_space(tmp_path)
    assert (loaded.kind, loaded.terms, loaded.labels, loaded.about) == (
        *("word+folded", space.terms, space.labels),
        space.about,
    )
    np.testing.assert_array_equal(loaded.rows(matrix, embedder.tokenizer).starts, made.starts)
    for text in texts:
        literal = [*words.literal.of(text), *dict.fromkeys("#" + term for term in pieces.literal.of(text))]
        assert loaded.literal.of(text) == space.literal.of(text) == literal
