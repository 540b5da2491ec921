"""Places that a user names: looked at before the work, written whole, through, or at a link's end."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import sparseembed
from sparseembed.errors import ConfigError
from sparseembed.files import atomic_folder
from sparseembed.outputs import check_output_folder, check_writable, output_file

ROOT = Path(sparseembed.__file__).parents[1]
NULL = Path("/dev/null")


def write(path, content=b"new"):
    """Check a place and write there."""
    check_writable(path)
    with output_file(path) as handle:
        handle.write(content)


def everything(folder):
    """Return what stands in a folder: name -> kind and contents."""
    return {
        path.relative_to(folder).as_posix(): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
    }


def test_a_new_file_and_its_folders_are_made(tmp_path):
    before = everything(tmp_path)
    check_writable(tmp_path / "a" / "b" / "file")
    assert everything(tmp_path) == before
    write(tmp_path / "a" / "b" / "file")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(mode)
    write(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("through", ["file", "link"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, through):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    before = everything(tmp_path)

    def fails():
        with output_file(tmp_path / through) as handle:
            handle.write(b"half")
            raise OSError(28, "no room")

    with pytest.raises(OSError, match="no room"):
        fails()
    assert everything(tmp_path) == before


def test_of_links_the_last_target_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_bytes(b"old")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(tmp_path / "far" / "file")
    (tmp_path / "dangling").symlink_to("far/none/new")
    for link, target in (("one", "file"), ("dangling", "none/new")):
        write(tmp_path / link)
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / "far" / target).read_bytes() == b"new"
    assert (tmp_path / "two").is_symlink()


def test_a_device_is_written_through(tmp_path):
    before = NULL.stat()
    (tmp_path / "link").symlink_to("/dev/null")
    for place in ("/dev/null", tmp_path / "link"):
        write(place)
    assert (NULL.stat().st_ino, NULL.stat().st_mode) == (before.st_ino, before.st_mode)
    assert stat.S_ISCHR(NULL.stat().st_mode)
    check_writable("/dev/full")
    with pytest.raises(OSError, match="/dev/full"), output_file("/dev/full") as handle:
        handle.write(b"x")


def test_a_pipe_is_written_through(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write(tmp_path / "pipe")
    reader.join()
    assert read == [b"new"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


PRINTS = """
import sys
from sparseembed.outputs import check_writable, output_file
print("before")
check_writable(sys.argv[1])
with output_file(sys.argv[1]) as handle:
    handle.write(b"written\\n")
print("after")
"""


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("redirected", ["pipe", "file", "appended"])
def test_standard_output_is_written_through_in_its_turn(tmp_path, place, redirected):
    (tmp_path / "link").symlink_to("/dev/stdout")
    place = str(tmp_path / "link") if place == "link" else place
    (tmp_path / "out").write_text("earlier\n")
    command = [sys.executable, "-c", PRINTS, place]
    if redirected == "pipe":
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True).stdout
    else:
        with (tmp_path / "out").open("a" if redirected == "appended" else "w") as file:
            subprocess.run(command, stdout=file, cwd=ROOT, check=True)
        out = (tmp_path / "out").read_text()
    earlier = "earlier\n" if redirected == "appended" else ""
    assert out == earlier + "before\nwritten\nafter\n"


def test_a_place_that_cannot_be_a_file_is_refused_and_nothing_changed(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "to-folder").symlink_to("folder")
    (tmp_path / "below").symlink_to("file/deep/er")
    before = everything(tmp_path)
    for name in ("folder", "to-folder", "file/x", "file/x/y", "circle", "circle/x", "below", "n" * 300, "a\0b", "."):
        with pytest.raises(ConfigError, match=r"choose another place|name a file in it") as refusal:
            check_writable(tmp_path / name)
        assert "\n" not in str(refusal.value)
    for place in ("/proc/x", "/sys/x", "/proc/version/x"):
        with pytest.raises(ConfigError, match="cannot be written"):
            check_writable(place)
    assert everything(tmp_path) == before


def test_places_of_a_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "dangling").symlink_to("new/er")
    (tmp_path / "to-file").symlink_to("file")
    (tmp_path / "circle").symlink_to("circle")
    before = everything(tmp_path)
    assert check_output_folder(tmp_path / "folder") == tmp_path / "folder"
    assert check_output_folder(tmp_path / "new" / "est") == tmp_path / "new" / "est"
    assert check_output_folder(tmp_path / "link") == (tmp_path / "folder").resolve()
    assert check_output_folder(tmp_path / "dangling") == (tmp_path / "new" / "er").resolve()
    for name in ("file", "to-file", "file/x", "circle", "n" * 300, "a\0b"):
        with pytest.raises(ConfigError, match="choose another place"):
            check_output_folder(tmp_path / name)
    for place in ("/proc/x", "/dev/null", "/dev/null/x"):
        with pytest.raises(ConfigError, match="choose another place"):
            check_output_folder(place)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["link", "dangling"])
def test_a_folder_is_made_at_the_end_of_a_link(tmp_path, name):
    (tmp_path / "standing").mkdir()
    (tmp_path / "standing" / "old").touch()
    (tmp_path / "link").symlink_to("standing")
    (tmp_path / "dangling").symlink_to("new")
    with atomic_folder(tmp_path / name) as part:
        (part / "made").touch()
    assert (tmp_path / name).is_symlink()
    assert [path.name for path in (tmp_path / name).iterdir()] == ["made"]


CHECKS = """
import os
import sys
from sparseembed.errors import ConfigError
from sparseembed.outputs import check_output_folder, check_writable, output_file
if os.geteuid() == 0:  # after the imports: others may not be able to read this checkout
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for kind, place in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        check_writable(place) if kind == "file" else check_output_folder(place)
        print("fine")
        if kind == "file":
            with output_file(place) as handle:
                handle.write(b"new")
    except ConfigError as error:
        print(error)
"""


@pytest.fixture
def shared(tmp_path):
    """A folder whose way is open to all users."""
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if not folder.stat().st_mode & stat.S_IXOTH and folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    return tmp_path


def test_places_without_permission_are_refused(shared):
    locked, own = shared / "locked", shared / "locked" / "own"
    locked.mkdir()
    own.write_bytes(b"old")
    own.chmod(0o666)
    (locked / "theirs").write_bytes(b"old")
    (locked / "theirs").chmod(0o444)
    locked.chmod(0o555)
    words = ["file", locked / "new", "file", locked / "theirs", "folder", locked / "x", "folder", locked, "file", own]
    command = [sys.executable, "-c", CHECKS, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if "setgroups" in done.stderr or "setuid" in done.stderr:
        pytest.skip("no other user to be here")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert all("cannot be written (Permission denied)" in line for line in lines[:4])
    assert lines[4:] == ["fine"]
    assert own.read_bytes() == b"new"  # its folder cannot be written, the file can


MOUNTED = """
set -e
mkdir {0}/empty {0}/part {0}/source
touch {0}/file
mount -t tmpfs none {0}/empty
mount --bind {0}/source {0}/part
mount --bind {0}/file {0}/file
mkdir {0}/locked; mount -t tmpfs -o ro none {0}/locked
exec {1} -c '{2}' {0}
"""
FILLS = """
import sys
from pathlib import Path
from sparseembed.errors import ConfigError
from sparseembed.files import atomic_folder
from sparseembed.outputs import check_output_folder, check_writable, output_file
root = Path(sys.argv[1])
for name in ("empty", "part"):
    for content in ("one", "two"):
        with atomic_folder(check_output_folder(root / name)) as part:
            (part / content).touch()
            (part / "same").write_text(content)
        print(sorted(path.name for path in (root / name).iterdir()), (root / name / "same").read_text())
    try:
        with atomic_folder(root / name) as part:
            (part / "three").touch()
            raise KeyError
    except KeyError:
        print(sorted(path.name for path in (root / name).iterdir()))
check_writable(root / "file")
with output_file(root / "file") as handle:
    handle.write(b"new")
print((root / "file").read_text())
for check in (check_writable, check_output_folder):
    try:
        check(root / "locked" / "x")
    except ConfigError as error:
        print("Read-only" in str(error))
"""


def test_what_is_mounted_is_filled_and_not_replaced(tmp_path):
    script = MOUNTED.format(tmp_path, sys.executable, FILLS.replace("'", '"'))
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounting here: {done.stderr.strip()}")
    assert done.stderr == ""
    filled = ["['one', 'same'] one", "['same', 'two'] two", "['same', 'two']"]
    assert done.stdout.splitlines() == [*filled, *filled, "new", "True", "True"]
