"""A snapshot is one commit, whole: while the index is replaced by another process, and after it."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import DataError, IndexFolderError
from sparseembed.index.segment import kernels
from sparseembed.index.snapshot import open_snapshot

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
ONE = ("A cat sat with one.", "A whale swam.", "Rivers run, one by one.")
TWO = ("A cat ran with two.", "Two whales swam.", "Deserts are dry.", "A cat and two whales and a cat.")

PROGRAM = """
import sys
from pathlib import Path
from sparseembed import build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder

model, out, vectors, *texts = sys.argv[1:]
embedder = TransformerEmbedder(EmbedderSpec(Path(model).name, model, dtype="float32", device="cpu"))
corpora = [Corpus([Document(f"d{n}", "", text) for n, text in enumerate(each.split("|"))], "tiny") for each in texts]
turn = 0
while sys.stdin.readline():
    turn += 1
    build_index(
        corpora[turn % 2], out, embedder, embeddings=f"{vectors}-{turn % 2}", k=8, least=1, mix=0.5, overwrite=True
    )
    print(turn, flush=True)
"""


@pytest.fixture
def build(tiny_embedder, tmp_path):
    """Return a function that builds the index of texts."""
    embedder = tiny_embedder()

    def made(texts, out="index", **options):
        corpus = Corpus([Document(f"d{n}", "", text) for n, text in enumerate(texts)], "tiny")
        vectors = tmp_path / f"own-{len(texts)}"
        options = {"k": 8, "least": 1, "mix": 0.5, **options}
        return build_index(corpus, tmp_path / out, embedder, embeddings=vectors, overwrite=True, **options)

    return made


@pytest.fixture
def replacer(tiny_model, tmp_path):
    """Start a process that replaces the index by the one and the other, once a line that it is sent."""
    arguments = [
        str(tiny_model("tied")),
        str(tmp_path / "index"),
        str(tmp_path / "theirs"),
        "|".join(ONE),
        "|".join(TWO),
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    yield process
    process.kill()
    process.communicate()


def check_whole(searcher):
    """Make sure that hits, texts and explanations are of one index, and return which."""
    texts = ONE if searcher.manifest.counts["documents"] == len(ONE) else TWO
    for query in ("cat", "two whales and one river"):
        for hit in searcher.search(query, 10):
            why = searcher.explain(query, hit.id)
            assert why.score == hit.score
            assert searcher.text(hit.id) == texts[int(hit.id[1:])]
            assert searcher.document(hit.id).contents == texts[int(hit.id[1:])]
    literal = {f"d{number}" for number, text in enumerate(texts) if "cat" in text}
    assert literal <= {hit.id for hit in searcher.search("cat", 10)}
    assert searcher.term_space.literal.of("cats") == ["cat"]
    assert len(searcher.term_space.terms) == searcher.manifest.counts["terms"]
    return texts


@pytest.mark.parametrize("engine", ["native", "lucene"])
def test_an_index_that_is_replaced_all_the_time_is_always_whole(build, replacer, tmp_path, engine):
    build(ONE)
    seen, turns = [], []
    reader = threading.Thread(target=lambda: turns.extend(replacer.stdout))
    replacer.stdin.write("go\n" * 6)
    replacer.stdin.flush()
    replacer.stdin.close()
    replacer.stdin = None
    reader.start()
    standing = Searcher.open(tmp_path / "index", engine=engine)
    own = check_whole(standing)
    while reader.is_alive():
        with Searcher.open(tmp_path / "index", engine=engine) as searcher:
            seen.append(check_whole(searcher))
        assert check_whole(standing) == own  # its commit stays, whatever is in the folder by now
    reader.join()
    assert turns[-1].strip() == "6"
    assert {*seen} == {ONE, TWO}
    assert standing.reload()
    assert check_whole(standing) == ONE
    standing.close()


def test_an_open_searcher_keeps_its_commit_until_it_reloads(build):
    for engine in ("native", "lucene", "exact"):
        path = build(ONE).path
        with Searcher.open(path, engine=engine) as searcher:
            before = searcher.manifest
            assert not searcher.reload()
            build(TWO)
            assert check_whole(searcher) == ONE
            assert searcher.manifest == before
            with pytest.raises(DataError, match="has no document"):
                searcher.text("d3")
            assert searcher.reload()
            assert check_whole(searcher) == TWO
            assert searcher.text("d3") == TWO[3]
            assert not searcher.reload()


def test_a_searcher_that_cannot_reload_goes_on(build):
    path = build(ONE).path
    with Searcher.open(path) as searcher:
        build(TWO)
        manifest = (path / "manifest.json").read_bytes()
        (path / "manifest.json").write_bytes(manifest[:-9])
        with pytest.raises(IndexFolderError, match=r"manifest\.json is damaged"):
            searcher.reload()
        assert check_whole(searcher) == ONE
        (path / "manifest.json").write_bytes(manifest)
        assert searcher.reload()
        assert check_whole(searcher) == TWO


def test_searches_in_threads_end_on_the_commit_that_they_began_on(build):
    path = build(ONE).path
    with Searcher.open(path) as searcher:
        answers = [searcher.search("cat two", 10)]
        build(TWO)
        with Searcher.open(path) as other:
            answers.append(other.search("cat two", 10))
        assert answers[0] != answers[1]
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(searcher.search, "cat two", 10) for _ in range(200)]
            assert searcher.reload()
            waiting += [pool.submit(searcher.search, "cat two", 10) for _ in range(200)]
            found = [each.result() for each in waiting]
    assert all(each in answers for each in found)
    assert found[-1] == answers[1]


def test_a_snapshot_finds_documents_by_id(build, monkeypatch):
    path = build(TWO).path
    snapshot = open_snapshot(path)
    assert snapshot.documents == len(TWO)
    assert snapshot.ids() == ["d0", "d1", "d2", "d3"]
    for number, text in enumerate(TWO):
        assert snapshot.place(f"d{number}") == (0, number)
        assert snapshot.text(f"d{number}") == text
    for unknown in ("", "d4", "d", "\ud800", "D0"):
        assert snapshot.find(unknown) is None
        with pytest.raises(DataError, match="has no document") as refusal:
            snapshot.place(unknown)
        assert str(refusal.value).isprintable()
    for compiled in (False, True):
        monkeypatch.setattr(kernels, "ready", compiled)
        rows = snapshot.embeddings(["d3", "d0", "d3"])
        np.testing.assert_array_equal(rows, snapshot.segments[0].embeddings(np.array([3, 0, 3])))
        assert snapshot.embeddings([]).shape == (0, rows.shape[1])
        with pytest.raises(DataError, match="has no document"):
            snapshot.embeddings(["d0", "d4"])
    snapshot.close()
    snapshot.close()


def test_links_in_an_index_are_refused(build, tmp_path):
    path = build(ONE).path
    for name in [*(entry.name for entry in path.iterdir() if entry.name.startswith(("fit-", "segment-")))]:
        (path / name).rename(tmp_path / name)
        (path / name).symlink_to(tmp_path / name)
        with pytest.raises(IndexFolderError) as refusal:
            open_snapshot(path)
        assert str(refusal.value).isprintable()
        (path / name).unlink()
        (tmp_path / name).rename(path / name)
    for file in [*path.glob("fit-*/*"), *path.glob("segment-*/*")]:
        file.rename(tmp_path / file.name)
        file.symlink_to(tmp_path / file.name)
        with pytest.raises(IndexFolderError) as refusal:
            open_snapshot(path)
        assert str(refusal.value).isprintable()
        file.unlink()
        (tmp_path / file.name).rename(file)
    open_snapshot(path).close()


def test_opening_and_closing_leaves_no_file_open(build):
    path = build(ONE).path

    def used():
        with Searcher.open(path) as searcher:
            check_whole(searcher)
        (path / "manifest.json").rename(path / "m")
        with pytest.raises(IndexFolderError):
            Searcher.open(path)
        (path / "m").rename(path / "manifest.json")

    used()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        used()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
