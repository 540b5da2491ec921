"""Our own Java classes: the jar is what the source gives, and fits what may run it."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from sparseembed.java import jvm


@pytest.fixture
def build():
    """The script that builds the jar, as a module."""
    file = Path(jvm.__file__).parent / "src" / "build.py"
    spec = importlib.util.spec_from_file_location("build_bulk_jar", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.jvm
def test_the_jar_is_what_the_source_gives(build):
    if shutil.which("javac") is None:
        pytest.skip("no javac on this machine")
    version = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("javac 17."):
        pytest.skip(f"{version.strip()} may give other bytes than the javac 17 that built the jar")
    assert build.classes(jvm.JAR) == build.compiled(jvm.anserini_jar())


def test_the_jar_is_small_and_of_java_17(build):
    files = build.classes(jvm.JAR)
    assert jvm.JAR.stat().st_size < 60_000
    for name, content in files.items():
        assert name.startswith("org/sparseembed/")
        assert content[:4] == b"\xca\xfe\xba\xbe"
        assert int.from_bytes(content[6:8]) == 61, name


def test_the_same_classes_give_the_same_bytes(build, tmp_path):
    files = build.classes(jvm.JAR)
    for name in ("one.jar", "two.jar"):
        build.write(tmp_path / name, files)
    assert (tmp_path / "one.jar").read_bytes() == (tmp_path / "two.jar").read_bytes()
    assert build.classes(tmp_path / "one.jar") == files
