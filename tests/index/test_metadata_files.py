"""Metadata in segments: it comes back, columns say what rows say, merging is writing anew, and damage is told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.data.metadata import metadata_of, packed
from sparseembed.errors import DataError, IndexFolderError
from sparseembed.index.block import Block
from sparseembed.index.keys import entries
from sparseembed.index.segment import SegmentReader, SegmentWriter, gathered, merge_segments
from sparseembed.index.segment import format as layout

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "de", "fr", "a\nb", "é", "x" * 300, "x" * 300 + "y"]),
)
rows = st.dictionaries(st.sampled_from(["year", "lang", "tags", "é", "a.b"]), st.one_of(scalars, st.lists(scalars)))
collections = st.lists(st.one_of(st.just({}), rows), max_size=200)


def write(folder, metadata, first=0, plain=False):
    """Write a segment of documents that have these metadata, some blocks of them without saying so."""
    with SegmentWriter(folder) as writer:
        for start in range(0, len(metadata), 7):
            part = metadata[start : start + 7]
            count = len(part)
            ids = [f"d{first + start + place}" for place in range(count)]
            data = None if plain and not any(part) else [packed(metadata_of(each)) for each in part]
            nothing = np.empty(0, dtype=np.int32)
            indptr = np.zeros(count + 1, dtype=np.int64)
            writer.add(Block(ids, ids, indptr, nothing, nothing.astype(np.uint16), (), (), None, data))
        return writer.finish()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=60)
@given(collections, st.booleans(), st.sampled_from([0, 300, 1 << 20]))
def test_metadata_comes_back(tmp_path_factory, metadata, plain, memory):
    folder = tmp_path_factory.mktemp("segment")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered.Gathered.__init__, "__defaults__", (memory,))
        info = write(folder, metadata, plain=plain)
    assert (layout.METADATA in info.files) == any(metadata)
    assert set(contents(folder)) == set(info.files)
    reader = SegmentReader(folder)
    reader.verify()
    assert list(reader.raw_metadata()) == [packed(metadata_of(each)) for each in metadata]
    if reader.metadata is None:
        return
    wanted = {}
    for number, each in enumerate(metadata):
        assert packed(reader.metadata.metadata(number)) == packed(metadata_of(each))
        for field, key in entries(metadata_of(each)):
            wanted.setdefault(field.decode(), {}).setdefault(key, set()).add(number)
    assert reader.metadata.fields == sorted(wanted, key=str.encode)
    for field, keys in wanted.items():
        column = reader.metadata.column(field)
        assert len(column) == len(keys)
        for place, key in enumerate(sorted(keys)):
            assert (column.first(key), column.past(key)) == (place, place + 1)
            assert column.documents(place, place + 1).tolist() == sorted(keys[key])
    assert reader.metadata.column("nope") is None


@settings(max_examples=30)
@given(collections, collections, st.randoms(use_true_random=False))
def test_merging_is_writing_the_live_documents(tmp_path_factory, one, other, chance):
    folder = tmp_path_factory.mktemp("merge")
    write(folder / "one", one)
    write(folder / "other", other, first=len(one))
    readers = [SegmentReader(folder / name) for name in ("one", "other")]
    dead = [np.array([chance.random() < 0.3 for _ in each], dtype=bool) for each in (one, other)]
    merge_segments(readers, dead, folder / "merged", 8)
    merged = SegmentReader(folder / "merged")
    merged.verify()
    kept = [each for part, flags in zip((one, other), dead, strict=True) for each, gone in zip(part, flags, strict=True) if not gone]  # fmt: skip  # noqa: E501
    assert list(merged.raw_metadata()) == [packed(metadata_of(each)) for each in kept]
    write(folder / "anew", kept)
    names = [name for name in layout.METADATA_FILES if (folder / "anew" / name).exists()]
    assert (set(contents(folder / "merged")) & set(layout.METADATA_FILES)) == set(names)
    for name in names:
        assert (folder / "anew" / name).read_bytes() == (folder / "merged" / name).read_bytes()


def test_a_segment_without_metadata_has_the_files_that_it_always_had(tmp_path):
    info = write(tmp_path / "none", [{}] * 10)
    assert sorted(info.files) == ["documents.tables", "postings.bits", "terms.tables", "texts.lz4"]
    reader = SegmentReader(tmp_path / "none")
    assert reader.metadata is None
    assert list(reader.raw_metadata()) == [b""] * 10


def test_metadata_is_small(tmp_path):
    """A year, a language and two tags of 10,000 documents take less than 40 bytes a document."""
    made = [{"year": 1990 + n % 30, "lang": ("de", "en", "fr")[n % 3], "tags": [f"t{n % 11}", f"t{n % 7}"]}
            for n in range(10_000)]  # fmt: skip
    info = write(tmp_path / "small", made)
    assert sum(info.files[name]["bytes"] for name in layout.METADATA_FILES) < 400_000


def test_what_is_no_packed_metadata_is_refused(tmp_path):
    for row in (b"[1]", b"{", b'{"a":{"b":1}}', b"\xff"):
        block = Block(["d"], [""], np.zeros(2, np.int64), np.empty(0, np.int32), np.empty(0, np.uint16), (), (), None, [row])  # fmt: skip  # noqa: E501
        with pytest.raises(DataError, match="not what packed it"), SegmentWriter(tmp_path / "bad") as writer:
            writer.add(block)
        assert not (tmp_path / "bad").exists()
        with pytest.raises(DataError, match="do not agree"), SegmentWriter(tmp_path / "bad") as writer:
            writer.add(block._replace(metadata=[]))


MADE = [{"year": n % 5, "lang": "de" if n % 2 else "fr", "note": f"note {n}"} for n in range(150)]


def read_all(folder):
    reader = SegmentReader(folder)
    if reader.metadata is None:
        return None
    found = [dict(reader.metadata.metadata(number)) for number in range(reader.documents)]
    for field in reader.metadata.fields:
        column = reader.metadata.column(field)
        found.append(column.documents(0, len(column)).tolist())
    return found


@pytest.mark.parametrize("name", layout.METADATA_FILES)
def test_a_changed_byte_is_told_when_it_is_read(tmp_path, name):
    write(tmp_path / "s", MADE)
    whole, file = read_all(tmp_path / "s"), tmp_path / "s" / name
    before = file.read_bytes()
    for place in sorted({*range(0, len(before), max(1, len(before) // 60)), len(before) - 1}):
        file.write_bytes(before[:place] + bytes([before[place] ^ 0x10]) + before[place + 1 :])
        with pytest.raises(IndexFolderError, match="damaged"):
            read_all(tmp_path / "s")
    for cut in (0, 1, len(before) // 2, len(before) - 1):
        file.write_bytes(before[:cut])
        with pytest.raises(IndexFolderError, match="damaged"):
            read_all(tmp_path / "s")
    file.write_bytes(before)
    assert read_all(tmp_path / "s") == whole
    file.unlink()
    with pytest.raises(IndexFolderError, match=name):
        read_all(tmp_path / "s")


def test_columns_that_are_not_those_of_the_rows_are_told(tmp_path):
    write(tmp_path / "one", MADE)
    write(tmp_path / "other", [{**each, "year": (each["year"] + 1) % 5} for each in MADE])
    for name in (layout.COLUMNS, layout.METADATA_ROWS):
        (tmp_path / "one" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(IndexFolderError):
        SegmentReader(tmp_path / "one").verify()
