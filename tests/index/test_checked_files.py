"""Files with checksums: what was changed, cut, lengthened, linked or removed is noticed when it is read."""

from pathlib import Path

import pytest

from sparseembed.errors import IndexFolderError
from sparseembed.index.checked import CheckedFiles, check_files, plain_name, record


@pytest.fixture
def folder(tmp_path):
    """Return a folder of three files, and what is known of them."""
    (tmp_path / "files").mkdir()
    for name, content in (("a", b"some bytes"), ("b", b""), ("c", bytes(range(256)) * 9000)):
        (tmp_path / "files" / name).write_bytes(content)
    return tmp_path / "files"


def test_files_are_read_as_they_were_written(folder):
    known = record(folder)
    assert {name: each["bytes"] for name, each in known.items()} == {"a": 10, "b": 0, "c": 2_304_000}
    files = CheckedFiles(folder, known)
    for name in "abc":
        assert name in files
        assert files.read(name) == files.read(name) == (folder / name).read_bytes()
    assert check_files(folder, known) == []
    assert record(folder, ["a"]) == {"a": known["a"]}
    files.close()
    files.close()


def test_open_files_survive_a_folder_that_is_replaced(folder):
    files = CheckedFiles(folder, record(folder))
    folder.rename(folder.parent / "old")
    folder.mkdir()
    (folder / "a").write_bytes(b"other byte")
    assert files.read("a") == b"some bytes"


@pytest.mark.parametrize("place", [0, 5, 9])
def test_a_changed_byte_is_noticed(folder, place):
    known, files = record(folder), CheckedFiles(folder, record(folder))
    content = bytearray(b"some bytes")
    content[place] ^= 1
    (folder / "a").write_bytes(content)
    for opened in (files, CheckedFiles(folder, known)):
        with pytest.raises(IndexFolderError, match="a is damaged"):
            opened.read("a")
    assert check_files(folder, known) == [f"{folder / 'a'} is damaged (its checksum is another)"]


@pytest.mark.parametrize("content", [b"", b"some byte", b"some bytes more"])
def test_another_size_is_noticed_at_once_and_while_open(folder, content):
    known, files = record(folder), CheckedFiles(folder, record(folder))
    (folder / "a").write_bytes(content)
    with pytest.raises(IndexFolderError, match=r"a is damaged \(it has .* bytes"):
        CheckedFiles(folder, known)
    if len(content) < 10:
        with pytest.raises(IndexFolderError, match="damaged"):
            files.read("a")
    assert len(check_files(folder, known)) == 1


def test_missing_files(folder):
    known = record(folder)
    with pytest.raises(IndexFolderError, match=r"d is missing: build the index again"):
        CheckedFiles(folder, known).read("d")
    (folder / "b").unlink()
    with pytest.raises(FileNotFoundError):
        CheckedFiles(folder, known)
    assert check_files(folder, known) == [f"{folder / 'b'} is missing"]


def test_links_and_folders_are_not_followed(folder, tmp_path):
    known = record(folder)
    (tmp_path / "secret").write_bytes(b"some bytes")
    (folder / "a").unlink()
    for make in ((folder / "a").symlink_to, None):
        if make is not None:
            make(tmp_path / "secret")
        else:
            (folder / "a").unlink()
            (folder / "a").mkdir()
        with pytest.raises(IndexFolderError) as refusal:
            CheckedFiles(folder, known)
        assert str(refusal.value).isprintable()
        assert len(check_files(folder, known)) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "../x", "a\0b", "x" * 256, None, 5, ["a"], {}])
def test_names_that_lead_elsewhere(folder, name):
    with pytest.raises(IndexFolderError, match="which is no file in it") as refusal:
        plain_name(name, folder)
    assert str(refusal.value).isprintable()
    assert plain_name("a b", folder) == "a b"
    if isinstance(name, str):
        with pytest.raises(IndexFolderError):
            CheckedFiles(folder, {name: {"bytes": 1, "sha256": "0"}})


@pytest.mark.parametrize(
    "known",
    [None, 5, [], {}, {"bytes": 10}, {"sha256": "x"}, {"bytes": "10", "sha256": "x"}, {"bytes": 10, "sha256": 4}],
)
def test_records_that_are_none(folder, known):
    with pytest.raises(IndexFolderError) as refusal:
        CheckedFiles(folder, {"a": known})
    assert str(refusal.value).isprintable()


def test_a_refused_open_leaves_no_file_open(folder):
    known = record(folder)
    (folder / "c").write_bytes(b"")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(IndexFolderError):
            CheckedFiles(folder, known)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
