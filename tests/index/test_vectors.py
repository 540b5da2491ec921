"""Vectors on disk: what is written is read back, and written again it is the same."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.errors import IndexFolderError
from sparseembed.index import vectors
from sparseembed.index.vectors import VectorReader, VectorRow, VectorWriter

strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
rows = st.dictionaries(
    strings.filter(bool), st.tuples(strings, st.dictionaries(strings, st.integers(1, 255), max_size=5)), max_size=12
)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(vectors, "SHARD_ROWS", 3)


@pytest.fixture
def written(tmp_path):
    """Return a folder with 7 rows in 3 shards, ids d0 to d6."""
    with VectorWriter(tmp_path / "vectors") as writer:
        for number in range(7):
            writer.add(f"d{number}", f"text {number}", {"cat": number + 1, "é": 2})
    return tmp_path / "vectors"


def error_of(call):
    with pytest.raises(IndexFolderError) as caught:
        call()
    assert str(caught.value).isprintable()
    return str(caught.value)


@given(rows)
def test_rows_come_back_as_they_were(tmp_path_factory, content):
    folder, again = tmp_path_factory.mktemp("a") / "v", tmp_path_factory.mktemp("b") / "v"
    expected = [VectorRow(key, *content[key]) for key in sorted(content)]
    for target in (folder, again):
        with VectorWriter(target) as writer:
            for row in expected:
                writer.add(*row)
        assert writer.postings == sum(len(row.vector) for row in expected)
    reader = VectorReader(folder)
    assert list(reader) == expected
    assert len(reader) == len(expected)
    for number, row in enumerate(expected):
        assert reader.row(number) == row
        assert reader.find(row.id) == row
        assert list(reader.row(number).vector) == list(row.vector)
        assert reader.find(row.id + "\x00") is None
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        file.name: file.read_bytes() for file in again.iterdir()
    }


def test_ids_that_are_not_there(written):
    reader = VectorReader(written)
    for missing in ("", "d", "d00", "d3x", "d7", "z", "é"):
        assert reader.find(missing) is None


def test_ids_are_in_the_order_of_their_bytes(tmp_path):
    # As UTF-16, U+1F600 would stand before U+FF5E.
    ids = sorted(["a", "B", "é", "\uff5e", "\U0001f600"], key=str.encode)
    with VectorWriter(tmp_path / "v") as writer:
        for each in ids:
            writer.add(each, "", {})
    reader = VectorReader(tmp_path / "v")
    assert [reader.find(each).id for each in ids] == ids


def test_the_files_are_pyserinis(written):
    assert sorted(file.name for file in written.iterdir()) == [
        "00000.jsonl",
        "00001.jsonl",
        "00002.jsonl",
        "offsets.npy",
    ]
    lines = (written / "00001.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"id": "d3", "contents": "text 3", "vector": {"cat": 4, "é": 2}}
    assert len(lines) == 3


def test_the_fingerprint_is_that_of_all_lines(written, tmp_path):
    import hashlib

    with VectorWriter(tmp_path / "again") as writer:
        for row in VectorReader(written):
            writer.add(*row)
    whole = b"".join(file.read_bytes() for file in sorted(written.glob("*.jsonl")))
    assert writer.fingerprint == hashlib.sha256(whole).hexdigest()
    with VectorWriter(tmp_path / "other") as other:
        other.add("d0", "text 0", {"cat": 2, "é": 2})
    assert other.fingerprint != writer.fingerprint


def test_a_damaged_line_is_named(written):
    shard = written / "00001.jsonl"
    lines = shard.read_bytes().splitlines(keepends=True)
    for damaged in (b"{\n", b"[]\n", b'{"id": "d4"}\n', b"\xff\xfe\n", b"null\n"):
        shard.write_bytes(lines[0] + damaged + lines[2])
        message = error_of(lambda: list(VectorReader(written)))
        assert "00001.jsonl:2 is damaged: build the index again" in message


def test_reading_a_row_of_a_damaged_shard(written):
    reader = VectorReader(written)
    (written / "00001.jsonl").write_bytes(b"x" * 500)
    assert reader.row(0).id == "d0"
    assert "00001.jsonl is missing or damaged" in error_of(lambda: reader.row(4))
    (written / "00001.jsonl").unlink()
    assert "00001.jsonl is missing or damaged" in error_of(lambda: reader.find("d4"))


@pytest.mark.parametrize("shard", ["00001.jsonl", "00002.jsonl"])
def test_rows_that_are_missing_are_noticed(written, shard):
    (written / shard).unlink()
    assert "rows and not 7: build the index again" in error_of(lambda: list(VectorReader(written)))


def test_a_shard_cut_between_lines_is_noticed(written):
    last = written / "00000.jsonl"
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:2]))
    assert "holds 6 rows and not 7" in error_of(lambda: list(VectorReader(written)))


@pytest.mark.parametrize("contents", [None, b"", b"garbage"])
def test_damaged_offsets(written, contents):
    (written / "offsets.npy").unlink()
    if contents is not None:
        (written / "offsets.npy").write_bytes(contents)
    assert "offsets.npy is missing or damaged" in error_of(lambda: VectorReader(written))


def test_what_a_failed_build_wrote_cannot_be_opened(tmp_path):
    def fails():
        with VectorWriter(tmp_path / "v") as writer:
            writer.add("d0", "", {"cat": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    error_of(lambda: VectorReader(tmp_path / "v"))


def test_a_folder_that_is_there_is_not_written_over(written):
    with pytest.raises(FileExistsError):
        VectorWriter(written)


def test_no_rows(tmp_path):
    with VectorWriter(tmp_path / "v"):
        pass
    reader = VectorReader(tmp_path / "v")
    assert (len(reader), list(reader), reader.find("d0")) == (0, [], None)
    assert np.load(tmp_path / "v" / "offsets.npy").shape == (0,)
