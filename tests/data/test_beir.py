import gzip
import zipfile
from pathlib import Path

import pytest

from sparseembed.data.beir import is_beir_folder, open_beir, read_beir, read_beir_corpus
from sparseembed.data.corpus import Document
from sparseembed.text import shown


def test_folder_by_hand(tmp_path, write_beir):
    collection = open_beir(write_beir(tmp_path / "My Set"))
    assert list(collection.corpus) == [
        Document("d1", "Whales", "live in the sea"),
        Document("d2", "", "Cats live in houses"),
        Document("d3", "", "  "),
    ]
    assert collection.corpus.blanks == 1
    assert collection.splits == ("train", "test")
    assert list(collection.queries("test").items()) == [("q3", "where do cats live"), ("q1", "sea")]
    assert collection.qrels("test") == {"q1": {"d1": 2, "d2": 0}, "q3": {"d2": 1}}
    assert collection.queries("train") == {"q2": "unjudged"}


def test_name_and_identity_are_the_same_from_every_working_folder(tmp_path, write_beir, monkeypatch):
    folder = write_beir(tmp_path / "My Set")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder / "qrels")
    opened = [open_beir(path).corpus for path in (folder, Path(".."), tmp_path / "link")]
    assert {corpus.name for corpus in opened} == {"My-Set"}
    assert {corpus.identity for corpus in opened} == {str(folder.resolve())}
    assert len({corpus.fingerprint for corpus in opened}) == 1


def test_splits_come_in_the_order_of_use_and_other_files_are_no_splits(tmp_path, write_beir):
    row = [("q1", "d1", 1)]
    folder = write_beir(tmp_path / "set", qrels=dict.fromkeys(["zeta", "test", "alpha", "dev", "train"], row))
    for name in ("._test.tsv", ".tsv", "notes.txt", "test.tsv.bak"):
        (folder / "qrels" / name).write_text("x")
    assert open_beir(folder).splits == ("train", "dev", "test", "alpha", "zeta")


def test_gzipped_files_are_read_and_plain_ones_come_first(tmp_path, write_beir):
    folder = write_beir(tmp_path / "set")
    expected = open_beir(folder)
    assert expected.queries("test")  # read now, while the plain files are there
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        plain = folder / name
        (folder / f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    zipped = open_beir(folder)
    assert list(zipped.corpus) == list(expected.corpus)
    assert zipped.queries("test") == expected.queries("test")
    assert zipped.qrels("test") == expected.qrels("test")
    (folder / "qrels" / "test.tsv").write_text("q1\td1\t7\n")
    assert open_beir(folder).splits == ("train", "test")
    assert open_beir(folder).qrels("test") == {"q1": {"d1": 7}}


def test_folder_inside_a_zip_file(tmp_path, write_beir, message_of):
    folder = write_beir(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.name != "train.tsv":
                archive.write(file, Path("inner", file.relative_to(folder)))
        archive.writestr("inner/qrels/dev.tsv", "query-id\tcorpus-id\tscore\nq1\td1\tx\n")
    inner = zipfile.Path(tmp_path / "set.zip") / "inner"
    assert is_beir_folder(inner)
    collection = read_beir(inner, "set", "somewhere")
    assert list(collection.corpus) == list(open_beir(folder).corpus)
    assert collection.queries("test") == open_beir(folder).queries("test")
    assert (collection.splits, collection.corpus.identity) == (("dev", "test"), "somewhere")
    assert f"{tmp_path / 'set.zip'}/inner/qrels/dev.tsv:2: grade 'x'" in message_of(collection.qrels, "dev")


def test_documents_alone(tmp_path, write_beir):
    folder = write_beir(tmp_path / "set")
    (folder / "queries.jsonl").unlink()
    assert read_beir_corpus(folder, folder.name, str(folder.resolve())).ids == ["d1", "d2", "d3"]
    for file in (folder / "qrels").iterdir():
        file.unlink()
    assert open_beir(folder).splits == ()
    (folder / "qrels").rmdir()
    assert open_beir(folder).splits == ()


def test_qrels_without_queries(tmp_path, write_beir, message_of):
    folder = write_beir(tmp_path / "set")
    (folder / "queries.jsonl").unlink()
    assert message_of(open_beir, folder) == f"{folder}: qrels but no queries.jsonl: add the queries that they judge"


def test_no_corpus(tmp_path, write_beir, message_of):
    folder = write_beir(tmp_path / "outer" / "inner").parent
    for call in (open_beir, lambda folder: read_beir_corpus(folder, "x", "x")):
        message = message_of(call, folder)
        assert message.startswith(f"{folder}: no corpus.jsonl in this folder: ")
        assert message.endswith(f"perhaps {shown(str(folder / 'inner'))} is meant")
    assert not is_beir_folder(folder)


@pytest.mark.parametrize(
    ("name", "line", "content"),
    [
        ("corpus.jsonl", 2, '{"_id": "d1", "text": "x"}\n{"_id": "d2"}\n'),
        ("queries.jsonl", 2, '{"_id": "q1", "text": "x"}\n{"_id": "q1", "text": "x"}\n'),
        ("qrels/test.tsv", 2, "query-id\tcorpus-id\tscore\nq1\td1\t1.5\n"),
    ],
)
def test_errors_name_file_and_line(name, line, content, tmp_path, write_beir, message_of):
    folder = write_beir(tmp_path / "set")
    (folder / name).write_text(content)
    message = message_of(lambda: open_beir(folder).queries("test"))
    assert message.startswith(f"{folder / name}:{line}: ")


def test_bad_queries_and_qrels_do_not_keep_the_documents_from_being_read(tmp_path, write_beir):
    folder = write_beir(tmp_path / "set")
    (folder / "queries.jsonl").write_text("broken")
    (folder / "qrels" / "test.tsv").write_text("broken")
    assert len(open_beir(folder).corpus) == 3


def test_empty_corpus(tmp_path, write_beir, message_of):
    folder = write_beir(tmp_path / "set", documents=[])
    assert message_of(open_beir, folder).startswith(f"{folder / 'corpus.jsonl'}: no documents in it: ")
