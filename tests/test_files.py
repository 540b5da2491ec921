"""Files and folders that are whole or not there, whatever interrupts."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparseembed
from sparseembed import files
from sparseembed.files import (
    atomic_file,
    atomic_folder,
    cache_folder,
    digest,
    folder_bytes,
    sweep_files,
    write_json,
)

ROOT = Path(sparseembed.__file__).parents[1]


class Stop(BaseException):
    """Like KeyboardInterrupt: no Exception."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "file"
    with atomic_file(target) as handle:
        handle.write(b"one")
        assert not target.exists()
    assert target.read_bytes() == b"one"
    with atomic_file(target) as handle:
        handle.write(b"two")
        handle.flush()
        assert target.read_bytes() == b"one"
    assert target.read_bytes() == b"two"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stop])
def test_an_interrupted_file_leaves_nothing(tmp_path, error):
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def fails():
        with atomic_file(target) as handle:
            handle.write(b"half")
            raise error

    with pytest.raises(error):
        fails()
    assert names(tmp_path) == ["file"]
    assert target.read_bytes() == b"old"


def test_a_place_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"), atomic_file(tmp_path / "taken") as handle:
        handle.write(b"x")
    assert names(tmp_path) == ["taken"]


def test_files_and_folders_have_the_usual_permissions(tmp_path):
    (tmp_path / "plain").touch()
    (tmp_path / "usual").mkdir()
    with atomic_file(tmp_path / "file"):
        pass
    with atomic_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "folder").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_only_what_killed_runs_left_is_swept(tmp_path):
    (tmp_path / ".00001.npy.abcd1234.tmp").touch()
    (tmp_path / "notes.tmp").touch()
    (tmp_path / ".hidden").touch()
    with atomic_file(tmp_path / "busy") as handle:
        sweep_files(tmp_path)
        handle.write(b"whole")
    assert names(tmp_path) == [".hidden", "busy", "notes.tmp"]
    assert (tmp_path / "busy").read_bytes() == b"whole"


def test_a_folder_appears_in_one_step(tmp_path):
    target = tmp_path / "deep" / "index"
    with atomic_folder(target) as part:
        assert part.parent == target.parent
        (part / "a").write_text("1")
        assert not target.exists()
    assert names(target) == ["a"]
    assert names(target.parent) == ["index"]


def test_a_standing_folder_is_replaced_only_by_a_whole_one(tmp_path):
    target = tmp_path / "index"
    with atomic_folder(target) as part:
        (part / "old").touch()
    with atomic_folder(target) as part:
        (part / "new").touch()
        assert names(target) == ["old"]
    assert names(target) == ["new"]
    assert names(tmp_path) == ["index"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stop])
def test_an_interrupted_folder_leaves_nothing(tmp_path, error):
    target = tmp_path / "index"

    def fails():
        with atomic_folder(target) as part:
            (part / "half").touch()
            raise error

    for standing in (False, True):
        if standing:
            target.mkdir()
            (target / "old").touch()
        with pytest.raises(error):
            fails()
        assert names(tmp_path) == (["index"] if standing else [])
    assert names(target) == ["old"]


def test_a_move_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch):
    target = tmp_path / "index"
    target.mkdir()
    (target / "old").touch()
    replace = Path.replace

    def fails(self, to):
        if self.suffix == ".building":
            raise OSError("no room")
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="no room"), atomic_folder(target) as part:
        (part / "new").touch()
    assert names(tmp_path) == ["index"]
    assert names(target) == ["old"]


def leftovers(parent, name):
    """Leave what a run leaves that was killed between its two moves."""
    (parent / f".{name}.abcd1234.building").mkdir()
    (parent / f".{name}.abcd1234.building" / "new").touch()
    (parent / f".{name}.efgh5678.old" / "was").mkdir(parents=True)
    (parent / f".{name}.efgh5678.old" / "was" / "old").touch()


def test_what_killed_runs_left_is_swept_and_a_moved_folder_restored(tmp_path):
    target = tmp_path / "index"
    leftovers(tmp_path, "index")

    def fails():
        with atomic_folder(target):
            assert names(target) == ["old"]
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fails()
    assert names(tmp_path) == ["index"]
    assert names(target) == ["old"]


def test_a_standing_folder_wins_over_one_moved_away(tmp_path):
    target = tmp_path / "index"
    leftovers(tmp_path, "index")
    target.mkdir()
    (target / "newer").touch()
    with pytest.raises(ValueError, match="stop"), atomic_folder(target):
        raise ValueError("stop")
    assert names(tmp_path) == ["index"]
    assert names(target) == ["newer"]


@pytest.mark.parametrize("other", ["index.folded", "index.abcd1234", "my-index", "indexes", "[index]"])
def test_leftovers_of_other_folders_are_left_alone(tmp_path, other):
    leftovers(tmp_path, other)
    before = names(tmp_path)
    for name in ("index", "*", "inde?"):
        with atomic_folder(tmp_path / name):
            pass
        assert names(tmp_path / name) == []
        (tmp_path / name).rmdir()
    assert names(tmp_path) == before


def test_two_builds_at_once_do_not_remove_each_others_work(tmp_path):
    target = tmp_path / "index"
    with atomic_folder(target) as first:
        (first / "first").touch()
        with atomic_folder(target) as second:
            assert first.is_dir()
            (second / "second").touch()
        assert names(target) == ["second"]
    assert names(target) == ["first"]
    assert names(tmp_path) == ["index"]


KILLED = """
import sys, time
from pathlib import Path
from sparseembed.files import atomic_file, atomic_folder
with atomic_folder(Path(sys.argv[1], "index")) as part, atomic_file(Path(sys.argv[1], "file")):
    (part / "half").touch()
    print("here", flush=True)
    time.sleep(60)
"""


def test_a_run_that_is_alive_keeps_its_work_and_a_killed_one_does_not(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        assert run.stdout.readline() == "here\n"
        during = names(tmp_path)
        assert len(during) == 2
        files._sweep(tmp_path / "index")
        sweep_files(tmp_path)
        assert names(tmp_path) == during
        run.send_signal(signal.SIGKILL)
    assert names(tmp_path) == during
    files._sweep(tmp_path / "index")
    sweep_files(tmp_path)
    assert names(tmp_path) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcé", max_size=4), json_values, max_size=5))
def test_json_is_read_back_and_does_not_depend_on_the_order_of_keys(tmp_path, value):
    write_json(tmp_path / "a.json", value)
    write_json(tmp_path / "b.json", dict(reversed(value.items())))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == value
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert digest(value) == digest(dict(reversed(value.items())))


def test_a_digest_is_that_of_the_value():
    assert digest({"a": 1}) == digest({"a": 1}) != digest({"a": 2})
    assert digest(["a", "b"]) != digest(["b", "a"])
    assert len(digest("\ud800")) == 64


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path))
    assert cache_folder("a", "b") == tmp_path / "a" / "b"
    monkeypatch.delenv("SPARSEEMBED_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("a") == tmp_path / "sparseembed" / "a"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "sparseembed"
    assert not (tmp_path / ".cache").exists()


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "a").write_bytes(bytes(10))
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "b").write_bytes(bytes(7))
    assert folder_bytes(tmp_path) == 17
    assert folder_bytes(tmp_path / "a") == 10
