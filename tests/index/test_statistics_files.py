"""Statistics on disk: each term space comes back as it was, and one changed byte is noticed."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sparseembed
from sparseembed.alignment.adjustment import Adjustment
from sparseembed.embedders.early import EarlyHead, StaticHead
from sparseembed.embedders.tokenizer import load_tokenizer
from sparseembed.errors import IndexFolderError
from sparseembed.index.checked import CheckedFiles, record
from sparseembed.index.statistics import SIDES, Statistics, load_adjustment, load_space, load_statistics
from sparseembed.sparse.config import default_config
from sparseembed.sparse.quantize import Quantizer
from sparseembed.sparse.spaces import SPACES, Backbone

KINDS = tuple(SPACES)
TEXTS = ["the cat sat on the mat", "", "Green plants make sugar <s> 😀", "The whale, the whale é", "plants and cats"]
NEW = ["</s>cat <s>", "Ünïcode\x00", "a\ud800", "zebra plants", "a \u2028 b\x85c"]


@pytest.fixture(scope="module")
def matrix(tiny_model):
    from sparseembed.alignment.matrix import read_matrix

    return read_matrix(tiny_model("tied"))


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    """The tokenizer as an embedder has it: special tokens inside a text are plain text."""
    return load_tokenizer(tiny_model("tied"))


@pytest.fixture
def make(tokenizer, matrix):
    """Return a function that makes statistics of a term space."""

    def made(kind, **parts):
        fitted = SPACES[kind]([TEXTS], 1, Backbone(tokenizer, len(matrix)))
        rng = np.random.default_rng(5)
        whole = {
            "config": default_config(kind, k=7, mix=0.25),
            "space": fitted.space,
            "collection": fitted.collection,
            "adjustments": {
                "document": Adjustment("centred", rng.normal(size=32).astype(np.float32)),
                "query": Adjustment("pc1:0.5", rng.normal(size=32).astype(np.float32), 0.3),
            },
            "quantizer": Quantizer(1 / 3, 255),
            "mean": rng.normal(size=32).astype(np.float32),
            "known_share": 0.1 + 0.2,
            "rare": 11,
            "mix": {"mix": 0.25, "curve": {"0": 0.5}},
            "centres": rng.normal(size=(2, 32)).astype(np.float32),
            "rescoring": {
                name: {"weight": 0.3, "sentences": 0, "curve": {}, "feedback": {"weight": 0.2, "curve": {}}}
                for name in ("none", "full", "small")
            },
            "early": a_map(rng, 2, 64),
            "static": StaticHead(rng.uniform(0, 9, 70).astype(np.float16).astype(np.float32), a_map(rng, 0, 33)),
        }
        return Statistics(**{**whole, **parts})

    return made


def a_map(rng, depth, features):
    floats = (rng.normal(size=shape).astype(np.float32) for shape in ((features,), (features,), (features, 32), (32,)))
    return EarlyHead(depth, *floats)


def saved(statistics, folder):
    folder.mkdir()
    return CheckedFiles(folder, statistics.save(folder))


@pytest.mark.parametrize("kind", KINDS)
def test_they_come_back_as_they_were(make, matrix, tokenizer, tmp_path, kind):
    one = make(kind)
    files = saved(one, tmp_path / "fit")
    for space in (load_statistics(files).space, load_space(files)):
        assert (space.kind, [*space.terms], [*space.labels]) == (kind, [*one.space.terms], [*one.space.labels])
        for text in [*TEXTS, *NEW]:
            assert space.literal.of(text) == one.space.literal.of(text)
        before, after = (each.rows(matrix, tokenizer) for each in (one.space, space))
        for part in ("matrix", "starts"):
            np.testing.assert_array_equal(getattr(after, part), getattr(before, part))
        assert after.parts == before.parts
        counts, again = one.space.count([*TEXTS, *NEW]), space.count([*TEXTS, *NEW])
        assert again.unknown == counts.unknown
        np.testing.assert_array_equal(again.counts.matrix.toarray(), counts.counts.matrix.toarray())
        np.testing.assert_array_equal(again.counts.lengths, counts.counts.lengths)
    other = load_statistics(files)
    assert other.config == one.config
    assert (other.quantizer, other.known_share, other.rare, other.mix) == (
        Quantizer(1 / 3, 255),
        0.1 + 0.2,
        11,
        one.mix,
    )
    assert (other.collection.documents, other.collection.length) == (one.collection.documents, one.collection.length)
    np.testing.assert_array_equal(other.collection.frequency, one.collection.frequency)
    np.testing.assert_array_equal(other.mean, one.mean)
    np.testing.assert_array_equal(other.centres, one.centres)
    np.testing.assert_array_equal(other.static.idf, one.static.idf)
    for found, wanted in ((other.early, one.early), (other.static.head, one.static.head)):
        for part, as_before in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(part, as_before)
    for side in SIDES:
        for adjustment in (other.adjustments[side], load_adjustment(files, side)):
            assert adjustment.kind == one.adjustments[side].kind
            assert adjustment.shift == np.float32(one.adjustments[side].shift)
            np.testing.assert_array_equal(adjustment.vector, one.adjustments[side].vector)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_again_they_are_the_same_bytes(make, tmp_path, kind):
    files = saved(make(kind), tmp_path / "one")
    saved(load_statistics(files), tmp_path / "two")
    saved(make(kind), tmp_path / "three")
    assert record(tmp_path / "one") == record(tmp_path / "two") == record(tmp_path / "three")


@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_byte_in_any_file_is_noticed(make, tmp_path, kind):
    saved(make(kind), tmp_path / "fit")
    known = record(tmp_path / "fit")
    chance = random.Random(4)
    for file in sorted((tmp_path / "fit").iterdir()):
        whole = file.read_bytes()
        assert whole
        for place in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(4))}:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << chance.randrange(8))]) + whole[place + 1 :])
            with pytest.raises(IndexFolderError, match=rf"{file.name} is damaged") as refusal:
                load_statistics(CheckedFiles(tmp_path / "fit", known))
            assert str(refusal.value).isprintable()
        file.write_bytes(whole)
    load_statistics(CheckedFiles(tmp_path / "fit", known))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("about.json", text) for text in ("", "[]", "null", "{}", "[" * 99_999, '{"config": {"terms": "bag"}}')),
        ("about.json", '{"config": {"terms": ["word"]}}'),
        ("terms.txt", "a\n"),
        ("surfaces.txt", ""),
        ("pieces.json", "{}"),
        ("pieces.json", '{"labels": [], "term_of_piece": []}'),
        ("pieces.json", '{"labels": 5, "term_of_piece": ["x"]}'),
        ("tokenizer.json", "{"),
        ("frequency.i64", "123"),
        ("mean.f32", "1"),
        ("document.f32", "1"),
        *((name, content) for name in ("early.f32", "static.f32") for content in ("", "1234", "12345678")),
        ("idf.f16", ""),
        ("idf.f16", "123"),
    ],
)
def test_what_is_no_statistics_is_one_line_even_with_its_checksum(make, tmp_path, name, content):
    saved(make("word+folded"), tmp_path / "fit")
    (tmp_path / "fit" / name).write_text(content)
    with pytest.raises(IndexFolderError) as refusal:
        load_statistics(CheckedFiles(tmp_path / "fit", record(tmp_path / "fit")))
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("part", "head"),
    [
        ("early", lambda rng: a_map(rng, 0, 64)),  # a small encoder runs a layer
        ("early", lambda rng: a_map(rng, 10_001, 64)),
        ("early", lambda rng: a_map(rng, 2, 63)),
        ("static", lambda rng: StaticHead(np.ones(5, np.float32), a_map(rng, 1, 33))),
        ("static", lambda rng: StaticHead(np.full(5, -1, np.float32), a_map(rng, 0, 33))),
        ("static", lambda rng: StaticHead(np.full(5, np.inf, np.float32), a_map(rng, 0, 33))),
    ],
)
def test_heads_that_cannot_be_are_refused(make, tmp_path, part, head):
    files = saved(make("word", **{part: head(np.random.default_rng(2))}), tmp_path / "fit")
    with pytest.raises(IndexFolderError, match="is damaged"):
        load_statistics(files)


def test_a_missing_file_is_named(make, tmp_path):
    saved(make("folded"), tmp_path / "fit")
    for name in ("about.json", "terms.txt", "pieces.json", "tokenizer.json", "query.f32"):
        known = {key: value for key, value in record(tmp_path / "fit").items() if key != name}
        with pytest.raises(IndexFolderError, match=rf"{name} is missing"):
            load_statistics(CheckedFiles(tmp_path / "fit", known))


def test_loading_loads_neither_torch_nor_java(make, tmp_path):
    for kind in ("folded", "word"):
        saved(make(kind), tmp_path / kind)
    program = (
        "import sys; from pathlib import Path\n"
        "from sparseembed.index.checked import CheckedFiles, record\n"
        "from sparseembed.index.statistics import load_statistics\n"
        "for name in sys.argv[1:]:\n"
        "    statistics = load_statistics(CheckedFiles(Path(name), record(Path(name))))\n"
        "    assert statistics.space.literal.of('the cat') and statistics.collection.idf.size\n"
        "print([name for name in ('torch', 'transformers', 'jnius', 'pyserini', 'faiss') if name in sys.modules])"
    )
    root = Path(sparseembed.__file__).parents[1]
    words = [sys.executable, "-c", program, tmp_path / "folded", tmp_path / "word"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=root, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
