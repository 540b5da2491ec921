"""Compressed files by their content, and what can be read only once."""

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data.corpus import Document
from sparseembed.data.lines import read_lines
from sparseembed.data.opening import Spool, plain_name
from sparseembed.data.resolve import open_collection, open_corpus
from sparseembed.errors import DataError

LINES = "\ufeffa\nb\u00e9\n".encode()
READ = [(1, "a\n"), (2, "b\u00e9\n")]
PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "none": bytes}
ONE = b'{"id": "1", "text": "x"}\n'


def lines_of(path):
    return list(read_lines(path))


@pytest.mark.parametrize("how", PACK)
@pytest.mark.parametrize("name", ["x", "x.jsonl", "x.gz", "x.bz2", "x.xz", "x.zst"])
def test_the_content_decides_and_not_the_name(how, name, tmp_path):
    path, archive = tmp_path / name, tmp_path / "archive.zip"
    path.write_bytes(PACK[how](LINES))
    assert lines_of(path) == READ
    path.write_bytes(PACK[how](LINES[:5]) + (b"" if how == "none" else PACK[how](b"")) + PACK[how](LINES[5:]))
    assert lines_of(path) == READ
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(path, "x")
    assert lines_of(zipfile.Path(archive) / "x") == READ


@pytest.mark.parametrize("how", ["gzip", "bzip2", "xz"])
def test_a_damaged_compressed_file_is_one_line(how, tmp_path, message_of):
    path = tmp_path / "x"
    whole = PACK[how](b"".join(b"line %d\n" % number for number in range(5000)))
    middle = len(whole) // 2
    for raw in (whole[:middle], whole[:20], whole[:middle] + b"\xff" * 100 + whole[middle + 100 :]):
        path.write_bytes(raw)
        message = message_of(lines_of, path)
        assert message.startswith(f"{path}")
        assert "cannot be read" in message or "not UTF-8" in message


@pytest.mark.parametrize("how", PACK)
def test_empty_files_have_no_lines(how, tmp_path):
    (tmp_path / "x").write_bytes(PACK[how](b""))
    assert lines_of(tmp_path / "x") == []


@given(st.sampled_from([b"", b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK"]), st.binary())
def test_any_bytes_are_read_or_refused(tmp_path, head, rest):
    path = tmp_path / "x"
    path.write_bytes(head + rest)
    with suppress(DataError):
        lines_of(path)


def test_zip_archives_are_told_of(tmp_path, message_of):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("x.jsonl", "{}")
    assert message_of(open_corpus, str(tmp_path / "x.zip")).endswith(
        "x.zip: a zip archive: unpack it and give the file or folder that is in it"
    )


def test_zstandard_without_a_library_is_one_line(tmp_path, monkeypatch, message_of):
    for name in ("compression", "compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "x").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    assert 'pip install "sparseembed[files]", or unpack it with zstd -d' in message_of(lines_of, tmp_path / "x")


@pytest.fixture
def zstandard(monkeypatch):
    """Stand in for a library of Zstandard by zlib under another mark; both know frames that end by themselves."""
    import zlib

    class Frame:
        def __init__(self):
            self._zlib, self._head = zlib.decompressobj(), 4

        eof = property(lambda self: self._zlib.eof)
        unused_data = property(lambda self: self._zlib.unused_data)

        def decompress(self, packed):
            skipped = min(self._head, len(packed))
            self._head -= skipped
            return self._zlib.decompress(packed[skipped:])

    library = ModuleType("zstandard")
    library.ZstdDecompressor = lambda max_window_size: SimpleNamespace(decompressobj=Frame)
    library.ZstdError = zlib.error
    monkeypatch.setitem(sys.modules, "compression", None)
    monkeypatch.setitem(sys.modules, "zstandard", library)
    return lambda raw: b"\x28\xb5\x2f\xfd" + zlib.compress(raw)


def test_zstandard_frames(zstandard, tmp_path, message_of):
    path = tmp_path / "x"
    path.write_bytes(zstandard(LINES[:5]) + zstandard(b"") + zstandard(LINES[5:]))
    assert lines_of(path) == READ
    path.write_bytes(zstandard(LINES)[:-3])
    assert "the compressed file ends before its end mark" in message_of(lines_of, path)
    path.write_bytes(zstandard(LINES * 99)[:9] + b"\xff" * 30)
    assert "cannot be read" in message_of(lines_of, path)


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz"])
def test_names_of_corpora_and_files_of_beir_folders(ending, tmp_path, write_beir):
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[ending]
    folder = write_beir(tmp_path / "set")
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        raw = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / (name + ending)).write_bytes(pack(raw))
    collection = open_collection(str(folder))
    assert collection.corpus.ids == ["d1", "d2", "d3"]
    assert collection.splits == ("train", "test")
    assert list(collection.queries("test")) == ["q3", "q1"]
    (tmp_path / f"docs.jsonl{ending}").write_bytes(pack(ONE))
    assert open_corpus(str(tmp_path / f"docs.jsonl{ending}")).name == "docs"


def test_plain_name():
    assert plain_name("a.tsv.xz", ".tsv") == "a"
    assert plain_name("a.b", ".tsv") == "a.b"


def write_slowly(path, parts):
    with path.open("wb", buffering=0) as pipe:
        for part in parts:
            pipe.write(part)


@pytest.fixture
def pipe(tmp_path):
    """Return a function that makes a pipe which gives parts of a file, one after the other."""
    threads = []

    def make(name, *parts):
        path = tmp_path / name
        os.mkfifo(path)
        threads.append(threading.Thread(target=write_slowly, args=(path, parts)))
        threads[-1].start()
        return path

    yield make
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("how", PACK)
def test_documents_of_a_pipe_can_be_read_again(how, pipe):
    packed = PACK[how](ONE + b'{"id": "2", "text": "y"}\n')
    corpus = open_corpus(str(pipe("docs", packed[:1], packed[1:7], packed[7:])))
    for _ in range(2):
        assert list(corpus) == [Document("1", "", "x"), Document("2", "", "y")]


def test_lines_of_a_pipe(pipe):
    packed = gzip.compress(LINES)
    assert lines_of(pipe("a", packed[:1], packed[1:])) == READ
    assert lines_of(pipe("b", LINES[:1], LINES[1:])) == READ


def test_the_identity_of_a_pipe_is_that_of_its_documents(pipe):
    one, same, other = (open_corpus(str(pipe(name, raw))) for name, raw in [("a", ONE), ("b", ONE), ("c", ONE + b"\n")])
    assert one.name == "pipe"
    assert one.identity == same.identity == other.identity
    assert open_corpus(str(pipe("d", ONE.replace(b'"x"', b'"y"')))).identity != one.identity


def test_errors_in_a_pipe_name_it_and_the_line(pipe, message_of):
    path = pipe("docs", ONE, ONE)
    assert message_of(open_corpus, str(path)).startswith(f"{path}:2: id '1' occurs twice, first on line 1")


def test_a_pipe_is_no_collection(pipe, tmp_path, message_of):
    os.mkfifo(tmp_path / "pipe")
    assert "a collection with queries is a folder" in message_of(open_collection, str(tmp_path / "pipe"))


def test_process_substitution(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(ONE)
    program = "import sys; from sparseembed.data.resolve import open_corpus; print(*2 * list(open_corpus(sys.argv[1])))"
    command = f"{sys.executable} -c '{program}' <(cat {tmp_path}/a.jsonl)"
    root = Path(__file__).parents[2]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=root)
    assert done.stdout == f"{Document('1', '', 'x')} {Document('1', '', 'x')}\n", done.stderr


def test_devices_are_refused(message_of):
    assert message_of(open_corpus, "/dev/zero") == "/dev/zero: neither a file, a folder nor a pipe: give one of these"


@given(st.lists(st.binary(max_size=20), max_size=8), st.lists(st.integers(0, 60), max_size=6))
def test_readers_of_a_spool_have_places_of_their_own(parts, seeks):
    spool, whole = Spool("kept"), b"".join(parts)
    for part in parts:
        spool.write(part)
    one, two = spool.open(), spool.open()
    for place in seeks:
        one.seek(place)
        assert one.read(5) == whole[place : place + 5]
    assert two.read() == whole
    assert str(spool) == "kept"
