import gzip
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.resolve import open_collection, open_corpus

ONE_DOCUMENT = [{"_id": "only", "text": "x"}]


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Work in an empty folder, with no data folder set and with ir_datasets' files out of the user's home."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("SPARSEEMBED_DATA", raising=False)
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "irds"))


@pytest.fixture
def built_in(monkeypatch) -> Collection:
    """Stand in for the built-in collection, which is slow to make and has its own tests."""
    collection = Collection.without_queries(Corpus([Document("len", "", "")], "pydocs", "pydocs"))
    module = ModuleType("sparseembed.data.pydocs")
    module.open_pydocs = lambda: collection
    monkeypatch.setitem(sys.modules, "sparseembed.data.pydocs", module)
    return collection


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SPARSEEMBED_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize("name", ["set", "./set", "set/", "sub/../set", "../here/set"])
def test_folder(name, write_beir):
    write_beir(Path("set"))
    Path("sub").mkdir()
    collection = open_collection(name)
    assert collection.corpus.identity == str(Path("set").resolve())
    assert collection.splits == ("train", "test")
    assert open_corpus(name).fingerprint == collection.corpus.fingerprint


def test_folder_in_the_users_home(write_beir, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_beir(tmp_path / "set")
    assert open_collection("~/set").corpus.name == "set"


def test_order_folder_then_data_then_built_in(write_beir, data, built_in):
    assert open_collection("pydocs") is built_in
    write_beir(data / "pydocs")
    assert open_collection("pydocs").corpus.identity == str(data / "pydocs")
    write_beir(Path("pydocs"))
    assert open_collection("pydocs").corpus.identity == str(Path("pydocs").resolve())


def test_folder_of_the_same_name_that_holds_no_collection_is_passed_over(built_in):
    Path("pydocs").mkdir()
    assert open_collection("pydocs") is built_in
    assert open_corpus("pydocs") is built_in.corpus


def test_name_under_the_data_folder(write_beir, data):
    write_beir(data / "beir" / "mine")
    assert open_collection("beir/mine").corpus.identity == str(data / "beir" / "mine")
    assert open_corpus("beir/mine").ids == ["d1", "d2", "d3"]


def test_name_under_the_data_folder_goes_before_ir_datasets(write_beir, data):
    write_beir(data / "scifact")
    assert open_collection("scifact").corpus.identity == str(data / "scifact")


def test_folder_under_the_data_folder_without_a_corpus(data, message_of):
    (data / "scifact").mkdir()
    assert message_of(open_collection, "scifact").startswith(f"{data / 'scifact'}: no corpus.jsonl in this folder: ")


@pytest.mark.parametrize("name", ["scifact", "beir/scifact"])
def test_ir_datasets_id(name, write_beir, tmp_path):
    folder = write_beir(tmp_path / "scifact")
    (tmp_path / "irds" / "beir" / "scifact").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "irds" / "beir" / "scifact" / "source.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(tmp_path))
    assert open_collection(name).corpus.identity == "ir_datasets:beir/scifact"
    assert open_collection(f"{name}/test").splits == ("test",)
    assert open_corpus(name).ids == ["d1", "d2", "d3"]


@pytest.mark.parametrize("record", [{"_id": "1", "text": "x"}, {"id": 1, "contents": "x"}])
@pytest.mark.parametrize("name", ["docs.jsonl", "docs.jsonl.gz"])
def test_corpus_of_a_jsonl_file(record, name):
    content = json.dumps(record).encode()
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    corpus = open_corpus(name)
    assert list(corpus) == [Document("1", "", "x")]
    assert (corpus.name, corpus.identity) == ("docs", str(Path(name).resolve()))


def test_corpus_of_a_folder_without_queries(write_jsonl):
    Path("set").mkdir()
    write_jsonl(Path("set/corpus.jsonl"), ONE_DOCUMENT)
    assert open_corpus("set").ids == ["only"]
    assert open_collection("set").splits == ()


def test_errors_of_the_file_come_through(message_of):
    Path("docs.jsonl").write_text('{"_id": "1", "text": "x"}\nbroken\n')
    assert message_of(open_corpus, "docs.jsonl").startswith("docs.jsonl:2: broken JSON")


def test_file_where_a_collection_is_needed(write_jsonl, message_of):
    write_jsonl(Path("docs.jsonl"), ONE_DOCUMENT)
    message = message_of(open_collection, "docs.jsonl")
    assert message.startswith("docs.jsonl: a file, and a collection with queries is a folder: ")


@pytest.mark.parametrize("call", [open_collection, open_corpus])
@pytest.mark.parametrize(
    "name", ["./set", "../x/set", "/no/such/set", "set/", "docs.jsonl", "docs.jsonl.gz", "~no-user/x"]
)
def test_path_that_does_not_exist(call, name, message_of):
    assert message_of(call, name).startswith(f"{name}: no such file or folder: ")


def test_path_that_does_not_exist_with_one_like_it(write_beir, message_of):
    write_beir(Path("scifact"))
    assert message_of(open_collection, "./scifct").endswith("; the nearest there is 'scifact'")


@pytest.mark.parametrize("call", [open_collection, open_corpus])
def test_folder_without_a_corpus(call, message_of):
    Path("set").mkdir()
    assert message_of(call, "./set").startswith("set: no corpus.jsonl in this folder: ")
    assert "a folder in BEIR's layout (has no corpus.jsonl)" in message_of(call, "set")


@pytest.mark.parametrize("call", [open_collection, open_corpus])
@pytest.mark.parametrize("name", ["", "  ", "\n"])
def test_no_name(call, name, message_of):
    assert message_of(call, name).startswith("no collection is named: ")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("pydoc", "pydocs"),
        ("PYDOCS", "pydocs"),
        ("scifct", "scifact"),
        ("SciFact", "scifact"),
        ("scifact/tst", "scifact/test"),
    ],
)
def test_unknown_name_lists_what_was_tried_and_the_nearest(name, nearest, message_of):
    assert message_of(open_collection, name) == (
        f"no collection {name!r}; tried a folder in BEIR's layout (no such folder), a name under $SPARSEEMBED_DATA "
        f"(not set), the built-in 'pydocs', an ir_datasets id: the nearest known name is {nearest!r}"
    )


def test_nearest_name_may_be_one_of_the_data_folder(data, write_beir, message_of):
    write_beir(data / "my-own-collection")
    (data / "my-own-collektion").mkdir()
    message = message_of(open_collection, "my-own-colection")
    assert f"a name under $SPARSEEMBED_DATA ({data})" in message
    assert message.endswith("the nearest known name is 'my-own-collection'")


def test_data_folder_that_does_not_exist(data, message_of):
    data.rmdir()
    assert f"$SPARSEEMBED_DATA (no such folder: {data})" in message_of(open_collection, "zzz")


def test_name_like_no_other(message_of):
    message = message_of(open_collection, "zzzzzzzzzzzz/qqqqqqq")
    assert message.endswith(": give the path of a folder that holds corpus.jsonl")


def test_ir_datasets_that_cannot_be_imported_is_named(monkeypatch, message_of):
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    message = message_of(open_collection, "scifact")
    assert "an ir_datasets id (ir_datasets is unusable: " in message


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\ud800b", "\u2028", "x" * 5000, "\U0001f600"])
@pytest.mark.parametrize("call", [open_collection, open_corpus])
def test_odd_names_are_one_line_errors(call, name, message_of):
    message_of(call, name)


def test_import_loads_nothing_heavy(run_python):
    heavy = ["torch", "jnius", "pyserini", "faiss", "ir_datasets", "ir_measures", "scipy.stats", "requests", "tqdm"]
    program = f"import sys, sparseembed.data.resolve; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(program).stdout == "[]\n"


def test_folder_is_opened_without_ir_datasets(write_beir, run_python):
    write_beir(Path("set"))
    program = (
        "import sys; from sparseembed.data.resolve import open_collection\n"
        "open_collection('set').queries('test'); print('ir_datasets' in sys.modules)"
    )
    assert run_python(program).stdout == "False\n"
