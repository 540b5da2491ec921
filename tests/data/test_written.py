"""Files that other programs wrote (written/write.py), and the compressing programs of this machine."""

import gzip
import io
import lzma
import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard

from sparseembed.data.corpus import Document
from sparseembed.data.fields import Fields
from sparseembed.data.resolve import open_corpus

WRITTEN = Path(__file__).parent / "written"
DOCUMENTS = [
    Document("1", "Tides", 'The sea rises; it "falls", twice a day.'),
    Document("2", "", "Bread needs flour,\nwater, salt\tand time."),
    Document("3", "Été", "naïve 日本語 \U0001f600"),
    Document("4", "Blank", ""),
]
NAMES = sorted(path.name for path in WRITTEN.iterdir() if not path.name.endswith((".py", ".md", "__")))
FILES = [name for name in NAMES if (WRITTEN / name).is_file()]
PACKED = ["bzip2", "xz", "gzip", "zstd"]


def path_of(name):
    return str(WRITTEN / name)


def joined(*texts):
    return "\n".join(texts)


def test_files_of_four_programs_are_there():
    assert {name.split("-")[0].split(".")[0] for name in NAMES} == {"pandas", "polars", "duckdb", "datasets"}


@pytest.mark.parametrize("name", NAMES)
def test_documents(name):
    corpus = open_corpus(path_of(name))
    assert list(corpus) == DOCUMENTS
    assert list(corpus) == DOCUMENTS
    assert corpus.blanks == 0


@pytest.mark.parametrize("name", FILES)
def test_the_name_does_not_count(name, tmp_path):
    shutil.copy(WRITTEN / name, tmp_path / "docs.bin")
    assert list(open_corpus(str(tmp_path / "docs.bin"))) == DOCUMENTS


@pytest.mark.parametrize("name", FILES)
def test_compressed_and_compressed_again_by_python(name, tmp_path):
    raw = (WRITTEN / name).read_bytes()
    if name.endswith((".gz", ".bz2", ".zst")):
        pytest.skip("compressed already")
    for pack in (gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress):
        (tmp_path / "x").write_bytes(pack(raw))
        assert list(open_corpus(str(tmp_path / "x"))) == DOCUMENTS


@pytest.mark.parametrize("name", ["duckdb.csv", "pandas.parquet", "polars.ndjson", "polars.arrow"])
@pytest.mark.parametrize("program", PACKED)
def test_compressed_by_a_program(program, name, tmp_path, message_of):
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here")
    packed = subprocess.run([program, "-c"], input=(WRITTEN / name).read_bytes(), capture_output=True, check=True)
    (tmp_path / "x").write_bytes(packed.stdout)
    assert list(open_corpus(str(tmp_path / "x"))) == DOCUMENTS
    (tmp_path / "x").write_bytes(packed.stdout[:-9])
    assert "check" in message_of(open_corpus, str(tmp_path / "x"))


@pytest.mark.parametrize("name", FILES)
def test_standard_input(name, monkeypatch):
    raw = (WRITTEN / name).read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    corpus = open_corpus("-")
    assert list(corpus) == DOCUMENTS
    assert list(corpus) == DOCUMENTS
    assert corpus.name == "pipe"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert open_corpus("-").identity == corpus.identity


@pytest.mark.parametrize("name", FILES)
def test_fsspec(name):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe(f"/bucket/{name}", (WRITTEN / name).read_bytes())
    corpus = open_corpus(f"memory://bucket/{name}")
    assert list(corpus) == DOCUMENTS
    assert list(corpus) == DOCUMENTS
    assert corpus.identity == f"memory://bucket/{name}"


@pytest.mark.parametrize("name", NAMES)
def test_fields_by_name(name):
    corpus = open_corpus(path_of(name), Fields("id", ("title", "text")))
    assert list(corpus) == [Document(each.id, "", joined(each.title, each.text)) for each in DOCUMENTS]
    assert corpus.identity.endswith("(id id, text title + text, title )")


@pytest.mark.parametrize("name", NAMES)
def test_missing_fields_are_told_with_those_that_there_are(name, message_of):
    for fields, wanted in [(Fields("nr"), "nr"), (Fields(text=("body",)), "body"), (Fields(title="head"), "head")]:
        message = message_of(open_corpus, path_of(name), fields)
        assert f'"{wanted}"' in message
        assert "'id', 'title', 'text'" in message


@pytest.mark.parametrize("kind", ["tar", "gztar", "xztar"])
def test_archives_are_told_of(kind, tmp_path, message_of):
    made = shutil.make_archive(str(tmp_path / "made"), kind, WRITTEN)
    assert message_of(open_corpus, made).startswith(f"{made}: a tar archive: unpack it")
