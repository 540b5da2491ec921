"""Without a home: HOME unset, and a user whom the system's list does not have."""

import os
import pwd

import pytest

from sparseembed.errors import ConfigError
from sparseembed.files import cache_folder


@pytest.fixture
def no_home(monkeypatch):
    """Take the home away, and every other way to name a cache."""

    def unknown(user):
        raise KeyError(user)

    for name in ("HOME", "XDG_CACHE_HOME", "SPARSEEMBED_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    return monkeypatch


def test_one_line_says_what_to_set(no_home):
    with pytest.raises(ConfigError, match=r"^no folder for the cache: .* set HOME, or SPARSEEMBED_CACHE to a folder"):
        cache_folder("embeddings")


@pytest.mark.parametrize("place", ["~", "~/cache", "~nobody-of-that-name/cache"])
def test_a_cache_below_a_home_that_is_not_there(no_home, place):
    no_home.setenv("SPARSEEMBED_CACHE", place)
    with pytest.raises(ConfigError, match="set HOME, or SPARSEEMBED_CACHE"):
        cache_folder()


def test_other_ways_to_name_a_cache_need_no_home(no_home, tmp_path):
    no_home.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("a") == tmp_path / "sparseembed" / "a"
    no_home.setenv("SPARSEEMBED_CACHE", str(tmp_path / "own"))
    assert cache_folder("a") == tmp_path / "own" / "a"


def test_a_collection_by_name_without_a_home(run_python):
    # ir_datasets looks for a home while it is imported.
    program = (
        "import os, pwd\ndef unknown(user):\n    raise KeyError(user)\npwd.getpwuid = unknown\n"
        "for name in ('HOME', 'XDG_CACHE_HOME', 'IR_DATASETS_HOME'):\n    os.environ.pop(name, None)\n"
        "from sparseembed.data.resolve import open_corpus\nfrom sparseembed.errors import DataError\n"
        "try:\n    open_corpus('beir/scifact')\nexcept DataError as error:\n    print(error)\n"
    )
    assert run_python(program).stdout.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_real_process_without_a_home(run_python):
    program = (
        "import os\nfrom sparseembed.errors import ConfigError\nfrom sparseembed.files import cache_folder\n"
        "os.setgid(45678); os.setuid(45678)\n"
        "for name in ('HOME', 'XDG_CACHE_HOME', 'SPARSEEMBED_CACHE'):\n    os.environ.pop(name, None)\n"
        "try:\n    cache_folder()\nexcept ConfigError as error:\n    print(error)\n"
    )
    assert run_python(program).stdout.count("\n") == 1
