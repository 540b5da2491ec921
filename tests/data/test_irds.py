import functools
import hashlib
import http.server
import logging
import os
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from sparseembed.data import irds
from sparseembed.data.corpus import Document
from sparseembed.data.irds import full_id, known_names, open_irds
from sparseembed.data.irds_calls import import_problem, quiet


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Keep the user's own folder out of the tests, and proxies away from the local server."""
    folder = tmp_path / "irds"
    for name, value in {
        "IR_DATASETS_HOME": folder,
        "IR_DATASETS_TMP": tmp_path / "tmp",
        "NO_PROXY": "*",
        "no_proxy": "*",
    }.items():
        monkeypatch.setenv(name, str(value))
    return folder


@pytest.fixture
def zip_beir(write_beir, tmp_path):
    """Return a function that writes a zip file with a collection in it, under a folder of the name given."""

    def write(archive: Path, inner: str) -> Path:
        folder = write_beir(tmp_path / "unpacked" / inner)
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(folder.rglob("*")):
                file.write(path, Path(inner, path.relative_to(folder)))
        return archive

    return write


@pytest.fixture
def source_of_scifact(monkeypatch):
    """Return a function that makes ir_datasets look for scifact's zip file at another address."""

    def change(url: str, md5: str) -> None:
        from ir_datasets.util import DownloadConfig

        entry = {"url": url, "expected_md5": md5, "cache_path": "scifact/source.zip"}
        monkeypatch.setitem(DownloadConfig.contents()["beir"], "scifact", entry)

    return change


@pytest.mark.parametrize(
    ("name", "dataset_id"),
    [
        ("scifact", "beir/scifact"),
        ("beir/scifact", "beir/scifact"),
        ("scifact/test", "beir/scifact/test"),
        ("nfcorpus", "beir/nfcorpus"),
        ("nfcorpus/train/nontopic", "nfcorpus/train/nontopic"),
        ("cqadupstack/android", "beir/cqadupstack/android"),
        ("vaswani", "vaswani"),
        ("msmarco-passage/dev/small", "msmarco-passage/dev/small"),
        ("scifact/dev", None),
        ("scifct", None),
        ("", None),
    ],
)
def test_full_id(name, dataset_id):
    assert full_id(name) == dataset_id


def test_known_names_hold_ids_and_short_ones():
    assert {"beir/scifact", "scifact", "scifact/test", "vaswani"} <= set(known_names())


def test_zip_file_at_hand_is_read_with_no_network(home, zip_beir):
    zip_beir(home / "beir" / "scifact" / "source.zip", "scifact")
    collection = open_irds("beir/scifact")
    assert list(collection.corpus)[:2] == [
        Document("d1", "Whales", "live in the sea"),
        Document("d2", "", "Cats live in houses"),
    ]
    assert (collection.corpus.name, collection.corpus.identity) == ("scifact", "ir_datasets:beir/scifact")
    assert collection.splits == ("train", "test")
    assert list(collection.queries("test")) == ["q3", "q1"]
    assert collection.qrels("test") == {"q1": {"d1": 2, "d2": 0}, "q3": {"d2": 1}}


def test_changed_zip_file_is_read_anew(home, zip_beir):
    archive = zip_beir(home / "beir" / "scifact" / "source.zip", "scifact")
    before = open_irds("beir/scifact").corpus.fingerprint
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("scifact/corpus.jsonl", '{"_id": "1", "text": "new"}\n')
    after = open_irds("beir/scifact")
    assert after.corpus.fingerprint != before
    assert (after.corpus.ids, after.splits) == (["1"], ())


def test_id_of_a_split_has_that_split_and_the_same_corpus(home, zip_beir):
    zip_beir(home / "beir" / "scifact" / "source.zip", "scifact")
    whole, part = open_irds("beir/scifact"), open_irds("beir/scifact/test")
    assert part.splits == ("test",)
    assert part.qrels("test") == whole.qrels("test")
    assert (part.corpus.identity, part.corpus.name) == (whole.corpus.identity, whole.corpus.name)


def test_id_of_a_split_that_the_zip_file_lacks(home, zip_beir, message_of):
    archive = zip_beir(home / "beir" / "nfcorpus" / "source.zip", "nfcorpus")
    message = message_of(open_irds, "beir/nfcorpus/dev")
    assert message == f"{archive}: no qrels for split 'dev': the splits in it are train, test"


@pytest.mark.parametrize(
    ("dataset_id", "place", "inner", "name"),
    [
        ("beir/cqadupstack/android", "cqadupstack", "cqadupstack/android", "cqadupstack-android"),
        ("beir/webis-touche2020/v2", "webis-touche2020/v2", "webis-touche2020", "webis-touche2020-v2"),
    ],
)
def test_sets_whose_zip_file_is_laid_out_otherwise(dataset_id, place, inner, name, home, zip_beir):
    zip_beir(home / "beir" / place / "source.zip", inner)
    collection = open_irds(dataset_id)
    assert (collection.corpus.name, collection.corpus.identity) == (name, f"ir_datasets:{dataset_id}")
    assert collection.corpus.ids == ["d1", "d2", "d3"]
    assert list(collection.queries("test")) == ["q3", "q1"]


def test_zip_file_without_the_collection(home, zip_beir, message_of):
    archive = zip_beir(home / "beir" / "scifact" / "source.zip", "other")
    assert message_of(open_irds, "beir/scifact").startswith(f"{archive}: no scifact/corpus.jsonl in it: save https://")


def test_file_that_is_no_zip_file(home, message_of):
    archive = home / "beir" / "scifact" / "source.zip"
    archive.parent.mkdir(parents=True)
    archive.write_text("<html>not found</html>")
    message = message_of(open_irds, "beir/scifact")
    assert message.startswith(f"{archive}: not a readable zip file (File is not a zip file): save https://")


@pytest.mark.parametrize("dataset_id", ["beir", "trec-fair"])
def test_id_without_documents_is_no_collection(dataset_id, message_of):
    assert "has no documents: name " in message_of(open_irds, dataset_id)


def test_no_network_is_one_line_that_says_what_to_do(home, source_of_scifact, message_of, capfd, caplog):
    address = "http://127.0.0.1:9/scifact.zip"  # port 9 (discard): nothing listens there
    source_of_scifact(address, "0" * 32)
    message = message_of(open_irds, "beir/scifact")
    place = home / "beir" / "scifact" / "source.zip"
    assert message.startswith("ir_datasets cannot get beir/scifact (")
    assert message.endswith(f": save {address} as {place}, or unpack it and give its folder")
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name == "sparseembed" and record.levelno > logging.INFO]
    assert not place.exists()


def test_download(home, zip_beir, source_of_scifact, tmp_path, capfd, message_of):
    served = zip_beir(tmp_path / "served" / "scifact.zip", "scifact")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=served.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}/scifact.zip"
            capfd.readouterr()
            source_of_scifact(address, "0" * 32)
            assert "HashVerificationError" in message_of(open_irds, "beir/scifact")
            source_of_scifact(address, hashlib.md5(served.read_bytes()).hexdigest())
            assert open_irds("beir/scifact").corpus.ids == ["d1", "d2", "d3"]
        finally:
            server.shutdown()
            thread.join()
    assert (home / "beir" / "scifact" / "source.zip").read_bytes() == served.read_bytes()
    written = [line for line in capfd.readouterr().err.splitlines() if "GET /scifact.zip" not in line]
    assert written == []  # the lines left out are the test server's own


def test_another_process_writes_one_line_and_no_traceback(home, run_python):
    program = (
        "from sparseembed.data.irds import open_irds\n"
        "from sparseembed.errors import DataError\n"
        "import ir_datasets\n"
        "contents = ir_datasets.util.DownloadConfig.contents()['beir']\n"
        "contents['scifact'] = contents['scifact'] | {'url': 'http://127.0.0.1:9/scifact.zip'}\n"
        "try:\n"
        "    open_irds('beir/scifact')\n"
        "except DataError as error:\n"
        "    print(error)\n"
    )
    done = run_python(program)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert str(home / "beir" / "scifact" / "source.zip") in done.stdout


def test_what_ir_datasets_asks_for_is_passed_on(monkeypatch, message_of):
    """A set whose files must be asked for: ir_datasets logs how, then fails with FileNotFoundError."""
    import ir_datasets

    def documents():
        logging.getLogger("ir_datasets").warning("Ask\n the owners for it.")
        raise FileNotFoundError("/nowhere")
        yield

    asked = SimpleNamespace(
        has_docs=lambda: True,
        has=lambda kind: kind == "docs",
        has_qrels=lambda: False,
        docs_handler=lambda: None,
        docs_iter=documents,
    )
    monkeypatch.setitem(ir_datasets.registry._registered, "asked-for", asked)
    message = message_of(open_irds, "asked-for")
    assert message.startswith("ir_datasets cannot get asked-for (FileNotFoundError")
    assert message.endswith(": Ask the owners for it.")


@pytest.fixture
def other_set(monkeypatch, tmp_path):
    """Register a collection of ir_datasets' own formats, with documents, and two splits under it."""
    import ir_datasets
    from ir_datasets.formats import TrecQrels, TsvDocs, TsvQueries
    from ir_datasets.util import LocalDownload

    (tmp_path / "docs.tsv").write_text("d1\tone\nd2\ttwo\n")
    (tmp_path / "queries.tsv").write_text("q2\tsecond\nq1\tfirst\n")
    (tmp_path / "a.qrels").write_text("q1 0 d1 1\n")
    (tmp_path / "b.qrels").write_text("q1 0 d2 2\nq2 0 d1 0\n")
    monkeypatch.setattr(ir_datasets.registry, "_registered", dict(ir_datasets.registry._registered))
    docs = TsvDocs(LocalDownload(tmp_path / "docs.tsv"))
    queries = TsvQueries(LocalDownload(tmp_path / "queries.tsv"))
    ir_datasets.registry.register("mine", ir_datasets.Dataset(docs))
    for split in ("a", "part/b"):
        qrels = TrecQrels(LocalDownload(tmp_path / f"{split[-1]}.qrels"), {})
        ir_datasets.registry.register(f"mine/{split}", ir_datasets.Dataset(docs, queries, qrels))
    ir_datasets.registry.register(
        "mine/other", ir_datasets.Dataset(TsvDocs(LocalDownload(tmp_path / "no")), queries, qrels)
    )
    qrels = TrecQrels(LocalDownload(tmp_path / "a.qrels"), {})
    ir_datasets.registry.register("alone", ir_datasets.Dataset(docs, queries, qrels))


@pytest.mark.usefixtures("other_set")
def test_sets_that_are_not_beirs():
    collection = open_irds("mine")
    assert list(collection.corpus) == [Document("d1", "", "one"), Document("d2", "", "two")]
    assert collection.splits == ("a", "part/b")
    assert list(collection.queries("part/b").items()) == [("q2", "second"), ("q1", "first")]
    assert collection.qrels("part/b") == {"q1": {"d2": 2}, "q2": {"d1": 0}}
    assert collection.queries("a") == {"q1": "first"}
    assert (collection.corpus.name, collection.corpus.identity) == ("mine", "ir_datasets:mine")


@pytest.mark.usefixtures("other_set")
def test_split_of_a_set_that_is_not_beirs():
    collection = open_irds("mine/part/b")
    assert collection.splits == ("b",)
    assert collection.qrels("b") == {"q1": {"d2": 2}, "q2": {"d1": 0}}
    assert collection.corpus.identity == "ir_datasets:mine"


@pytest.mark.usefixtures("other_set")
def test_a_set_with_judgements_and_no_splits_has_the_split_test():
    assert open_irds("alone").splits == ("test",)
    assert open_irds("alone").queries("test") == {"q1": "first"}


@pytest.mark.usefixtures("other_set")
def test_missing_file_of_a_set_that_is_not_beirs(tmp_path, message_of):
    (tmp_path / "docs.tsv").unlink()
    assert message_of(open_irds, "mine").startswith("ir_datasets cannot get mine (")


class Row(tuple):
    """A document as ir_datasets gives it, a named tuple, whose fields the tests choose."""

    def __new__(cls, **fields):
        row = super().__new__(cls, fields.values())
        row.__dict__.update(fields)
        return row


@pytest.mark.parametrize(
    ("row", "document"),
    [
        (Row(doc_id="1", title="T", text="x"), Document("1", "T", "x")),
        (Row(doc_id=1, title=None, text="x"), Document("1", "", "x")),
        (Row(doc_id="1", text="x", url="u"), Document("1", "", "x")),
        (Row(doc_id="1", code="c", body="b", length=3), Document("1", "", "c b")),
        (Row(doc_id="1", body="b", default_text=lambda: "all of b"), Document("1", "", "all of b")),
        (Row(doc_id="1", body="b", default_text=lambda: None), Document("1", "", "")),
    ],
)
def test_rows_of_other_sets(row, document):
    assert list(irds._documents([row])) == [document]


class Article(NamedTuple):
    """A document of a set with more than a text."""

    doc_id: str
    title: str
    text: str
    url: str
    year: int
    page: bytes


class Abstract(NamedTuple):
    """A document whose text ir_datasets puts together."""

    doc_id: str
    head: str
    body: str
    doi: str
    score: float
    authors: tuple

    def default_text(self):
        return f"{self.head} {self.body}"


def test_other_fields_of_rows_are_metadata():
    rows = [Article("1", "T", "x", "u", 2019, b"<p>"), Abstract("2", "h", "b", "10/x", 0.5, ())]
    assert list(irds._documents(rows)) == [
        Document("1", "T", "x", {"url": "u", "year": 2019}),
        Document("2", "", "h b", {"doi": "10/x", "score": 0.5}),
    ]


def test_quiet_gathers_messages_and_leaves_everything_as_it_was(capfd, monkeypatch):
    monkeypatch.delenv("IR_DATASETS_DL_DISABLE_PBAR", raising=False)
    logger = logging.getLogger("ir_datasets")
    filters = list(logger.filters)
    with quiet() as messages:
        logger.warning("a\nb %d", 1)
        assert os.environ["IR_DATASETS_DL_DISABLE_PBAR"] == "true"
    assert messages == ["a b 1"]
    assert capfd.readouterr() == ("", "")
    assert logger.filters == filters
    assert "IR_DATASETS_DL_DISABLE_PBAR" not in os.environ
    monkeypatch.setenv("IR_DATASETS_DL_DISABLE_PBAR", "false")
    with quiet():
        assert os.environ["IR_DATASETS_DL_DISABLE_PBAR"] == "false"
    assert os.environ["IR_DATASETS_DL_DISABLE_PBAR"] == "false"


def test_without_ir_datasets_nothing_is_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    assert import_problem()
    assert full_id("scifact") is None
    assert known_names() == []


def test_home_that_cannot_be_made(tmp_path, run_python):
    (tmp_path / "file").write_text("")
    program = "from sparseembed.data.irds_calls import import_problem; print(import_problem())"
    done = run_python(program, IR_DATASETS_HOME=tmp_path / "file" / "home")
    assert "Not a directory" in done.stdout
    assert done.stderr == ""
