"""Indexes and adapters go to places elsewhere and come back: the same bytes, or none."""

import json
import os
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from sparseembed import Index, Searcher, build_index
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, DataError, IndexFolderError, TransferError
from sparseembed.files import digest, json_bytes
from sparseembed.index.verify import verify_index
from sparseembed.sharing import places
from sparseembed.sharing.pull import pull
from sparseembed.sharing.push import push

fsspec = pytest.importorskip("fsspec")
pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]


def corpus(first, last):
    return Corpus(
        [Document(f"d{n}", "", f"the cat number{n} sat on mat{n % 7}") for n in range(first, last)], f"mats{last}"
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory, tiny_model):
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    before = os.environ.get("SPARSEEMBED_CACHE")
    folder = tmp_path_factory.mktemp("shared")
    os.environ["SPARSEEMBED_CACHE"] = str(folder / "cache")
    try:
        embedder = TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
        build_index(corpus(0, 60), folder / "old", embedder, k=8)
        shutil.copytree(folder / "old", folder / "new")
        with Index.open(folder / "new", embedder) as index:
            index.add(corpus(60, 70))
            index.delete(["d3"])
        build_index(corpus(0, 50), folder / "other", embedder, k=8)
        first = build_index(corpus(0, 60), folder / "parts" / "1", embedder, k=8, shard="1/2").path
        build_index(corpus(0, 60), folder / "parts" / "2", embedder, k=8, shard="2/2", statistics=first)
    finally:
        os.environ.pop("SPARSEEMBED_CACHE") if before is None else os.environ.update(SPARSEEMBED_CACHE=before)
    return folder


@pytest.fixture(params=["memory", "file"])
def url(request, tmp_path):
    if request.param == "file":
        return f"file://{tmp_path}/far/mine"
    fsspec.filesystem("memory").store.clear()
    return "memory://far/mine"


def files_of(folder):
    found = {str(file.relative_to(folder)): file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}
    return {name: content for name, content in found.items() if not name.endswith(".lock")}


def stored(url):
    system, path = fsspec.core.url_to_fs(url)
    system.invalidate_cache()
    return {name[len(path) + 1 :]: system.cat_file(name) for name in system.find(path)}


def seal_of(folder):
    return (Path(folder) / "manifest.json").read_bytes()


class Counting:
    """Counts what a place transfers, and fails or changes it on demand."""

    def __init__(self, monkeypatch, fail_at=None, error=None):
        self.puts, self.gets, self.fail_at, self.error = [], [], fail_at, error
        put, get = places.Place.store, places.Place.fetch

        def fetch(place, name, target):
            if len(self.gets) == self.fail_at:
                raise self.error
            self.gets.append(name)
            get(place, name, target)

        def store(place, files, contents, known, stale, bar):
            system, real = place._system, place._system.put_file

            def put_file(source, target, **options):
                if len(self.puts) == self.fail_at:
                    raise self.error
                self.puts.append(target)
                real(source, target, **options)

            with monkeypatch.context() as patch:
                patch.setattr(system, "put_file", put_file)
                put(place, files, contents, known, stale, bar)

        monkeypatch.setattr(places.Place, "store", store)
        monkeypatch.setattr(places.Place, "fetch", fetch)


def test_there_and_back(built, url, tmp_path, monkeypatch):
    assert push(built / "old", url).kind == "index"
    pull(url, tmp_path / "back")
    assert files_of(tmp_path / "back") == files_of(built / "old") == stored(url)
    assert sorted(each.name for each in tmp_path.iterdir() if each.name != "far") == ["back"]
    with Searcher.open(tmp_path / "back") as searcher:
        assert searcher.search("mat3 cat", 3)
    counting = Counting(monkeypatch)
    push(built / "old", url)
    pull(url, tmp_path / "back")
    assert not counting.puts
    assert not counting.gets


def test_a_later_commit_sends_what_is_new(built, url, tmp_path, monkeypatch):
    push(built / "old", url)
    pull(url, tmp_path / "back")
    searcher = Searcher.open(tmp_path / "back")
    counting = Counting(monkeypatch)
    push(built / "new", url)
    assert 0 < len(counting.puts) < len(files_of(built / "new")) - 1
    assert not any("segment-1-" in name for name in counting.puts)
    assert stored(url) == files_of(built / "new")  # and nothing else: the former files have gone
    pull(url, tmp_path / "back")
    assert len(counting.gets) == len(counting.puts)
    assert files_of(tmp_path / "back") == files_of(built / "new")
    assert searcher.search("number3", 1)[0].id == "d3"  # it goes on with what it has opened
    assert searcher.reload()
    with pytest.raises(DataError, match="has no document 'd3'"):
        searcher.text("d3")
    searcher.close()
    with pytest.raises(TransferError, match="holds a later commit of this index"):
        push(built / "old", url)
    push(built / "old", url, overwrite=True)
    with pytest.raises(ConfigError, match="holds something else: pass --overwrite"):
        pull(url, tmp_path / "back")
    pull(url, tmp_path / "back", overwrite=True)
    assert files_of(tmp_path / "back") == files_of(built / "old") == stored(url)


def test_interrupted_runs_go_on(built, url, tmp_path, monkeypatch):
    for count in (0, 1, 5):
        with monkeypatch.context() as patch:
            Counting(patch, count, OSError(28, "No space left on device"))
            with pytest.raises(TransferError, match=r"cannot be written \(No space left on device\)") as found:
                push(built / "old", url)
        assert "\n" not in str(found.value)
        with pytest.raises(TransferError, match="neither an index nor an adapter"):
            pull(url, tmp_path / "back")
        assert not (tmp_path / "back").exists()
    with monkeypatch.context() as patch:
        counting = Counting(patch)
        push(built / "old", url)
    total = len(files_of(built / "old")) - 1
    assert len(counting.puts) == total - 6
    assert stored(url) == files_of(built / "old")
    for count in (0, 3, 4):
        with monkeypatch.context() as patch:
            Counting(patch, count, KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                pull(url, tmp_path / "back")
        assert not (tmp_path / "back").exists()
    with monkeypatch.context() as patch:
        counting = Counting(patch)
        pull(url, tmp_path / "back")
    assert len(counting.gets) == total - 7
    assert files_of(tmp_path / "back") == files_of(built / "old")


def test_another_index_is_replaced_only_when_asked(built, url, tmp_path, monkeypatch):
    push(built / "other", url)
    with pytest.raises(TransferError, match="holds another index: pass --overwrite"):
        push(built / "old", url)
    pull(url, tmp_path / "back")
    with monkeypatch.context() as patch:  # killed in the midst: nothing is there, and then the new one alone
        Counting(patch, 4, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            push(built / "old", url, overwrite=True)
    with pytest.raises(TransferError, match="neither an index nor an adapter"):
        pull(url, tmp_path / "elsewhere")
    push(built / "old", url)
    assert stored(url) == files_of(built / "old")
    with pytest.raises(ConfigError, match="holds something else"):
        pull(url, tmp_path / "back")
    pull(url, tmp_path / "back", overwrite=True)
    assert files_of(tmp_path / "back") == files_of(built / "old")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="holds"):
            pull(url, tmp_path / "letters", overwrite=overwrite)
    assert files_of(tmp_path / "letters") == {"dear": b"mine"}


def test_damage_is_never_visible(built, url, tmp_path):
    push(built / "old", url)
    system, path = fsspec.core.url_to_fs(url)
    chance = np.random.default_rng(0)
    names = sorted(stored(url))
    for name in chance.choice(names, size=6, replace=False).tolist():
        before = system.cat_file(f"{path}/{name}")
        damaged = bytearray(before)
        damaged[int(chance.integers(len(damaged)))] ^= 1
        for content, words in ((bytes(damaged), "damaged"), (before[:-1], "damaged"), (None, "lacks|neither")):
            system.rm_file(f"{path}/{name}") if content is None else system.pipe_file(f"{path}/{name}", content)
            out = tmp_path / f"{words}-{names.index(name)}-{len(content or b'')}"  # what was fetched whole is kept
            with pytest.raises(TransferError, match=words) as found:
                pull(url, out)
            assert "\n" not in str(found.value)
            assert not out.exists()
        system.pipe_file(f"{path}/{name}", before)
    pull(url, tmp_path / "back")
    assert not verify_index(tmp_path / "back")
    # What is damaged here is fetched again, and is not pushed.
    file = next((tmp_path / "back").glob("segment-*/*"))
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(TransferError, match="is damaged"):
        push(tmp_path / "back", url + "2")
    assert not stored(url + "2")
    pull(url, tmp_path / "back")
    assert files_of(tmp_path / "back") == files_of(built / "old")


@pytest.mark.parametrize("evil", ["../evil", "/evil", "a/../../evil", "..", "", "a//b", ".hidden", "manifest.json"])
def test_names_that_lead_elsewhere(built, tmp_path, evil):
    url = f"file://{tmp_path}/far"
    push(built / "old", url)
    manifest = json.loads(seal_of(built / "old"))
    manifest.pop("checksum")
    about = {"bytes": 4, "sha256": "0" * 64}
    for change in (
        {"statistics": {"folder": evil, "files": {"x": about}}},
        {"lucene": {**manifest["lucene"], "files": {evil: about}}},
    ):
        content = {**manifest, **change}
        (tmp_path / "far" / "manifest.json").write_bytes(json_bytes({**content, "checksum": digest(content)}))
        if change.get("lucene") and evil == "manifest.json":
            continue  # a plain name there
        with pytest.raises(TransferError):
            pull(url, tmp_path / "sub" / "back")
    (tmp_path / "far" / "manifest.json").unlink()
    content = {"format": 1, "kind": "adapter", "files": {evil: about}}
    (tmp_path / "far" / "checksums.json").write_bytes(json_bytes({**content, "checksum": digest(content)}))
    with pytest.raises(TransferError, match="which is not its own"):
        pull(url, tmp_path / "sub" / "back")
    assert not list(tmp_path.rglob("*evil*"))
    assert not (tmp_path / "sub" / "back").exists()


def test_parts_and_adapters(built, url, tmp_path):
    from sparseembed.embedders.adapters import SHIPPED, adapter_folder

    assert push(built / "parts", url).kind == "index in parts"
    pull(url, tmp_path / "parts")
    with Searcher.open(tmp_path / "parts") as many, Searcher.open(built / "old") as one:
        assert many.search("mat3 cat", 30) == one.search("mat3 cat", 30)
    push(tmp_path / "parts", url)
    adapter = adapter_folder(f"{SHIPPED}smollm2-135m-aligned")
    with pytest.raises(TransferError, match="holds another index in parts"):
        push(adapter, url)
    push(adapter, url, overwrite=True)
    pull(url, tmp_path / "adapter")
    found = files_of(tmp_path / "adapter")
    assert json.loads(found.pop("checksums.json"))["kind"] == "adapter"
    assert found == files_of(adapter)
    assert adapter_folder(str(tmp_path / "adapter")) == tmp_path / "adapter"
    (tmp_path / "parts" / "2" / "manifest.json").unlink()
    with pytest.raises(ConfigError, match="these are missing: 2"):
        push(tmp_path / "parts", url + "2")


def test_what_is_no_place_or_no_index(built, tmp_path, monkeypatch, capsys):
    for url, words in (
        ("far/mine", "is no URL"),
        ("nosuch://far/mine", "nosuch://far/mine"),
        ("memory://", "names no folder"),
        ("hf://alone", "names no folder"),
    ):
        assert main(["push", str(built / "old"), url, "-q"]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    with pytest.raises(IndexFolderError, match="neither an index nor an adapter"):
        push(tmp_path, "memory://x/y")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "photo.jpg").write_bytes(b"x")
    with pytest.raises(TransferError, match="holds other files"):
        push(built / "old", f"file://{tmp_path}/far")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 0, 10))
    push(built / "old", "memory://room/mine")
    with pytest.raises(ConfigError, match="has room for 10 bytes"):
        pull("memory://room/mine", tmp_path / "back")
    assert main(["push", str(built / "old"), f"file://{tmp_path}/cli", "-q"]) == 0


def test_no_bucket_is_made(built, tmp_path, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    class Bucket(MemoryFileSystem):
        """Keeps objects; a folder asked for would be a bucket, as it is with s3fs."""

        protocol = ("s3", "s3a")
        store, pseudo_dirs = {}, [""]

        def makedirs(self, path, exist_ok=False):
            raise AssertionError(f"made {path}")

        def pipe_file(self, path, value, mode="overwrite", **options):
            self.store.pop(path, None)
            self.pseudo_dirs.append(self._parent(path))
            super().pipe_file(path, value, mode, **options)

        def put_file(self, lpath, rpath, **options):
            self.pipe_file(self._strip_protocol(rpath), Path(lpath).read_bytes())

    system = Bucket(skip_instance_cache=True)
    monkeypatch.setattr(places, "file_system", lambda url: (system, "/room/mine"))
    push(built / "old", "s3://room/mine")
    pull("s3://room/mine", tmp_path / "back")
    assert files_of(tmp_path / "back") == files_of(built / "old")


def test_the_example(built, tmp_path, capsys):
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "push_pull.py"))["main"]
    for folder in ("old", "parts"):
        example(str(built / folder), f"file://{tmp_path}/{folder}", "mat3 cat")
        assert capsys.readouterr().out.startswith("1 ")
