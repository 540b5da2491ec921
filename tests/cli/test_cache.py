"""`sparseembed cache`: what it lists and removes, and what it must leave alone."""

import json
import os
import pty
import subprocess
import sys
import time

import numpy as np
import pytest

from sparseembed.cli import main
from sparseembed.embedders.shards import write_about, write_ids
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.lock import writer_lock


def make_store(folder, name="mine, documents", count=3):
    folder.mkdir(parents=True)
    np.save(folder / "00000.npy", np.zeros((count, 4), dtype=np.float32))
    ids = write_ids(folder, [str(row) for row in range(count)])
    write_about(
        folder,
        {"texts": name, "count": count, "complete": True, "ids_sha256": ids, "shard_size": 256, "dimension": 4},
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with embeddings of two corpora, a model, hashes, and something that is none of ours."""
    root = tmp_path / "cache"
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(root))
    make_store(root / "embeddings" / "mine-1" / "small-a" / "documents")
    make_store(root / "embeddings" / "mine-1" / "small-a" / "query-like", "mine, query-like texts", 1)
    make_store(root / "embeddings" / "other-2" / "small-a" / "documents", "other, documents", 7)
    (root / "models" / "big-1").mkdir(parents=True)
    (root / "models" / "big-1" / "model.safetensors").write_bytes(bytes(5000))
    (root / "hashes").mkdir()
    (root / "hashes" / "x.json").write_text("{}")
    (root / "holiday").mkdir()
    (root / "holiday" / "photo.npy").write_text("precious")
    return root


def listed(capsys):
    capsys.readouterr()
    assert main(["cache", "--json"]) == 0
    return {each["name"]: each for each in map(json.loads, capsys.readouterr().out.splitlines())}


MINE, OTHER = "embeddings/mine-1/small-a", "embeddings/other-2/small-a"


def test_what_is_listed(cache, capsys, silence):
    found = listed(capsys)
    assert set(found) == {MINE, OTHER, "models/big-1", "hashes"}
    assert found[MINE]["documents"] == 3
    assert (found[OTHER]["corpus"], found[OTHER]["embedder"], found[OTHER]["kind"]) == ("other", "small", "embeddings")
    assert found["models/big-1"]["size"] == 5000
    assert main(["cache"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "what", "corpus", "texts", "size", "last", "used"]
    assert lines[-1].startswith("sum")


def test_what_is_named_is_removed_and_nothing_else(cache, capsys, silence):
    assert main(["cache", "remove", MINE, "--yes"]) == 0
    assert set(listed(capsys)) == {OTHER, "models/big-1", "hashes"}
    assert not (cache / "embeddings" / "mine-1").exists()


@pytest.mark.parametrize(
    "name", ["../outside", "embeddings", "holiday", "", ".", "embeddings/mine-1/small-a/documents"]
)
def test_only_what_is_listed_can_be_removed(cache, name, refused):
    (cache.parent / "outside").mkdir()
    assert "the cache holds no" in refused("cache", "remove", name, "--yes")
    assert (cache.parent / "outside").exists()


def test_clear_all_leaves_what_is_none_of_ours_and_what_links_lead_to(cache, tmp_path, capsys, silence):
    make_store(tmp_path / "elsewhere" / "corpus" / "model" / "documents")
    (cache / "analysis").symlink_to(tmp_path / "elsewhere")
    (cache / "embeddings" / "linked").symlink_to(tmp_path / "elsewhere" / "corpus")
    (cache / "embeddings" / "other-2" / "small-a" / "documents" / "link").symlink_to(tmp_path / "elsewhere")
    assert main(["cache", "clear", "--all", "--yes"]) == 0
    assert listed(capsys) == {}
    assert (cache / "holiday" / "photo.npy").read_text() == "precious"
    assert len(list((tmp_path / "elsewhere" / "corpus" / "model" / "documents").iterdir())) == 3


def test_clear_by_age(cache, capsys, silence):
    month_ago = time.time() - 40 * 86400
    for file in (cache / OTHER).rglob("*"):
        os.utime(file, (month_ago, month_ago))
    assert main(["cache", "clear", "--older-than", "30d", "--yes"]) == 0
    assert set(listed(capsys)) == {MINE, "models/big-1", "hashes"}


def test_a_listing_is_no_use(cache, capsys, silence):
    month_ago = time.time() - 40 * 86400
    for file in (cache / OTHER).rglob("*"):
        os.utime(file, (month_ago, month_ago))
    first = listed(capsys)[OTHER]["used"]
    assert listed(capsys)[OTHER]["used"] == first


def test_what_is_in_use_stays(cache, refused, capfd, silence):
    with writer_lock(cache / MINE / "documents", "encoding mine"):
        assert "encoding mine" in refused("cache", "remove", MINE, "--yes")
        assert main(["cache", "clear", "--all", "--yes"]) == 0
        assert set(listed(capfd)) == {MINE}
    code = (
        "import sys\nfrom pathlib import Path\nfrom sparseembed.embedders.store import EmbeddingStore\n"
        "store = EmbeddingStore(Path(sys.argv[1]))\nprint('open', flush=True)\nsys.stdin.read()"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(cache / MINE / "documents")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert reader.stdout.readline() == b"open\n"
        assert "cannot be replaced while" in refused("cache", "remove", MINE, "--yes")
        assert len(EmbeddingStore(cache / MINE / "documents")) == 3
    finally:
        reader.communicate()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["remove"], "names go with remove"),
        (["clear"], "either --older-than AGE or --all"),
        (["clear", "--all", "--older-than", "1d"], "either --older-than AGE or --all"),
        (["clear", "--older-than", "soon", "--yes"], "as 12h, 30d or 8w"),
        (["--all"], "go with clear"),
        (["clear", "--all"], "add --yes"),
    ],
)
def test_mistakes(cache, words, told, refused, monkeypatch):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: PTH123, SIM115
    assert told in refused("cache", *words)


@pytest.mark.parametrize(("answer", "left"), [("n", 4), ("", 4), ("y", 0)])
def test_on_a_terminal_it_asks(cache, answer, left, capsys, monkeypatch, silence):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        os.write(ours, f"{answer}\n".encode())
        assert main(["cache", "clear", "--all"]) == 0
    os.close(ours)
    assert "remove 4 entries" in capsys.readouterr().err
    assert len(listed(capsys)) == left
