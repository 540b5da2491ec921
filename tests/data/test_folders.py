"""Folders of records, of plain texts and of saved data sets; identities, names and fields of corpora."""

import gzip
import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from sparseembed.data.corpus import Document
from sparseembed.data.fields import Fields
from sparseembed.data.remote import is_url
from sparseembed.data.resolve import open_collection, open_corpus
from sparseembed.data.source import open_source
from sparseembed.data.texts import path_id

WRITTEN = Path(__file__).parent / "written"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPARSEEMBED_DATA", raising=False)
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "irds"))


def make(files, folder="set"):
    for name, content in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def record(number):
    return json.dumps({"id": f"d{number}", "contents": f"text {number}"})


@pytest.mark.parametrize("name", ["set", "./set", "set/"])
def test_a_json_collection_of_pyserini(name):
    make(
        {
            "b/2.jsonl": f"{record(3)}\n{record(4)}\n",
            "a.json": f"[{record(1)},\n{record(2)}]",
            "c.json": json.dumps(json.loads(record(5)), indent=2),
            "d.jsonl.gz": gzip.compress(record(6).encode()),
            "e.csv": "id,contents\nd7,text 7\n",
            "f/_SUCCESS": "",
            ".hidden": "not read",
        }
    )
    corpus = open_corpus(name)
    assert list(corpus) == [Document(f"d{number}", "", f"text {number}") for number in range(1, 8)]
    assert corpus.name == "set"
    assert corpus.identity == str(Path("set").resolve())


def test_plain_texts():
    make(
        {
            "b.txt": "\ufeffTwo\r\nlines\n",
            "a/x y.txt": "[1] is no JSON",
            "a/100%.md": '{"not": "a document"}\n',
            "empty": "",
            "z.txt": gzip.compress(b"packed"),
            "wide": "w\u00efde".encode("utf-16"),
        }
    )
    assert list(open_corpus("set")) == [
        Document("a/100%25.md", "", '{"not": "a document"}\n'),
        Document("a/x%20y.txt", "", "[1] is no JSON"),
        Document("b.txt", "", "Two\r\nlines\n"),
        Document("empty", "", ""),
        Document("wide", "", "w\u00efde"),
        Document("z.txt", "", "packed"),
    ]
    assert path_id("a\u00a0b\n%") == "a%C2%A0b%0A%25"


def test_tables_without_a_header_in_a_folder():
    make({"1.tsv": "1\tsome text\n2\tmore of it\n", "2.tsv": "3\tand this\n4\tand that\n"})
    assert open_corpus("set").ids == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.jsonl": record(1), "README": "a text"}, "set: 'a.jsonl' holds records, and 'README' plain text: "),
        ({"a.jsonl": record(1), "b.jsonl": '{"x": 1}'}, "set/b.jsonl:1: no id: give each document"),
        (
            {"a.jsonl": record(1), "b.jsonl": record(1)},
            "set/b.jsonl:1: id 'd1' occurs twice, first in set/a.jsonl",
        ),
        ({"a.jsonl": record(1), "b.jsonl": record(2) + "\n{"}, "set/b.jsonl:2: broken JSON"),
        ({"a.json": "{}", "b.json": '{"text": "x"}'}, "set/a.json:1: no id"),
        ({"a.txt": b"caf\xe9"}, "set/a.txt:1: not UTF-8"),
        ({"a": gzip.compress(b"x" * 99)[:20]}, "set/a: cannot be read"),
        ({"empty": ""}, "set: no corpus.jsonl in this folder"),
        ({"queries.jsonl": record(1), "x.jsonl": record(2)}, "set: no corpus.jsonl in this folder"),
        ({"qrels/test.tsv": "q\td\t1", "x.jsonl": record(2)}, "set: no corpus.jsonl in this folder"),
        ({"in/corpus.jsonl": record(2)}, "set: no corpus.jsonl in this folder"),
    ],
)
def test_folders_that_are_refused(files, message, message_of):
    make(files)
    assert message_of(open_corpus, "./set").startswith(message)


def test_links_to_folders_do_not_go_round():
    make({"a.txt": "x"})
    Path("set/again").symlink_to(Path("set").resolve())
    Path("set/b.txt").symlink_to(Path("set/a.txt").resolve())
    assert open_corpus("set").ids == ["a.txt", "b.txt"]


def test_saved_data_sets(message_of):
    shutil.copytree(WRITTEN / "datasets", "one")
    shutil.copytree(WRITTEN / "datasets-dict", "two")
    shutil.copytree("two/train", "two/test")
    Path("two/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert message_of(open_corpus, "two").startswith(
        "two: a data set of 2 splits: give one of them, 'two/train', 'two/test'"
    )
    assert open_corpus("two/test").ids == ["1", "2", "3", "4"]
    part = Path("one/data-00001-of-00002.arrow")
    raw = part.read_bytes()
    for length in (0, 5, 400, len(raw) - 8, len(raw) - 1):
        part.write_bytes(raw[:length])
        assert message_of(open_corpus, "one").startswith("one/data-00001-of-00002.arrow")
    part.unlink()
    assert message_of(open_corpus, "one") == "one/data-00001-of-00002.arrow: no such file: check the path"
    Path("one/state.json").write_text("[")
    assert message_of(open_corpus, "one").startswith("one/state.json: no JSON in it")
    Path("one/state.json").write_text('{"_data_files": [{"filename": "../x"}]}')
    assert message_of(open_corpus, "one").startswith("one/state.json: no list of data files in it")
    shutil.rmtree("two/test")
    Path("two/dataset_dict.json").write_text('{"splits": ["gone"]}')
    assert message_of(open_corpus, "two").startswith("two/gone: no state.json in it")


@pytest.mark.parametrize("kind", ["tsv", "csv", "json", "parquet"])
def test_a_collection_in_other_formats_than_jsonl(kind):
    corpus = {"tsv": "pandas.tsv", "csv": "pandas-excel.csv", "json": "polars.json", "parquet": "duckdb.parquet"}[kind]
    Path("set/qrels").mkdir(parents=True)
    shutil.copy(WRITTEN / corpus, f"set/corpus.{kind}")
    Path("set/queries.tsv").write_text("q1\tthe sea\n")
    Path("set/qrels/test.qrels").write_text("q1 0 1 1\n")
    collection = open_collection("set")
    assert collection.corpus.ids == ["1", "2", "3", "4"]
    assert collection.queries("test") == {"q1": "the sea"}
    assert collection.qrels("test") == {"q1": {"1": 1}}


def test_fields_of_collections(write_beir, message_of):
    write_beir(Path("set"))
    collection = open_collection("set", Fields(text=("text",), title="_id"))
    assert [each.contents for each in collection.corpus] == ["d1 live in the sea", "d2 Cats live in houses", "d3"]
    assert collection.corpus.identity.endswith("set (id , text text, title _id)")
    assert "its fields are known" in message_of(open_corpus, "pydocs", Fields("nr"))


def test_fields_that_some_records_lack(message_of):
    make({"a.jsonl": '{"nr": 7, "head": "H", "body": "B"}\n{"nr": "8", "body": "C", "head": null}\n'})
    fields = Fields("nr", ("head", "body"))
    assert [each.contents for each in open_corpus("set/a.jsonl", fields)] == ["H\nB", "C"]
    assert [each.title for each in open_corpus("set/a.jsonl", Fields("nr", ("body",), "head"))] == ["H", ""]
    for named in (Fields("nr", ("body", "typo")), Fields("nr", ("body",), "typo")):
        assert message_of(open_corpus, "set/a.jsonl", named).startswith('set/a.jsonl:2: no record has a field "typo"')
    message = message_of(open_corpus, "set/a.jsonl")
    assert message == (
        'set/a.jsonl:1: no id: give each document an "_id" or "id", or name its field by --id-field '
        "(there are 'nr', 'head', 'body')"
    )


def test_folders_elsewhere(write_beir):
    import fsspec

    memory = fsspec.filesystem("memory")
    folder = write_beir(Path("set"))
    for path in folder.rglob("*"):
        if path.is_file():
            memory.pipe(f"/beir/{path}", path.read_bytes())
    for name, content in {"a/x.txt": b"one", "b.txt": b"two"}.items():
        memory.pipe(f"/texts/{name}", content)
    assert open_collection("memory://beir/set").queries("test").keys() == {"q3", "q1"}
    assert open_corpus("memory://beir/set").ids == ["d1", "d2", "d3"]
    assert open_corpus("memory://texts").ids == ["a/x.txt", "b.txt"]
    assert open_corpus(f"file://{folder.resolve()}/corpus.jsonl").ids == ["d1", "d2", "d3"]
    memory.pipe("/queries.tsv", b"q1\tfox\n")
    assert open_source("memory://queries.tsv").open().read() == b"q1\tfox\n"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://nothing/here", "memory://nothing/here: no such file or folder"),
        ("nosuch://x", "'nosuch://x': cannot be opened (Protocol not known: nosuch"),
        ("file:///no/such", "file:///no/such: no such file or folder"),
    ],
)
def test_urls_that_lead_nowhere(url, message, message_of):
    assert message_of(open_corpus, url).startswith(message)


def test_urls():
    assert [is_url(name) for name in ("s3://a/b", "zip::s3://a", "C:\\x", "a/b", "./s3://", "beir/scifact")] == [
        *(True, True, False, False, False, False)
    ]


def test_without_fsspec(monkeypatch, message_of):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    told = 's3://bucket/x: a URL, which needs a package: pip install "sparseembed[files]"'
    assert message_of(open_corpus, "s3://bucket/x") == told


@pytest.mark.parametrize(
    ("url", "error", "remedy"),
    [
        ("https://there/x.jsonl", 'HTTPFileSystem requires "aiohttp"', 'pip install "sparseembed[files]"'),
        ("gzip::http://there/x", 'HTTPFileSystem requires "aiohttp"', 'pip install "sparseembed[files]"'),
        ("s3://bucket/x", "Install s3fs to access S3", "pip install s3fs"),
        ("abfs://there/x", "Install adlfs", "pip install adlfs"),
        ("sftp://there/x", 'SFTPFileSystem requires "paramiko"', "install that package with pip"),
    ],
)
def test_without_the_package_of_a_protocol(url, error, remedy, monkeypatch, message_of):
    core = pytest.importorskip("fsspec.core")

    def lacking(url):
        raise ImportError(error)

    monkeypatch.setattr(core, "url_to_fs", lacking)
    assert message_of(open_corpus, url) == f"{url}: {error}: {remedy}"


def test_standard_input_that_is_closed_or_no_collection(monkeypatch, message_of):
    monkeypatch.setattr("sys.stdin", None)
    assert message_of(open_corpus, "-").startswith("-: standard input is closed: ")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert message_of(open_corpus, "-").startswith("standard input: no documents in it: ")
    assert "a collection with queries is a folder" in message_of(open_collection, "-")
