"""Each format: what is written is read, and what is cut or damaged is one line that names the file and the place."""

import csv
import io
import json
from contextlib import suppress

import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.data.corpus import Corpus, Document, id_problem
from sparseembed.data.documents import read_documents
from sparseembed.data.fields import Fields
from sparseembed.data.opening import Spool
from sparseembed.data.queries import read_queries
from sparseembed.errors import DataError

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0"))
ROWS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6).filter(lambda x: not id_problem(x)),
        TEXT,
        TEXT,
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row[0],
)


def table(**options):
    def write(rows):
        file = io.StringIO()
        csv.writer(file, **options).writerows([("id", "title", "text"), *rows])
        return file.getvalue().encode()

    return write


def objects(rows):
    return [{"text": text, "id": name, "title": title} for name, title, text in rows]


def arrow(rows):
    columns = list(zip(*rows, strict=True))
    return pyarrow.table(dict(zip(("id", "title", "text"), map(list, columns), strict=True)))


def parquet(**options):
    def write(rows):
        file = io.BytesIO()
        pyarrow.parquet.write_table(arrow(rows), file, row_group_size=2, write_page_checksum=True, **options)
        return file.getvalue()

    return write


def feather(rows):
    file = io.BytesIO()
    pyarrow.feather.write_feather(arrow(rows), file, chunksize=2)
    return file.getvalue()


def stream(rows):
    file = io.BytesIO()
    with pyarrow.ipc.new_stream(file, arrow(rows).schema) as writer:
        writer.write_table(arrow(rows), max_chunksize=2)
    return file.getvalue()


def utf16(write):
    return lambda rows: write(rows).decode().encode("utf-16")


FORMATS = {
    "jsonl": lambda rows: "\n".join(json.dumps(row, ensure_ascii=False) for row in objects(rows)).encode(),
    "ascii jsonl": lambda rows: "\r\n".join(map(json.dumps, objects(rows))).encode(),
    "array": lambda rows: json.dumps(objects(rows)).encode(),
    "indented array": lambda rows: json.dumps(objects(rows), indent=2, ensure_ascii=False).encode(),
    "indented objects": lambda rows: "\n".join(json.dumps(row, indent=1) for row in objects(rows)).encode(),
    "arrays": lambda rows: "\n".join(json.dumps([row]) for row in objects(rows)).encode(),
    "csv": table(),
    "csv of unix": table(lineterminator="\n", quoting=csv.QUOTE_ALL),
    "semicolons": table(delimiter=";"),
    "bars": table(delimiter="|", lineterminator="\n"),
    "excel": lambda rows: b"\xef\xbb\xbf" + table(delimiter=";")(rows),
    "sep": lambda rows: b"sep=;\r\n" + table(delimiter=";")(rows),
    "tabs": table(delimiter="\t", quoting=csv.QUOTE_ALL),
    "utf-16 csv": utf16(table()),
    "utf-16 jsonl": utf16(lambda rows: "\n".join(map(json.dumps, objects(rows))).encode()),
    "parquet": parquet(),
    "parquet without dictionaries": parquet(use_dictionary=False, compression="zstd"),
    "feather": feather,
    "arrow stream": stream,
}
TABLES = ("csv", "csv of unix", "semicolons", "bars", "excel", "sep", "tabs", "utf-16 csv")


def documents(raw):
    spool = Spool("docs")
    spool.write(raw)
    return list(Corpus(read_documents(spool), "x", "docs"))


@pytest.mark.parametrize("text", ["a\tb", "a\tb c", "\t", "one\ttwo\tthree"])
def test_a_quoted_table_stays_quoted_wherever_it_is_cut(text):
    # Cut behind a value with a tab, its last line has as many columns as the header when tabs alone are counted.
    raw = FORMATS["tabs"]([("1", "", "x"), ("2", text, "")])
    for end in range(raw.index(b'"2"') + 4, len(raw) - 4):
        with pytest.raises(DataError, match=r"columns where 3 are needed|is not closed"):
            documents(raw[:end])


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60)
@given(rows=ROWS)
def test_what_is_written_is_read(name, rows):
    assert documents(FORMATS[name](rows)) == [Document(*row) for row in rows]


@settings(max_examples=60)
@given(rows=ROWS)
def test_what_pandas_and_polars_quote_between_tabs(rows):
    raw = table(delimiter="\t", lineterminator="\n")(rows)
    assert documents(raw) == [Document(*row) for row in rows]


PLAIN = st.lists(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\t\0")), min_size=1, max_size=5
)


@settings(max_examples=200)
@given(texts=PLAIN, header=st.booleans())
def test_tabs_without_quoting(texts, header):
    # The first text shows that nothing is quoted here: it begins with a mark that another word follows.
    texts = ['"so" he said', *texts]
    lines = [f"{number}\t{text}" for number, text in enumerate(texts)]
    raw = "\n".join(["id\ttext"] * header + lines).encode()
    assert documents(raw) == [Document(str(number), "", text) for number, text in enumerate(texts)]


CUT = sorted(set(FORMATS) - {"ascii jsonl", "sep", "excel"})


@pytest.mark.parametrize("name", CUT)
@settings(max_examples=40)
@given(rows=ROWS, data=st.data())
def test_what_is_cut_off_is_refused_or_begins_alike(name, rows, data):
    raw = FORMATS[name](rows)
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    whole = [Document(*row) for row in rows]
    try:
        read = documents(cut)
    except DataError as error:
        message = str(error)
        assert message == " ".join(message.split())
        assert message.startswith("docs")
        return
    assert "parquet" not in name
    assert name not in ("feather", "arrow stream", "array", "indented array")
    # Text that ends between two documents is whole; a table may end inside of its last value.
    assert read[:-1] == whole[: len(read) - 1]
    assert read[-1] == whole[len(read) - 1] or (name in TABLES and whole[len(read) - 1].text.startswith(read[-1].text))


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60)
@given(data=st.data())
def test_flipped_bytes_are_read_or_refused(name, data):
    raw = bytearray(FORMATS[name]([("1", "a title", "some text"), ("2", "", "more of it " * 9), ("3", "t", "x")]))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        documents(bytes(raw))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'[{"id": 1, "text": "a"},\n {"id": 2, "text": }]', "docs:2: broken JSON (Expecting value)"),
        (b'[{"id": 1, "text": "a"},\n {"id": 2, "text": "b"}', "docs:2: broken JSON (the file ends inside an array)"),
        (b'[{"id": 1, "text": "a"}\n\n {"id": 2}]', "docs:3: broken JSON (Expecting ',' delimiter)"),
        (b'[{"id": 1, "text": "a"},\n 7]', "docs:2: a number and not a JSON object"),
        (b'[{"id": 1, "text": "a"},\n {"text": "b"}]', "docs:2: no id: give each document"),
        (b'[\n{"id": 1, "text": "a"},\n {"text": "b",\n "id": 1}]', "docs:3: id '1' occurs twice, first on line 2"),
        (b'[{"id": 1, "text": "a\xff"}]', "docs:1: not UTF-8 (byte 0xff)"),
        (b"[]", "docs: no documents in it"),
        (b"[" * 100_000, "docs:1: JSON that cannot be read"),
        (b'id,text\n1,a\n2,"b\nc\n', "docs:3: a quotation mark is not closed"),
        (b'id,text\n1,a\n2,"b"c\n', "docs:3: broken CSV"),
        (b'id,text\n1,"a\nb"\n2\n', "docs:4: 1 columns where 2 are needed ('id', 'text')"),
        (b'id,text\n1,"a\nb"\n1,c\n', "docs:4: id '1' occurs twice, first on line 2"),
        (b"id,text\n1 2,b\n", "docs:2: id '1 2' holds white space"),
        (b"id,text\n1,a\n2,\xe9\n", "docs:3: not UTF-8 (byte 0xe9)"),
        (b"id\ttext\n1\ta\tb\n", "docs:2: 3 columns where 2 are needed"),
        (b'id\ttext\n1\ta\n2\t"b\n', "docs:3: a quotation mark is not closed"),
        (b"id,text\n", "docs: no documents in it"),
        (b"docno,body\n1,a\n", 'docs:1: a table whose first line does not name "_id" or "id" and "text"'),
        (b"docno\tbody\nd1\ta b\n", "docs:1: a table whose first line does not name"),
        (b"just a line of text\n", "docs:1: neither JSON nor a table"),
        (b"PAR1 and no more", "docs: Parquet that cannot be read"),
        (b"ARROW1\0\0 and no more", "docs: an Arrow file that cannot be read"),
        (b"FEA1....", "docs: Feather of version 1"),
    ],
)
def test_messages_by_hand(raw, message, message_of):
    assert message_of(documents, raw).startswith(message)


def test_rows_of_a_parquet_file_are_named(message_of):
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"id": [1, 2, None], "text": ["a", None, "c"]}), file)
    assert message_of(documents, file.getvalue()).startswith('docs, row 3: "id" of document is null')
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"id": ["1", "2", "1"], "text": [b"a", None, b"c"]}), file)
    assert message_of(documents, file.getvalue()).startswith("docs, row 3: id '1' occurs twice, first in row 1")


def test_odd_columns_of_parquet():
    file = io.BytesIO()
    columns = {
        "id": pyarrow.array(["a", "b", "a2"]).dictionary_encode(),
        "text": pyarrow.array(["x", None, "z"], pyarrow.large_string()),
        "vector": [[1.0], [2.0], [3.0]],
        "title": pyarrow.array([None, "T", "U"]),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    assert documents(file.getvalue()) == [Document("a", "", "x"), Document("b", "T", ""), Document("a2", "U", "z")]


def test_without_pyarrow(monkeypatch, message_of):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    raw = parquet()([("1", "", "x")])
    assert message_of(documents, raw) == 'docs: Parquet, which needs a package: pip install "sparseembed[files]"'


def test_tables_without_a_header():
    spool = Spool("docs")
    spool.write(b"7\tsome words\n8\tone\n")
    assert documents(b"7\tsome words\n8\tone\n") == [Document("7", "", "some words"), Document("8", "", "one")]
    by_number = read_documents(spool, Fields("2", ("1",)))
    with pytest.raises(DataError, match="docs:1: id 'some words' holds white space"):
        list(by_number)
    assert [each.contents for each in read_documents(spool, Fields("1", ("2",)))] == ["some words", "one"]


@pytest.mark.parametrize(
    "raw",
    [
        b"q1\tfox\nq2\ta whale\n",
        b"qid,query\nq1,fox\nq2,a whale\n",
        b'{"_id": "q1", "text": "fox"}\n{"_id": "q2", "text": "a whale"}\n',
        b'[{"query_id": "q1", "query": "fox"}, {"query_id": "q2", "query": "a whale"}]',
        parquet()([("q1", "", "fox"), ("q2", "", "a whale")]),
    ],
)
def test_queries(raw):
    spool = Spool("queries")
    spool.write(raw)
    assert read_queries(spool) == {"q1": "fox", "q2": "a whale"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"q 1\tfox\n", "queries:1: id 'q 1' holds white space"),
        (b"q1\tfox\nq1\tox\n", "queries:2: id 'q1' occurs twice, first on line 1"),
        (b"q1\tfox\nq2\n", "queries:2: 1 columns where 2 are needed"),
        (b"fox\n", "queries:1: neither JSON nor a table"),
        (b"a,b\n", "queries:1: a table whose first line does not name"),
    ],
)
def test_queries_that_are_wrong(raw, message, message_of):
    spool = Spool("queries")
    spool.write(raw)
    assert message_of(read_queries, spool).startswith(message)


def test_a_large_array_is_read_a_piece_at_a_time():
    texts = ["x" * size for size in (10, 70_000, 3, 300_000, 65_536, 65_535, 0)] * 3
    records = [{"id": number, "text": text} for number, text in enumerate(texts)]
    for indent in (None, 3):
        read = documents(json.dumps(records, indent=indent).encode())
        assert [each.text for each in read] == texts
