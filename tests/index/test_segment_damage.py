"""Damage: every byte counts, and a damaged or hostile file gives one line, never a crash."""

import json
import shutil
import struct
import zlib

import numpy as np
import pytest

from sparseembed.engines.native import NativeEngine
from sparseembed.errors import IndexFolderError
from sparseembed.index.block import Block
from sparseembed.index.segment import SegmentReader, SegmentWriter
from sparseembed.index.segment.planes import whole
from sparseembed.index.segment.tables import MAGIC

FILES = ["postings.bits", "terms.tables", "documents.tables", "texts.lz4"]
TERMS = ("a", "b", "c", "dé")


def vector(number):
    return {term: (number * 7 + place * 3) % 255 + 1 for place, term in enumerate(TERMS) if (number + place) % 3}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    count = 40
    rows = [vector(number) for number in range(count)]
    block = Block(
        [f"id{number}" for number in range(count)],
        [f"text {number} " * 5 for number in range(count)],
        np.cumsum([0, *map(len, rows)]),
        np.array([TERMS.index(term) for row in rows for term in row], dtype=np.int32),
        np.array([impact for row in rows for impact in row.values()], dtype=np.uint16),
        TERMS,
        (),
    )
    folder = tmp_path_factory.mktemp("sound") / "s"
    with SegmentWriter(folder) as writer:
        writer.add(block)
        writer.finish()
    return folder


@pytest.fixture
def copy(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "s")
    return tmp_path / "s"


def use(folder):
    """Read everything that a segment has and check it."""
    reader = SegmentReader(folder)
    for number in range(40):
        assert reader.id(number) == f"id{number}"
        assert reader.text(number) == f"text {number} " * 5
        assert reader.impacts(number, TERMS) == [vector(number).get(term, 0) for term in TERMS]
    assert [row for _, row in reader.vectors()] == [vector(number) for number in range(40)]


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_byte_is_found(copy, name):
    path = copy / name
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x21]) + data[place + 1 :])
        with pytest.raises(IndexFolderError) as error:
            SegmentReader(copy).verify()
        assert "\n" not in str(error.value)
        with pytest.raises(IndexFolderError):
            use(copy)
    path.write_bytes(data)
    use(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_cut_longer_or_missing_file_is_found_at_open(copy, name):
    path = copy / name
    data = path.read_bytes()
    for size in {0, 1, 8, 15, 16, 17, 100, len(data) // 2, len(data) - 1}:
        path.write_bytes(data[:size])
        with pytest.raises(IndexFolderError):
            SegmentReader(copy)
    path.write_bytes(data + bytes(64))
    with pytest.raises(IndexFolderError):
        SegmentReader(copy)
    path.unlink()
    with pytest.raises(IndexFolderError, match=name):
        SegmentReader(copy)


def test_an_empty_folder_and_none(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(IndexFolderError, match="cannot be read"):
            SegmentReader(folder)


def forge(path, change):
    """Rewrite a file of tables with sound checksums."""
    data = path.read_bytes()
    size = struct.unpack("<8sII", data[:16])[1]
    header = json.loads(data[16 : 16 + size])
    place, arrays = 16 + size, {}
    for name, dtype, count, used, nbytes, _ in header["arrays"]:
        stored = np.frombuffer(data[place : place + nbytes], dtype=np.uint8)
        arrays[name] = whole(stored, np.dtype(dtype), count, used).copy()
        place += nbytes + -nbytes % 64
    change(header["meta"], arrays)
    body, entries = b"", []
    for name, array in arrays.items():
        raw = array.tobytes() + bytes(-array.nbytes % 64)
        entries.append([name, array.dtype.str, len(array), array.itemsize, array.nbytes, zlib.crc32(raw)])
        body += raw
    text = json.dumps({"meta": header["meta"], "arrays": entries}).encode()
    text += b" " * (-(16 + len(text)) % 64)
    path.write_bytes(struct.pack("<8sII", MAGIC, len(text), zlib.crc32(text)) + text + body)


def put(name, place, value):
    def change(meta, arrays):
        arrays[name][place] = value

    return change


def meta(name, value):
    def change(header, arrays):
        header[name] = value

    return change


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("terms.tables", put("slice_extra", 1, 2**32 - 1)),
        ("terms.tables", put("slice_postings", 1, 0)),
        ("terms.tables", put("slice_postings", -1, 2**32 - 1)),
        ("terms.tables", put("term_slices", 1, 0)),
        ("terms.tables", put("term_slices", -1, 99)),
        ("terms.tables", put("slice_chunks", 0, 1)),
        ("terms.tables", put("slice_maxima", 0, 0)),
        ("terms.tables", put("term_sizes", 1, 2**32 - 1)),
        ("terms.tables", meta("bits", 17)),
        ("terms.tables", meta("bits", 1)),
        ("terms.tables", put("slice_packing", 0, 0)),
        ("terms.tables", put("slice_packing", -1, 0x2F)),
        ("terms.tables", lambda _, arrays: arrays.update(largest_10=arrays["largest_10"][1:])),
        ("terms.tables", lambda _, arrays: arrays.update(crcs=arrays["crcs"][:0])),
        ("terms.tables", meta("chunk_bits", 0)),
        ("terms.tables", meta("chunk_bits", 10**9)),
        ("terms.tables", meta("chunk_bits", 2)),
        ("terms.tables", meta("documents", 41)),
        ("terms.tables", meta("postings", 10**18)),
        ("documents.tables", put("ranks", 0, 40)),
        ("documents.tables", put("ranks", 0, -1)),
        ("documents.tables", put("id_sizes", 3, 2**32 - 1)),
        ("documents.tables", lambda _, arrays: arrays.update(text_sizes=arrays["text_sizes"][1:])),
        ("documents.tables", put("block_documents", 0, 1)),
        ("documents.tables", put("block_sizes", -1, 2**32 - 1)),
        ("documents.tables", meta("documents", 39)),
    ],
)
def test_sound_checksums_over_wrong_numbers(copy, file, change):
    forge(copy / file, change)
    with pytest.raises(IndexFolderError):
        SegmentReader(copy)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("documents.tables", put("text_sizes", -1, 2**32 - 1)),
        ("documents.tables", put("ranks", 0, 5)),
        ("terms.tables", put("slice_maxima", 0, 1)),
        ("terms.tables", put("largest_10", 1, 9)),
        ("terms.tables", put("term_bytes", 0, 0x7A)),
        ("terms.tables", put("term_bytes", -1, 0xFF)),
    ],
)
def test_verify_compares_what_tables_say(copy, file, change):
    forge(copy / file, change)
    with pytest.raises(IndexFolderError):
        SegmentReader(copy).verify()


def test_documents_that_do_not_exist(copy):
    data = bytearray((copy / "postings.bits").read_bytes())
    reader = SegmentReader(copy)
    begin, end = reader.arrays.begins[reader.arrays.starts[:2]].tolist()
    data[begin:end] = b"\xff" * (end - begin)
    (copy / "postings.bits").write_bytes(data)
    forge(copy / "terms.tables", put("crcs", 0, zlib.crc32(data[: int(reader.arrays.begins[-1])])))
    for compiled in (False, True):
        reader = SegmentReader(copy)
        engine = NativeEngine([reader], [None], warm=False)
        if compiled:
            engine.load()
        term = next(iter(reader.terms_iter()))[0]
        assert all(reader.number(hit.id) is not None for hit in engine.search({term: 1}, 1000))
    with pytest.raises(IndexFolderError, match="not those of its slices"):
        SegmentReader(copy).verify()


@pytest.mark.parametrize(
    "header", [b"[]", b"{}", b'{"meta": 1, "arrays": []}', b'{"meta": {}, "arrays": [[1]]}', b"\xff"]
)
def test_headers_of_nonsense(copy, header):
    (copy / "terms.tables").write_bytes(struct.pack("<8sII", MAGIC, len(header), zlib.crc32(header)) + header)
    with pytest.raises(IndexFolderError):
        SegmentReader(copy)


@pytest.mark.parametrize("stored", [0, 10**18])
def test_a_huge_count_allocates_nothing(copy, stored):
    names = json.dumps({"meta": {}, "arrays": [["term_bytes", "|u1", 10**18, 1, stored, 0]]}).encode()
    (copy / "terms.tables").write_bytes(struct.pack("<8sII", MAGIC, len(names), zlib.crc32(names)) + names)
    with pytest.raises(IndexFolderError):
        SegmentReader(copy)
