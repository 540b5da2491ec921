"""The class-data archive: used where it was made for the same Java and jars, and never in the way."""

import os
import subprocess
import sys

import pytest

from sparseembed.java.archive import archive_options, make_archive
from sparseembed.java.home import find_java_home
from sparseembed.java.jvm import class_path

pytestmark = pytest.mark.jvm

USE = """
from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer
from sparseembed.java.jvm import java
print(LuceneEnglishAnalyzer().terms("running foxes"))
print(java("java.lang.management.ManagementFactory").getRuntimeMXBean().getInputArguments().toString())
"""


def used():
    """Start Java in a new process: what it answers, and its options; it must say nothing else."""
    done = subprocess.run([sys.executable, "-c", USE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    terms, options = done.stdout.splitlines()
    assert terms == "['run', 'fox']"
    return options


def test_an_archive_is_used_once_it_is_made():
    assert ".jsa" not in used()
    assert archive_options(find_java_home(), class_path()) == []
    file = make_archive()
    assert str(file) in used()
    assert os.environ["SPARSEEMBED_CACHE"] in str(file)
    assert make_archive() == file
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_damaged_archive_is_passed_over():
    file = make_archive()
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes(each ^ 1 for each in whole[middle : middle + 64]) + whole[middle + 64 :]
    for damaged in (b"", b"nothing", whole[: len(whole) // 2], b"\0" * 4096 + whole[4096:], flipped):
        file.chmod(0o644)
        file.write_bytes(damaged)
        assert ".jsa" in used()


def test_a_place_that_cannot_be_found_is_no_error(monkeypatch):
    monkeypatch.setattr("sparseembed.java.archive.cache_folder", lambda *parts: (_ for _ in ()).throw(RuntimeError))
    assert archive_options(find_java_home(), class_path()) == []
