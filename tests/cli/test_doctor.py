"""What `sparseembed doctor` finds, on a sound machine and on broken ones."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sparseembed.cli import main
from sparseembed.doctor import extras, machine, packages
from sparseembed.doctor.examine import LOOKS
from sparseembed.doctor.finding import WRONG, Finding, looked
from sparseembed.doctor.packages import Requirement, try_imports
from sparseembed.exports.registry import SINKS

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def quick(monkeypatch):
    """Import nothing large: which packages are tried is the same, and tested apart."""
    monkeypatch.setattr(packages, "_COMPILED", {"regex": "regex", "lz4": "lz4.block"})


def test_all_is_well_here_and_every_topic_is_told(quick, capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["well"] is True
    assert {each["topic"] for each in found["findings"]} == {*LOOKS, "cache"}
    assert all(each["state"] in ("good", "note") for each in found["findings"])
    assert {each["name"]: each for each in found["extras"]}["dev"]["installed"] is True
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert f"Python {sys.version.split()[0]}" in told
    assert told.endswith("all that the core needs is there\n")


def test_torch_is_tried_where_it_is_installed():
    assert packages._COMPILED["torch"] == "torch"
    assert [each.name for each in packages.requirements() if each.name == "torch"] == ["torch"]


def test_a_package_that_is_missing_or_too_old_comes_with_the_command(quick, monkeypatch, capsys):
    asked = [Requirement("no-such-package", ">=3", ""), Requirement("regex", "<1", ""), Requirement("lz4", ">=4", "")]
    monkeypatch.setattr(packages, "requirements", lambda: asked)
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    wrong = {each["told"].split()[0]: each["remedy"] for each in found["findings"] if each["state"] == "wrong"}
    assert wrong == {"no-such-package": 'pip install "no-such-package>=3"', "regex": 'pip install "regex<1"'}
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "WRONG  packages   no-such-package is not installed\n" in told
    assert '-> pip install "no-such-package>=3"\n' in told


def test_modules_that_fail_or_take_the_process_down_are_told_apart(tmp_path, monkeypatch):
    (tmp_path / "dies.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    (tmp_path / "leaves.py").write_text("import os\nos._exit(3)\n")
    (tmp_path / "fails.py").write_text("print('noise')\nraise OSError('libfoo.so: no such file')\n")
    (tmp_path / "works.py").write_text("print('noise')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = try_imports(["fails", "dies", "works", "leaves", "json"])
    assert found.failed == {
        "fails": "OSError: libfoo.so: no such file",
        "dies": "ended by signal 9",
        "leaves": "ended with status 3",
    }


def test_a_java_that_is_none_is_told_with_what_to_do(quick, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert f"WRONG  Java       JAVA_HOME is {tmp_path / 'none'}, which is no folder\n" in told
    assert "-> unset JAVA_HOME" in told


def test_a_cache_that_cannot_be_one(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "file" / "cache"))
    (found,) = machine.disk()
    assert (found.state, found.remedy) == (WRONG, "export SPARSEEMBED_CACHE=/a/folder/of/yours")


def test_what_breaks_a_look_is_a_finding():
    def broken():
        yield Finding("a", "good", "b")
        raise RuntimeError("line\nbreak")

    (found,) = looked("a", broken)
    assert (found.state, "RuntimeError: line break" in found.told) == (WRONG, True)


def test_it_runs_where_no_package_is_there_at_all(tmp_path):
    code = "import sys; sys.path.insert(0, sys.argv[1])\nfrom sparseembed.cli import main\nsys.exit(main(sys.argv[2:]))"
    root = str(PYPROJECT.parent)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, root, "doctor", "--json"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["well"] is False


def test_each_extra_says_what_it_gives():
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert declared.keys() - {"all"} | {"index"} == extras.GIVES.keys()  # "index" is sparseembed-search's
    exports = {told.split()[2].rstrip(",") for told in extras.GIVES.values() if told.startswith("export --to")}
    assert exports <= SINKS.keys()
