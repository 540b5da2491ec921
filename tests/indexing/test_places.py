"""Where an index may be built, who is refused, and what a killed build leaves behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import IndexFolderError, SparseEmbedError
from sparseembed.index.manifest import read_manifest
from sparseembed.index.transaction import Transaction

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
TEXTS = ("A cat sat.", "A whale swam.", "Rivers run.")


def corpus_of(texts=TEXTS, name="tiny"):
    return Corpus([Document(f"d{n}", "", text) for n, text in enumerate(texts)], name)


@pytest.fixture
def build(tiny_embedder, tmp_path):
    """Return a function that builds a small index."""
    embedder = tiny_embedder()

    def made(out, texts=TEXTS, **options):
        options = {"k": 8, "embeddings": tmp_path / f"vectors-{len(texts)}", **options}
        return build_index(corpus_of(texts), out, embedder, **options)

    return made


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def found(path, query="whale"):
    with Searcher.open(path) as searcher:
        return [hit.id for hit in searcher.search(query)]


def test_a_link_to_a_folder_stays_a_link(build, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to("far", target_is_directory=True)
    for texts in (TEXTS, (*TEXTS, "More whales.")):
        build(tmp_path / "near", texts, overwrite=True)
        assert (tmp_path / "near").is_symlink()
        assert read_manifest(tmp_path / "far").counts["documents"] == len(texts)
        assert found(tmp_path / "near")[:1] == ["d1"]
    assert build(tmp_path / "near", (*TEXTS, "More whales.")).reused
    assert not [each for each in names(tmp_path) if each.startswith(".")]


def test_a_dangling_link_leads_to_the_index(build, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "not" / "there")
    build(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert found(tmp_path / "not" / "there")[:1] == ["d1"]


def test_an_empty_folder_and_one_of_a_killed_build_are_free(build, tmp_path):
    (tmp_path / "empty").mkdir()
    assert found(build(tmp_path / "empty").path)[:1] == ["d1"]
    left = tmp_path / "left"
    for part in ("fit-1-1", "segment-1-2", "lucene"):
        (left / part).mkdir(parents=True)
        (left / part / "half.bin").write_bytes(b"x")
    (left / ".lock").write_text("{}")
    made = build(left)
    assert made.manifest.generation == 2
    assert found(left)[:1] == ["d1"]
    assert not [file for file in left.rglob("half.bin") if file.parent.name != "lucene"]


@pytest.mark.parametrize("content", ["thesis.tex", "fit-1-1", "manifest.jso"])
def test_a_folder_of_something_else_is_left_alone(build, tmp_path, content):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / content).write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(IndexFolderError, match="exists and is no index"):
            build(tmp_path / "mine", overwrite=overwrite)
    assert names(tmp_path / "mine") == [content]


def test_what_is_not_ours_stays_where_an_index_is_replaced(build, tmp_path):
    build(tmp_path / "index")
    (tmp_path / "index" / "README.md").write_text("about")
    (tmp_path / "index" / "segment-notes").mkdir()
    build(tmp_path / "index", (*TEXTS, "More."), overwrite=True)
    kept = names(tmp_path / "index")
    assert {"README.md", "segment-notes", "manifest.json", "lucene"} < set(kept)
    assert len(kept) == 6


def test_a_failed_build_removes_the_folder_that_it_made(build, tmp_path, monkeypatch):
    def fails(**parts):
        raise IndexFolderError("made to fail")

    before = build(tmp_path / "old")
    monkeypatch.setattr("sparseembed.indexing.build.first_manifest", fails)
    for out in ("new", "a/b/new"):
        with pytest.raises(IndexFolderError, match="made to fail"):
            build(tmp_path / out)
        assert not (tmp_path / out).exists()
    with pytest.raises(IndexFolderError, match="made to fail"):
        build(tmp_path / "old", k=9, overwrite=True)
    monkeypatch.undo()
    assert read_manifest(tmp_path / "old") == before.manifest
    assert len(names(tmp_path / "old")) == 4
    for engine in ("native", "lucene"):
        with Searcher.open(tmp_path / "old", engine=engine) as searcher:
            assert [hit.id for hit in searcher.search("whale")][:1] == ["d1"]
    assert build(tmp_path / "old").reused


def test_a_second_writer_is_refused_in_one_line_that_names_the_first(build, tmp_path):
    build(tmp_path / "index")
    before = names(tmp_path / "index")
    with Transaction(tmp_path / "index", "index"):
        with pytest.raises(IndexFolderError) as refusal:
            build(tmp_path / "index", k=9, overwrite=True)
        assert build(tmp_path / "index").reused  # nothing is written
        assert found(tmp_path / "index")[:1] == ["d1"]
    assert "\n" not in str(refusal.value)
    assert f"process {os.getpid()} on " in str(refusal.value)
    assert "(index)" in str(refusal.value)
    assert names(tmp_path / "index") == before
    assert not build(tmp_path / "index", k=9, overwrite=True).reused


PROGRAM = """
import os, sys, time
from pathlib import Path
from sparseembed import build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.indexing import build

model, out, vectors, stop = sys.argv[1:5]

def waits(place):
    def inner(*arguments, **options):
        if place == "publish" and os.environ.get("AFTER_LUCENE"):
            real(*arguments, **options)
        Path(out + ".waiting").write_text(str(os.getpid()))
        time.sleep(600)
    real = getattr(build.Transaction, "_commit_lucene")
    return inner

if stop == "encode":
    build.encode_corpus = waits(stop)
elif stop == "fit":
    build.fit = waits(stop)
elif stop == "write":
    build.first_manifest = waits(stop)
elif stop == "publish":
    build.Transaction._commit_lucene = waits(stop)
spec = EmbedderSpec(Path(model).name, model, dtype="float32", device="cpu")
texts = ["A cat sat.", "A whale swam.", "Rivers run.", "More whales."]
corpus = Corpus([Document(f"d{n}", "", text) for n, text in enumerate(texts)], "tiny")
build_index(corpus, out, TransformerEmbedder(spec), embeddings=vectors, k=8, overwrite=True)
"""
MORE = (*TEXTS, "More whales.")


@pytest.fixture
def writer(tiny_model, tmp_path):
    """Return a function that starts a build in another process, which stops in its midst, and gives the process."""
    started = []

    def start(out, stop, **environment):
        arguments = [str(tiny_model("tied")), str(out), str(tmp_path / "vectors-4"), stop]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        if stop == "never":
            return process
        while not Path(f"{out}.waiting").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        Path(f"{out}.waiting").unlink()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("stop", "standing"),
    [("encode", False), ("fit", True), ("write", True), ("publish", False), ("publish after Lucene", True)],
)
def test_a_killed_build_leaves_what_was_there_and_the_same_command_finishes(build, writer, tmp_path, stop, standing):
    out = tmp_path / "index"
    before = build(out) if standing else None
    process = writer(out, stop.split()[0], **({"AFTER_LUCENE": "1"} if "Lucene" in stop else {}))
    with pytest.raises(IndexFolderError, match=rf"process {process.pid} on .* writes there since .*\(index\)"):
        build(out, MORE, overwrite=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if before is not None:
        assert read_manifest(out) == before.manifest
        for engine in ("native", "lucene", "exact"):
            with Searcher.open(out, engine=engine) as searcher:
                assert searcher.manifest == before.manifest
                assert [hit.id for hit in searcher.search("whale")][:1] == ["d1"]
                assert searcher.text("d1") == TEXTS[1]
        assert build(out).reused
    else:
        with pytest.raises(SparseEmbedError, match="is no index"):
            Searcher.open(out)
    built = build(out, MORE, overwrite=standing)
    assert not built.reused
    for engine in ("native", "lucene", "exact"):
        with Searcher.open(out, engine=engine) as searcher:
            assert {hit.id for hit in searcher.search("whales")} >= {"d1", "d3"}
    kept = names(out)
    assert len([name for name in kept if name.startswith("fit-")]) == 1
    assert len([name for name in kept if name.startswith("segment-")]) == 1
    assert set(kept) <= {"manifest.json", "lucene", *(name for name in kept if name.startswith(("fit-", "segment-")))}
    assert names(tmp_path) == [each for each in names(tmp_path) if not each.startswith(".")]
    clean = build(tmp_path / "clean", MORE)
    assert [each["files"] for each in clean.manifest.segments] == [each["files"] for each in built.manifest.segments]
    assert clean.manifest.lucene["files"].keys() == {*names(tmp_path / "clean" / "lucene")} - {"write.lock"}
    assert built.manifest.lucene["files"].keys() == {*names(out / "lucene")} - {"write.lock"}


def test_a_build_into_an_empty_mount_point(tiny_model, tmp_path):
    probe = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no user namespaces")
    (tmp_path / "mount").mkdir()
    run = (
        f'mount -t tmpfs none "{tmp_path}/mount" && for n in 1 2; do "{sys.executable}" -c "$PROGRAM" '
        f'"{tiny_model("tied")}" "{tmp_path}/mount" "{tmp_path}/vectors-4" never || exit 1; done; '
        f'cp -r "{tmp_path}/mount" "{tmp_path}/copy"'
    )
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", run],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PROGRAM": PROGRAM},
    )
    if "mount:" in done.stderr:
        pytest.skip("nothing can be mounted")
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "mount") == []
    assert set(found(tmp_path / "copy", "whales")) >= {"d1", "d3"}


def test_places_where_no_index_can_be(build, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "circle").symlink_to("circle")
    for out in ("file", "file/below", "circle"):
        with pytest.raises(SparseEmbedError) as refusal:
            build(tmp_path / out)
        assert str(refusal.value).isprintable()
    assert (tmp_path / "file").read_text() == "x"
