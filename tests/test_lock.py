"""Locks on folders: who holds one, and what becomes of it."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import sparseembed
from sparseembed.errors import IndexFolderError
from sparseembed.lock import NOTE, ReaderLock, refuse_readers, writer_lock

ROOT = Path(sparseembed.__file__).parents[1]
HOLD = """
import sys
from pathlib import Path
from sparseembed.lock import ReaderLock, writer_lock
path = Path(sys.argv[2])
if sys.argv[1] == "write":
    with writer_lock(path, "encoding letters"):
        print("held", flush=True)
        sys.stdin.read()
else:
    reader = ReaderLock(path)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder():
    """Return a function that starts a process which holds a lock until it is ended."""
    running = []

    def start(how, path):
        command = [sys.executable, "-c", HOLD, how, str(path)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command, env=environment, **pipes))
        assert running[-1].stdout.readline() == "held\n"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def refusal(call):
    with pytest.raises(IndexFolderError) as caught:
        call()
    assert str(caught.value).isprintable()
    return str(caught.value)


def write(path):
    with writer_lock(path, "encoding numbers"):
        pass


def test_the_second_is_told_who_holds_the_folder(holder, tmp_path):
    process = holder("write", tmp_path)
    message = refusal(lambda: write(tmp_path))
    assert message.startswith(f"{tmp_path}: process {process.pid} on {os.uname().nodename} writes there since 20")
    assert message.endswith(" UTC (encoding letters): wait until that has ended, or stop it")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_ends_with_its_process(holder, tmp_path, number):
    process = holder("write", tmp_path)
    process.send_signal(number)
    process.wait()
    assert (tmp_path / NOTE).exists()
    write(tmp_path)
    assert not (tmp_path / NOTE).exists()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"process": "x"}', None])
def test_a_note_that_cannot_be_read_is_not_needed(holder, tmp_path, note):
    holder("write", tmp_path)
    (tmp_path / NOTE).unlink()
    if note is not None:
        (tmp_path / NOTE).write_text(note)
    assert refusal(lambda: write(tmp_path)).startswith(f"{tmp_path}: another process writes there: wait")


def test_a_thread_of_the_same_process_is_refused_too(tmp_path):
    with writer_lock(tmp_path, "one"):
        found = []
        thread = threading.Thread(target=lambda: found.append(refusal(lambda: write(tmp_path))))
        thread.start()
        thread.join()
        assert f"process {os.getpid()} on" in found[0]
        assert json.loads((tmp_path / NOTE).read_text())["what"] == "one"
    write(tmp_path)


def test_an_unused_folder_that_was_made_is_removed(tmp_path):
    write(tmp_path / "a" / "b")
    assert not (tmp_path / "a" / "b").exists()
    with writer_lock(tmp_path / "c", "x"):
        (tmp_path / "c" / "file").write_text("")
    assert [file.name for file in (tmp_path / "c").iterdir()] == ["file"]
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")
    assert (tmp_path / "empty").is_dir()


@pytest.mark.parametrize("target", ["there", "not there"])
def test_a_link_locks_its_target(holder, tmp_path, target):
    place = tmp_path / "target"
    if target == "there":
        place.mkdir()
    (tmp_path / "link").symlink_to(place)
    holder("write", tmp_path / "link")
    assert "writes there since" in refusal(lambda: write(place))
    assert (tmp_path / "link").is_symlink()


def test_a_folder_replaced_while_locked_is_another_folder(tmp_path):
    place, old = tmp_path / "index", tmp_path / "old"
    with writer_lock(place, "first"):
        place.rename(old)
        with writer_lock(place, "second"):
            (place / "file").write_text("")
            assert json.loads((place / NOTE).read_text())["what"] == "second"
    assert sorted(file.name for file in place.iterdir()) == ["file"]


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in ("file", "file/below", "circle"):
        message = refusal(lambda name=name: write(tmp_path / name))
        assert message.startswith(f"{tmp_path / name}: cannot be written (")
        assert message.endswith("): choose another folder, or change its permissions")


def test_a_full_disk_is_no_matter_of_permissions(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sparseembed.lock.os.open", full)
    message = refusal(lambda: write(tmp_path / "index"))
    assert message.endswith(
        "cannot be written (No space left on device): make room and run the same command again, finished work is kept"
    )


def test_a_note_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "outside").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / NOTE).symlink_to(tmp_path / "outside")
    refusal(lambda: write(tmp_path / "folder"))
    assert (tmp_path / "outside").read_text() == "precious"


def test_an_error_inside_comes_through_and_frees_the_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), writer_lock(tmp_path, "x"):
        raise ZeroDivisionError
    write(tmp_path)


def test_readers_of_another_process_are_named(holder, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    one, other = holder("read", file), holder("read", file)
    message = refusal(lambda: refuse_readers(file, "embeddings"))
    assert message.startswith(f"{tmp_path}: embeddings cannot be replaced while ")
    named = [f"process {process.pid} on {os.uname().nodename}, which runs since 20" for process in (one, other)]
    assert any(each in message for each in [*named, "another process uses them"])
    one.kill()
    one.wait()
    refusal(lambda: refuse_readers(file, "embeddings"))
    other.kill()
    other.wait()
    refuse_readers(file, "embeddings")


def test_ones_own_readers_see_that_the_file_was_replaced(holder, tmp_path):
    file = tmp_path / "file"
    refuse_readers(file, "nothing yet")
    file.write_text("")
    reader = ReaderLock(file)
    assert reader.current
    holder("read", file)
    refusal(lambda: refuse_readers(file, "embeddings"))
    (tmp_path / "new").write_text("")
    (tmp_path / "new").replace(file)
    refuse_readers(file, "embeddings")
    assert not reader.current
    file.unlink()
    assert not reader.current


def test_a_reader_that_is_gone_holds_nothing(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for _ in range(2000):  # more than a process may have files open
        ReaderLock(file)
    refuse_readers(file, "embeddings")
