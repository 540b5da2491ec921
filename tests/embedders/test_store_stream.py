"""Stores that are written and read as streams, noticed damage, and several processes at one store."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparseembed
from sparseembed.embedders import store
from sparseembed.embedders.shards import DAMAGE, Counts, read_about, read_counts, write_about, write_ids, write_shard
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.store_check import is_store, verify_store
from sparseembed.embedders.transformer import Encoded
from sparseembed.errors import DataError, IndexFolderError
from sparseembed.progress import set_reporter

ROOT = Path(sparseembed.__file__).parents[1]
COUNT, SIZE, WIDTH = 23, 4, 3


class Stub:
    """Embeds a text as its length and two more numbers, and says what it was asked for."""

    dimension = WIDTH
    spec = EmbedderSpec("stub", "none")

    def __init__(self):
        self.asked = []

    def identity(self, side=None):
        return {"stub": 1}

    def encode_counted(self, texts, side="document", names=None):
        self.asked.append(list(names))
        vectors = [[len(text), sum(map(ord, text)), 1] if text.strip() else [0, 0, 0] for text in texts]
        return Encoded(np.asarray(vectors, dtype=np.float32), sum(map(len, texts)), 0)


class Stream:
    """Texts that are made when they are asked for; at most one block of them may be alive."""

    def __init__(self, count=COUNT, version=""):
        self.count, self.version, self.passes = count, version, 0

    def __iter__(self):
        self.passes += 1
        for number in range(self.count):
            yield "" if number % 7 == 3 else f"text {number}{self.version}"


def texts_of(stream, fingerprint="f", count=COUNT):
    return Texts("numbers", fingerprint, [f"d{number}" for number in range(count)], stream)


def vectors_of(stream):
    return Stub().encode_counted(list(stream), names=[]).vectors


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(store, "SHARD_SIZE", SIZE)


@pytest.fixture
def folder(tmp_path):
    encode_to_store(tmp_path / "store", texts_of(Stream()), Stub())
    return tmp_path / "store"


@pytest.fixture
def notes():
    """Gather what is told to the user."""
    said = []

    class Listener:
        def note(self, text):
            said.append(text)

        def bar(self, *about):
            return self

        def update(self, amount, detail=""):
            pass

        def close(self):
            pass

    before = set_reporter(Listener())
    yield said
    set_reporter(before)


def test_a_stream_is_read_once_and_gives_what_a_list_gives(tmp_path, folder):
    stream = Stream()
    encode_to_store(tmp_path / "streamed", texts_of(stream), Stub())
    encode_to_store(tmp_path / "listed", texts_of(list(Stream())), Stub())
    assert stream.passes == 1
    assert files_of(tmp_path / "streamed") == files_of(tmp_path / "listed") == files_of(folder)
    encode_to_store(tmp_path / "streamed", texts_of(stream), Stub())
    assert stream.passes == 1


@given(st.integers(1, 40))
def test_blocks_are_the_matrix_in_order(folder, size):
    opened, expected = EmbeddingStore(folder), vectors_of(Stream())
    blocks = list(opened.blocks(size))
    assert [start for start, _ in blocks] == list(range(0, COUNT, size))
    assert [len(vectors) for _, vectors in blocks] == [min(size, COUNT - start) for start, _ in blocks]
    np.testing.assert_array_equal(np.concatenate([vectors for _, vectors in blocks]), expected)
    np.testing.assert_array_equal(opened.matrix(), expected)
    np.testing.assert_array_equal(opened.blank(), ~expected.any(axis=1))


def test_each_shard_is_opened_once(folder, monkeypatch):
    opened, read = EmbeddingStore(folder), []
    original = store.read_shard
    monkeypatch.setattr(
        store, "read_shard", lambda place, number, rows: (read.append(number), original(place, number, rows))[1]
    )
    rows = np.random.default_rng(0).permutation(COUNT)
    np.testing.assert_array_equal(opened.take(rows), vectors_of(Stream())[rows])
    assert sorted(read) == list(range(6))
    opened.take(rows)
    assert len(read) == 6
    list(opened.blocks(5))
    assert len(read) == 12


@pytest.mark.parametrize("rows", [[COUNT], [-1], [0, 99]])
def test_rows_that_are_not_there(folder, rows):
    with pytest.raises(IndexError, match="are 0 to 22"):
        EmbeddingStore(folder).take(np.asarray(rows))


@pytest.mark.parametrize("count", [0, 5, COUNT - 1, COUNT + 1])
def test_another_number_of_texts_than_ids(tmp_path, count):
    with pytest.raises(DataError, match="numbers changed while they were encoded"):
        encode_to_store(tmp_path / "store", texts_of(Stream(count)), Stub())
    encode_to_store(tmp_path / "store", texts_of(Stream()), Stub())
    np.testing.assert_array_equal(EmbeddingStore(tmp_path / "store").matrix(), vectors_of(Stream()))


def test_shards_of_texts_that_changed_meanwhile_are_made_anew(tmp_path, folder):
    class Changing(Stream):
        def __iter__(self):
            for number, text in enumerate(super().__iter__()):
                if number == 20:
                    raise DataError("changed while it was in use")
                yield text + ("!" if 4 <= number < 8 else "")

    with pytest.raises(DataError, match="in use"):
        encode_to_store(tmp_path / "new", texts_of(Changing()), Stub())
    stub = Stub()
    encode_to_store(tmp_path / "new", texts_of(Stream()), stub)
    assert stub.asked == [["d4", "d5", "d6", "d7"], ["d20", "d21", "d22"]]
    assert files_of(tmp_path / "new") == files_of(folder)


@pytest.mark.parametrize("count", [0, 1, 9_999, 10_000, 10_001, 20_000])
def test_ids_are_written_as_one_list(tmp_path, count):
    import hashlib
    import json

    ids = [f"é{number}" for number in range(count)]
    found = write_ids(tmp_path, ids)
    raw = (tmp_path / "ids.json").read_bytes()
    assert raw == json.dumps(ids, ensure_ascii=False).encode()
    assert found == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize("value", [np.nan, np.inf, 2e38, 1.5])
def test_a_value_changed_in_a_shard_is_found_named_and_made_anew(folder, notes, value):
    before, shard = files_of(folder), folder / "00002.npy"
    vectors = np.load(shard)
    vectors[1, 1] = value
    np.save(shard, vectors)
    with pytest.raises(DataError, match=r"00002\.npy is damaged \(its checksum is not the stored one\): run the same"):
        EmbeddingStore(folder).matrix()
    stub = Stub()
    encode_to_store(folder, texts_of(Stream()), stub)
    assert stub.asked == [["d8", "d9", "d10", "d11"]]
    assert any(f"{shard} is damaged" in note and "encoding its texts again" in note for note in notes)
    assert files_of(folder) == before


@given(st.data())
def test_any_changed_byte_is_found(tmp_path, data):
    place = tmp_path / "store"
    if not place.exists():
        encode_to_store(place, texts_of(Stream()), Stub())
        assert verify_store(place) == []
    file = data.draw(st.sampled_from(sorted(place.iterdir())))
    raw = file.read_bytes()
    at, change = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(1, 255))
    file.write_bytes(raw[:at] + bytes([raw[at] ^ change]) + raw[at + 1 :])
    try:
        problems = verify_store(place)
        assert problems, f"{file.name} at {at} by {change}"
        named = file.with_suffix(".npy") if file.name[0].isdigit() else file
        assert any(str(named) in problem for problem in problems)
        assert all(problem.isprintable() and ": " in problem for problem in problems)
    finally:
        file.write_bytes(raw)


@pytest.mark.parametrize("name", ["ids.json", "00003.npy", "00003.json", "00000.json"])
@pytest.mark.parametrize("how", ["gone", "empty", "cut"])
def test_verify_and_encode_again_repair(folder, name, how):
    before, file = files_of(folder), folder / name
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "empty" else file.read_bytes()[:-2])
    (problem,) = verify_store(folder)
    assert problem.endswith(": run the same encode again, it makes it anew")
    encode_to_store(folder, texts_of(Stream()), Stub())
    assert verify_store(folder) == []
    assert files_of(folder) == before


def test_verify_tells_of_an_unfinished_store_and_of_strange_shards(folder):
    write_shard(folder, 6, np.zeros((1, WIDTH), dtype=np.float32), Counts(1, 0, 0))
    assert verify_store(folder) == [
        f"{folder}/{name} belongs to no text of the store: delete it" for name in ("00006.json", "00006.npy")
    ]
    about = read_about(folder)
    del about["complete"]
    write_about(folder, about)
    (folder / "00005.npy").unlink()
    assert verify_store(folder)[0].startswith(f"{folder} holds unfinished embeddings: run the same encode again")
    assert is_store(folder)
    assert not is_store(folder.parent)
    assert verify_store(folder.parent)[0].startswith(f"{folder.parent}/store.json is damaged")


def as_earlier(folder):
    """Make a store as it was written before its small files had checksums."""
    import json

    about = {key: value for key, value in read_about(folder).items() if key != "ids_sha256"}
    (folder / "store.json").write_text(json.dumps(about, indent=2))
    for file in folder.glob("[0-9]*.json"):
        kept = {key: value for key, value in json.loads(file.read_text()).items() if key not in ("texts", "checksum")}
        file.write_text(json.dumps(kept))


def test_a_store_of_an_earlier_version_is_used_and_gone_on_with(folder):
    as_earlier(folder)
    stub = Stub()
    encode_to_store(folder, texts_of(Stream()), stub)
    assert stub.asked == []
    assert verify_store(folder) == []
    assert EmbeddingStore(folder).ids == texts_of([]).ids
    (folder / "00001.npy").unlink()
    (folder / "ids.json").write_text("[")
    encode_to_store(folder, texts_of(Stream()), stub)
    assert stub.asked == [["d4", "d5", "d6", "d7"]]
    assert EmbeddingStore(folder).ids == texts_of([]).ids
    assert verify_store(folder) == []
    assert read_counts(folder, 1).texts is not None


@given(st.binary(max_size=80), st.sampled_from(["store.json", "ids.json", "00000.json", "00000.npy"]), st.booleans())
def test_random_bytes_are_damage(tmp_path, raw, name, appended):
    place = tmp_path / "store"
    if not place.exists():
        encode_to_store(place, texts_of(Stream()), Stub())
    kept = (place / name).read_bytes()
    (place / name).write_bytes(kept + raw if appended else raw)
    try:
        if (place / name).read_bytes() != kept:
            assert verify_store(place)
    finally:
        (place / name).write_bytes(kept)


def test_deep_nesting_is_damage(folder):
    (folder / "store.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"store\.json is damaged"):
        EmbeddingStore(folder)
    (folder / "ids.json").write_text("[" * 100_000)
    assert verify_store(folder)
    assert RecursionError in DAMAGE


HOLD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_store_stream import Stream, Stub, texts_of
from sparseembed.embedders import store
store.SHARD_SIZE = 4

class Waiting(Stub):
    def encode_counted(self, *arguments):
        print("held", flush=True)
        sys.stdin.read()

if sys.argv[1] == "write":
    store.encode_to_store(Path(sys.argv[2]), texts_of(Stream()), Waiting())
else:
    opened = store.EmbeddingStore(Path(sys.argv[2]))
    print("held", flush=True)
    sys.stdin.read()
    print(opened.matrix().shape)
"""


@pytest.fixture
def other(tmp_path):
    """Return a function that starts another process which encodes into a store, or reads one."""
    running = []

    def start(how, place):
        command = [sys.executable, "-c", HOLD, how, str(place), str(Path(__file__).parent)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command, env=environment, **pipes))
        assert running[-1].stdout.readline() == "held\n"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_the_second_encoder_is_told_of_the_first(other, tmp_path):
    process = other("write", tmp_path / "store")
    for redo in (False, True):
        with pytest.raises(IndexFolderError, match=f"process {process.pid} on .* since .*encoding numbers"):
            encode_to_store(tmp_path / "store", texts_of(Stream()), Stub(), redo=redo)
    process.kill()
    process.wait()
    encode_to_store(tmp_path / "store", texts_of(Stream()), Stub())
    assert verify_store(tmp_path / "store") == []


def test_a_store_in_use_is_not_encoded_anew(other, folder):
    process = other("read", folder)
    before = files_of(folder)
    changed = texts_of(Stream(version="!"), "g")
    with pytest.raises(IndexFolderError, match=r"embeddings cannot be replaced while .* uses them: wait"):
        encode_to_store(folder, changed, Stub(), redo=True)
    assert files_of(folder) == before
    encode_to_store(folder, texts_of(Stream()), Stub(), redo=True)  # nothing is to be replaced
    assert process.communicate("")[0] == f"({COUNT}, {WIDTH})\n"
    encode_to_store(folder, changed, Stub(), redo=True)
    assert verify_store(folder) == []


def test_a_store_that_was_encoded_anew_is_not_read_as_the_old_one(folder):
    opened = EmbeddingStore(folder)
    opened.take(np.asarray([0]))
    encode_to_store(folder, texts_of(Stream(version="!"), "g"), Stub(), redo=True)
    with pytest.raises(DataError, match="was encoded anew after it was opened: open it again"):
        opened.matrix()
    with pytest.raises(DataError, match="was encoded anew"):
        opened.take(np.asarray([0]))
    assert EmbeddingStore(folder).matrix().shape == (COUNT, WIDTH)


def test_a_link_to_a_store_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for version in ("", "!"):
        encode_to_store(tmp_path / "link", texts_of(Stream(version=version), f"f{version}"), Stub(), redo=True)
    assert (tmp_path / "link").is_symlink()
    assert verify_store(tmp_path / "real") == []


def test_a_place_that_cannot_be_written_is_told_before_the_first_text(tmp_path):
    (tmp_path / "file").write_text("")
    stub = Stub()
    with pytest.raises(IndexFolderError, match=r"cannot be written \(Not a directory\)"):
        encode_to_store(tmp_path / "file" / "store", texts_of(Stream()), stub)
    assert stub.asked == []
