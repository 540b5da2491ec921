"""What further programs write: old ends of lines, frames to skip, kinds of columns, and files that hold no records."""

import bz2
import datetime
import decimal
import gzip
import lzma
import pickle
import uuid

import numpy as np
import pytest

from sparseembed.data.corpus import Document
from sparseembed.data.resolve import open_corpus

TABLE = 'id;title;text\n1;Tides;"The ""sea"" rises"\n2;Brot;"Mehl,\nWasser"\n'
DOCUMENTS = [Document("1", "Tides", 'The "sea" rises'), Document("2", "Brot", "Mehl,\nWasser")]


def returns(text):
    """End lines by carriage returns alone, but for the break within a value."""
    return text.replace("Mehl,\n", "Mehl,\0").replace("\n", "\r").replace("\0", "\n")


LINE_ENDS = {
    "return": returns(TABLE).encode(),
    "return, byte order mark": returns(TABLE).encode("utf-8-sig"),
    "return, UTF-16": returns(TABLE).encode("utf-16"),
    "return, sep= line": returns("sep=;\n" + TABLE).encode(),
    "return, no last end": returns(TABLE)[:-1].encode(),
    "two returns and a line feed": returns(TABLE).replace("\r", "\r\r\n").encode(),
}


@pytest.mark.parametrize("kind", LINE_ENDS)
def test_ends_of_lines(kind, tmp_path):
    (tmp_path / "x.csv").write_bytes(LINE_ENDS[kind])
    assert list(open_corpus(str(tmp_path / "x.csv"))) == DOCUMENTS


def test_lines_of_returns_are_counted(tmp_path, message_of):
    (tmp_path / "x.csv").write_bytes(b"id,text\r1,a\r2,b,c\r")
    assert "x.csv:3: 3 columns where 2 are needed" in message_of(open_corpus, str(tmp_path / "x.csv"))


@pytest.mark.parametrize("kind", ["before", "after", "between", "long window"])
def test_frames_of_zstandard(kind, tmp_path):
    zstandard = pytest.importorskip("zstandard")
    lines = [b'{"id": "1", "text": "a"}\n', b'{"id": "2", "text": "b"}\n']
    frames = [zstandard.compress(line) for line in lines]
    skipped = b"\x5a\x2a\x4d\x18\x04\x00\x00\x00abcd"
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    written = {
        "before": skipped + skipped + b"".join(frames),
        "after": b"".join(frames) + skipped,
        "between": skipped.join(frames),
        "long window": stream.compress(b"".join(lines)) + stream.flush(),
    }
    (tmp_path / "x").write_bytes(written[kind])
    assert open_corpus(str(tmp_path / "x")).ids == ["1", "2"]


def test_lzma_as_it_was_before_xz(tmp_path):
    (tmp_path / "x").write_bytes(lzma.compress(TABLE.encode(), format=lzma.FORMAT_ALONE))
    assert list(open_corpus(str(tmp_path / "x"))) == DOCUMENTS


RECORDS = [{"id": "1", "text": "a"}]
NO_RECORDS = {
    "gzip twice": (gzip.compress(gzip.compress(b'{"id": "1"}')), "compressed twice: unpack it once"),
    "gzip of bzip2": (gzip.compress(bz2.compress(b'{"id": "1"}')), "compressed twice: unpack it once"),
    "lz4": (b"\x04\x22\x4d\x18\x64\x40\xa7", "compressed by LZ4: unpack it"),
    "pickle": (pickle.dumps(RECORDS), "a pickle of Python: write its records as Parquet, JSONL or CSV"),
    "pickle in gzip": (gzip.compress(pickle.dumps(RECORDS)), "a pickle of Python: write its records"),
    "avro": (b"Obj\x01\x04\x14avro.codec", "an Avro file: write its records"),
    "sqlite": (b"SQLite format 3\x00\x10\x00", "a database of SQLite: write the table as CSV"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "a PDF: give a file of its text"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "save the sheet as CSV"),
    "utf-32": (TABLE.encode("utf-32"), "text in UTF-32: save it as UTF-8"),
    "utf-16 without a mark": (TABLE.encode("utf-16-le"), "UTF-16 or UTF-32 without a byte order mark, or no text"),
    "utf-16 without a mark, the other way": (TABLE.encode("utf-16-be"), "without a byte order mark, or no text"),
}


@pytest.mark.parametrize("kind", NO_RECORDS)
def test_files_of_no_records_are_named(kind, tmp_path, message_of):
    raw, told = NO_RECORDS[kind]
    (tmp_path / "x").write_bytes(raw)
    message = message_of(open_corpus, str(tmp_path / "x"))
    assert message.startswith(f"{tmp_path / 'x'}: ")
    assert told in message


def columns():
    """Return columns of one row: name -> array and what metadata is made of it."""
    pa = pytest.importorskip("pyarrow")
    number = uuid.UUID(int=7)
    return {
        "duration": (pa.array([datetime.timedelta(days=3, seconds=5)]), {"x": 259205}),
        "short duration": (pa.array([1500], pa.duration("ms")), {"x": 1.5}),
        "uuid": (
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([number.bytes], pa.binary(16))),
            {"x": str(number)},
        ),
        "bytes": (pa.array([b"\xff"]), {}),
        "view of bytes": (pa.array([b"\xff"], pa.binary_view()), {}),
        "dictionary of bytes": (pa.array([b"\xff"]).dictionary_encode(), {}),
        "image": (pa.array([{"bytes": b"\xff", "path": "x.png"}]), {"x.path": "x.png"}),
        "list of images": (pa.array([[{"bytes": b"\xff", "path": "x.png"}]]), {"x.path": ["x.png"]}),
        "view of text": (pa.array(["a"], pa.string_view()), {"x": "a"}),
        "category": (pa.array(["a"]).dictionary_encode(), {"x": "a"}),
        "half": (pa.array([np.float16(1.5)]), {"x": 1.5}),
        "time": (pa.array([datetime.time(3, 4)]), {"x": "03:04:00"}),
        "list view": (pa.array([[1, 2]], pa.list_view(pa.int8())), {"x": [1, 2]}),
    }


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_kinds_of_columns(form, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for name, (array, metadata) in columns().items():
        table = pa.table({"id": ["1"], "text": ["a"], "x": array})
        if form == "parquet":
            parquet.write_table(table, tmp_path / name)
        else:
            with pa.ipc.new_file(tmp_path / name, table.schema) as file:
                file.write_table(table)
        assert [dict(document.metadata) for document in open_corpus(str(tmp_path / name))] == [metadata], name


def test_ids_of_databases(tmp_path, message_of):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    number = uuid.UUID(int=7)
    ids = {
        "numeric": (pa.array([decimal.Decimal(12)], pa.decimal128(38, 0)), "12"),
        "uuid": (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([number.bytes], pa.binary(16))), str(number)),
        "unsigned": (pa.array([2**64 - 1], pa.uint64()), str(2**64 - 1)),
    }
    for name, (array, identifier) in ids.items():
        parquet.write_table(pa.table({"id": array, "text": ["a"]}), tmp_path / name)
        assert open_corpus(str(tmp_path / name)).ids == [identifier]
    parquet.write_table(pa.table({"id": pa.array([decimal.Decimal("1.5")]), "text": ["a"]}), tmp_path / "half")
    assert "make it a string or whole number" in message_of(open_corpus, str(tmp_path / "half"))
