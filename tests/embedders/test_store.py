"""The store of embeddings: written once, resumed anywhere, never mixed up."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparseembed
from sparseembed.embedders import shards, store
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.errors import DataError, EmbedderError
from sparseembed.files import digest

ROOT = Path(sparseembed.__file__).parents[1]
WORDS = ["cat", "dog", "whales", "rivers carry water", "light of the sun", ""]
COUNT = 23


def make_texts(version="1"):
    texts = [f"{WORDS[number % len(WORDS)]} {'green ' * (number % 4)}".strip() for number in range(COUNT)]
    if version != "1":
        texts[5] += " changed"
    ids = [f"d{number}" for number in range(COUNT)]
    return Texts("small, documents", digest([ids, texts]), ids, texts)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(store, "SHARD_SIZE", 4)


def files_of(folder):
    """Return the bytes of all files of a folder, hidden ones too."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def undisturbed(tiny_model, tmp_path_factory):
    """Return the folder of a store that was encoded in one go, to be copied and never changed."""
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    folder = tmp_path_factory.mktemp("store") / "whole"
    embedder = TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SHARD_SIZE", 4)
        encode_to_store(folder, make_texts(), embedder)
    return folder


@pytest.fixture
def standing(undisturbed, tmp_path):
    """Return a copy of the undisturbed store, to be damaged."""
    return Path(shutil.copytree(undisturbed, tmp_path / "store"))


def unfinished(folder):
    """Turn a finished store into one whose run was killed before its end."""
    about = shards.read_about(folder)
    for field in ("complete", "tokens", "cut", "blank", "dimension"):
        del about[field]
    shards.write_about(folder, about)


def line_of(error):
    assert str(error.value).isprintable()
    return str(error.value)


def test_holds_the_embeddings_in_order(undisturbed, tiny_embedder):
    texts, embedder = make_texts(), tiny_embedder()
    opened = EmbeddingStore(undisturbed)
    assert (len(opened), opened.dimension, opened.ids) == (COUNT, 32, texts.ids)
    np.testing.assert_allclose(opened.matrix(), embedder.encode(texts.texts), atol=1e-5)
    np.testing.assert_array_equal(opened.blank(), [not text for text in texts.texts])
    assert opened.matrix().dtype == np.float32
    assert opened.about["blank"] == sum(not text for text in texts.texts)
    filled = [text for text in texts.texts if text]
    assert opened.about["tokens"] == sum(len(embedder.tokenizer.encode(text).ids) for text in filled)
    assert sorted(file.name for file in undisturbed.glob("*.npy")) == [f"{shard:05d}.npy" for shard in range(6)]


@pytest.mark.parametrize(("asked", "applied"), [(16, 16), (4096, 128)])
def test_the_limit_that_is_told_is_that_which_cut(asked, applied, tiny_embedder, tmp_path, monkeypatch):
    """The tiny model has 128 positions."""
    told = []
    monkeypatch.setattr(store, "note", told.append)
    texts = Texts("long", digest(["long"]), ["a", "b"], ["cat " * 500, "cat"])
    encode_to_store(tmp_path / "store", texts, tiny_embedder(max_length=asked))
    assert f"2 texts, 1 cut at {applied} tokens" in told[-1]


@given(st.lists(st.integers(0, COUNT - 1), max_size=40))
def test_takes_rows_in_any_order(undisturbed, rows):
    opened = EmbeddingStore(undisturbed)
    expected = np.concatenate([np.load(undisturbed / f"{shard:05d}.npy") for shard in range(6)])[rows]
    np.testing.assert_array_equal(opened.take(np.asarray(rows, dtype=np.int64)), expected)


@given(st.integers(0, COUNT), st.integers(0, COUNT + 9))
def test_a_span_of_rows(undisturbed, start, stop):
    opened = EmbeddingStore(undisturbed)
    np.testing.assert_array_equal(opened.rows(start, stop), opened.matrix()[start:stop])


def test_a_finished_store_is_reused(standing, tiny_embedder):
    embedder, before = tiny_embedder(), files_of(standing)
    encode_to_store(standing, make_texts(), embedder)
    assert embedder.model_calls == 0
    assert files_of(standing) == before


@pytest.mark.parametrize("kept", range(7))
def test_resumes_after_any_shard(undisturbed, standing, tiny_embedder, kept):
    unfinished(standing)
    for shard in range(kept, 6):
        (standing / f"{shard:05d}.npy").unlink()
        if shard > kept:  # the counts of a shard are written before its vectors
            (standing / f"{shard:05d}.json").unlink()
    encoded = []
    embedder = tiny_embedder()
    original = embedder.encode_counted
    embedder.encode_counted = lambda texts, *rest: (encoded.extend(texts), original(texts, *rest))[1]
    encode_to_store(standing, make_texts(), embedder)
    assert encoded == make_texts().texts[4 * kept :]
    assert files_of(standing) == files_of(undisturbed)


def damage(folder, how):
    shard = folder / "00005.npy"
    contents = shard.read_bytes()
    if how == "truncated":
        shard.write_bytes(contents[:-9])
    elif how == "header only":
        shard.write_bytes(contents[:40])
    elif how == "empty":
        shard.write_bytes(b"")
    elif how == "garbage":
        shard.write_bytes(b"garbage\n" * 20)
    elif how == "too few rows":
        np.save(shard, np.load(shard)[:1])
    elif how == "damaged counts":
        (folder / "00005.json").write_text("{")
    else:
        shard.unlink()


HOW = ["truncated", "header only", "empty", "garbage", "too few rows", "damaged counts", "gone"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("finished", [False, True])
def test_a_damaged_shard_is_encoded_again(undisturbed, standing, tiny_embedder, how, finished):
    damage(standing, how)
    if not finished:
        unfinished(standing)
    embedder = tiny_embedder()
    encode_to_store(standing, make_texts(), embedder)
    assert embedder.model_calls == 1
    assert files_of(standing) == files_of(undisturbed)


@pytest.mark.parametrize("how", ["truncated", "header only", "empty", "garbage", "gone"])
def test_reading_a_damaged_shard_is_one_line(standing, how):
    damage(standing, how)
    opened = EmbeddingStore(standing)
    assert opened.take(np.asarray([0, 19])).shape == (2, 32)
    with pytest.raises(DataError, match=r"00005\.npy is damaged .*: run the same encode again") as caught:
        opened.take(np.asarray([0, 20]))
    line_of(caught)


def test_temporary_files_of_killed_runs_are_swept(undisturbed, standing, tiny_embedder):
    unfinished(standing)
    (standing / "00003.npy").unlink()
    (standing / ".00003.npy.x1y2z3.tmp").write_bytes(b"half a sha")
    (standing / ".00003.json.x1y2z3.tmp").write_bytes(b"{")
    encode_to_store(standing, make_texts(), tiny_embedder())
    assert files_of(standing) == files_of(undisturbed)


RUN = """
import sys, time
from sparseembed.embedders import shards, store
from sparseembed.embedders.load import load_embedder
from sparseembed.progress import set_reporter
sys.path.insert(0, sys.argv[3])
from test_store import make_texts
from pathlib import Path

class Slow:
    def note(self, text): pass
    def bar(self, *about): return self
    def close(self): pass
    def update(self, amount, detail=""):
        print("shard", flush=True)
        time.sleep(0.2)

store.SHARD_SIZE = 4
set_reporter(Slow())
embedder = load_embedder(sys.argv[2], dtype="float32", device="cpu").spec.with_changes(document_prompt="{text}",
    query_prompt="{text}", max_length=2048)
store.encode_to_store(Path(sys.argv[1]), make_texts(), load_embedder(embedder))
"""


def test_a_run_killed_in_its_middle_ends_with_the_same_bytes(undisturbed, tiny_model, tiny_embedder, tmp_path):
    folder = tmp_path / "killed"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUN, str(folder), str(tiny_model("tied")), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        for _ in range(2):
            assert run.stdout.readline() == "shard\n", run.stderr.read()
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert 2 <= len(list(folder.glob("*.npy"))) < 6
    with pytest.raises(DataError, match="holds unfinished embeddings: run the same encode again"):
        EmbeddingStore(folder)
    encode_to_store(folder, make_texts(), tiny_embedder())
    assert files_of(folder) == files_of(undisturbed)


def test_a_changed_corpus_is_an_error_and_leaves_the_store_alone(undisturbed, standing, tiny_embedder):
    for finished in (True, False):
        if not finished:
            unfinished(standing)
        before = files_of(standing)
        with pytest.raises(
            DataError, match=r"small, documents has changed since it was encoded in .*--reencode"
        ) as caught:
            encode_to_store(standing, make_texts("2"), tiny_embedder())
        line_of(caught)
        assert files_of(standing) == before


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("pooling", {"pooling": "mean"}),
        ("attention", {"attention": "bidirectional"}),
        ("max_length", {"max_length": 64}),
        ("dtype", {"dtype": "bfloat16"}),
        ("document_prompt", {"document_prompt": "x {text}"}),
        ("weights_fingerprint", {"model": "untied"}),
    ],
)
def test_another_embedder_is_an_error_naming_the_field(standing, tiny_embedder, field, parts):
    before = files_of(standing)
    with pytest.raises(EmbedderError, match=f"encoded by another embedder: {field} was .* and is ") as caught:
        encode_to_store(standing, make_texts(), tiny_embedder(**parts))
    line_of(caught)
    assert files_of(standing) == before


def test_another_side_or_shard_size_is_an_error_naming_it(standing, tiny_embedder, monkeypatch):
    with pytest.raises(DataError, match="differs in side: it has 'document'"):
        encode_to_store(standing, make_texts(), tiny_embedder(), "query")
    monkeypatch.setattr(store, "SHARD_SIZE", 5)
    with pytest.raises(DataError, match="differs in shard_size: it has 4"):
        encode_to_store(standing, make_texts(), tiny_embedder())


def test_redo_encodes_anew_what_has_changed(standing, tiny_embedder, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(store, "note", told.append)
    encode_to_store(standing, make_texts("2"), tiny_embedder(), redo=True)
    assert told[0].startswith("encoding anew: small, documents has changed")
    assert "--reencode" not in told[0]
    encode_to_store(tmp_path / "fresh", make_texts("2"), tiny_embedder())
    assert files_of(standing) == files_of(tmp_path / "fresh")
    encode_to_store(standing, make_texts("2"), tiny_embedder(pooling="mean"), redo=True)
    assert EmbeddingStore(standing).about["embedder"]["pooling"] == "mean"


def test_redo_reuses_what_has_not_changed(standing, tiny_embedder):
    embedder = tiny_embedder()
    encode_to_store(standing, make_texts(), embedder, redo=True)
    assert embedder.model_calls == 0


def test_shards_of_unknown_texts_are_not_taken_for_ones_own(undisturbed, standing, tiny_embedder, tmp_path):
    # A run with redo was killed while it removed the older store: its shards fit in shape.
    (standing / "store.json").unlink()
    encode_to_store(standing, make_texts("2"), tiny_embedder())
    encode_to_store(tmp_path / "fresh", make_texts("2"), tiny_embedder())
    assert files_of(standing) == files_of(tmp_path / "fresh")


@pytest.mark.parametrize("contents", ["", "{", "[]", "null", '"text"'])
def test_a_damaged_store_json_is_one_line(standing, tiny_embedder, contents):
    (standing / "store.json").write_text(contents)
    for call in (lambda: EmbeddingStore(standing), lambda: encode_to_store(standing, make_texts(), tiny_embedder())):
        with pytest.raises(DataError, match=r"store\.json is damaged: delete the folder and encode again") as caught:
            call()
        line_of(caught)


def test_a_store_json_without_fields_is_one_line(standing, tiny_embedder):
    (standing / "store.json").write_text("{}")
    with pytest.raises(DataError, match="--reencode") as caught:
        encode_to_store(standing, make_texts(), tiny_embedder())
    line_of(caught)


def test_damaged_ids_and_no_store_are_one_line(standing, tmp_path):
    (standing / "ids.json").write_text("[")
    with pytest.raises(DataError, match=r"ids\.json is damaged \(.*\): run the same encode again"):
        _ = EmbeddingStore(standing).ids
    with pytest.raises(DataError, match=r"holds no embeddings .*run sparseembed encode first"):
        EmbeddingStore(tmp_path / "nothing")


def test_an_error_of_the_model_keeps_full_shards(tmp_path, tiny_embedder, undisturbed):
    embedder = tiny_embedder()
    original = embedder.encode_counted

    def fails_later(texts, side, names):
        if "d8" in names:
            raise EmbedderError("the model gave NaN")
        return original(texts, side, names)

    embedder.encode_counted = fails_later
    with pytest.raises(EmbedderError):
        encode_to_store(tmp_path / "store", make_texts(), embedder)
    assert len(list((tmp_path / "store").glob("*.npy"))) == 2
    encode_to_store(tmp_path / "store", make_texts(), tiny_embedder())
    assert files_of(tmp_path / "store") == files_of(undisturbed)


def test_an_empty_store(tmp_path, tiny_embedder):
    opened = encode_to_store(tmp_path / "store", Texts("none", "f", [], []), tiny_embedder())
    assert opened.matrix().shape == (0, 32)
    assert opened.blank().shape == (0,)
