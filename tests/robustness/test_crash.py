"""Crash: at whatever moment a process ends, the index is a commit whole, and the same command ends as if undisturbed.

A killed process leaves what its files hold at that moment. So an operation is run once, and before and after each of
its calls that change a file the folder is copied: each copy is what a kill at that moment leaves. A kill in the middle
of a write is a copy whose unfinished files are cut to half.
"""

import errno
import io
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from animals import NATURE as WORDS

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import DataError, IndexFolderError, SparseEmbedError
from sparseembed.index import lucene_writer
from sparseembed.index.manifest import FILE, read_manifest
from sparseembed.index.verify import verify_index
from sparseembed.indexing.shards import merge_indexes
from sparseembed.indexing.update import Index

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
EVERY = int(os.environ.get("SPARSEEMBED_TEST_EVERY", "0"))  # 1: each moment of each operation
QUERIES = ["cat", "whale river sand", "milk zorblax penguins", " ".join(WORDS)]
CHANGING = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "fsync")


def documents(count, first=0):
    """Make documents of a few words, one of them blank."""
    rows = [" ".join(WORDS[(n * step) % len(WORDS)] for step in range(1, 3 + n % 7)) for n in range(first + count)]
    return [Document(f"d{n:02d}", "", "" if n == 5 else rows[n]) for n in range(first, first + count)]


OLD, MORE = documents(14), documents(4, 40)
NEW = [Document("d02", "", "penguins eat fish"), Document("x", "", "a zorblax")]


class Recorder:
    """Copies a folder whenever it has changed."""

    def __init__(self, root, states):
        self.root, self.states = root, states
        self.count = 0
        self._last, self._busy = None, False

    def moment(self):
        if self._busy:
            return
        self._busy = True
        now = self._signature()
        if now != self._last:
            self._last = now
            shutil.copytree(self.root, self.states / f"{self.count:03d}")
            self.count += 1
        self._busy = False

    def _signature(self):
        found = []
        for folder, _, names in os.walk(self.root):
            found.append(folder)
            for name in names:
                status = Path(folder, name).stat()
                found.append((folder, name, status.st_ino, status.st_size, status.st_mtime_ns))
        return sorted(map(str, found))


@contextmanager
def recorded(root, states):
    """Record what a folder is before and after each call that changes a file."""
    recorder = Recorder(root, states)

    def around(call):
        def wrapped(*args, **options):
            recorder.moment()
            try:
                return call(*args, **options)
            finally:
                recorder.moment()

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGING:
            patch.setattr(os, name, around(getattr(os, name)))
        patch.setattr(io, "open", around(io.open))
        patch.setattr(lucene_writer, "helper", around(lucene_writer.helper))
        yield recorder
    recorder.moment()


ASKED = [f"which document says {word} {number}" for word in ("whale", "river", "sand") for number in range(25)]


def build(index, embedder):
    build_index(Corpus(OLD, "old"), index, embedder, k=12)


def rebuild(index, embedder):
    build_index(Corpus(MORE + NEW, "new"), index, embedder, k=12, overwrite=True)


def merge(index, embedder):
    merge_indexes([index.with_name("part1"), index.with_name("part2")], index)


OPERATIONS = {
    "build": build,
    "rebuild": rebuild,
    "add": lambda index, embedder: Index(index, embedder).add(MORE),
    "replace": lambda index, embedder: Index(index, embedder).replace(NEW),
    "delete": lambda index, embedder: Index(index, embedder).delete(["d01", "d03"]),
    "compact": lambda index, embedder: Index(index, embedder).compact(),
    "refit": lambda index, embedder: Index(index, embedder).compact(refit=True),
    "encoder": lambda index, embedder: Index(index, embedder).fit_query_encoder(ASKED, layers=1),
    "merge": merge,
}


def prepare(name, index, embedder):
    """Make what an operation begins with."""
    embedder.identity()  # the hash of its weights is remembered
    if name == "merge":
        parts = [index.with_name(f"part{n}") for n in (1, 2)]
        build_index(Corpus(OLD, "old"), parts[0], embedder, k=12, shard="1/2")
        build_index(Corpus(OLD, "old"), parts[1], embedder, k=12, shard="2/2", statistics=parts[0])
    elif name != "build":
        build(index, embedder)
    if name in ("compact", "refit"):
        Index(index, embedder).replace(NEW)
        Index(index, embedder).delete(["d04"])


def answers(path, engine="native"):
    """Give all that a reader sees of an index: ids and texts, hits, and explanations, which must fit the hits."""
    with Searcher.open(path, engine=engine) as searcher:
        hits = {query: searcher.search(query, 50) for query in QUERIES}
        for query, found in hits.items():
            for hit in found:
                assert searcher.explain(query, hit.id).score == hit.score
        texts = {}
        for document in (*OLD, *MORE, *NEW):
            try:
                texts[document.id] = searcher.text(document.id)
            except DataError:
                continue
    return hits, texts


def contents(path):
    """Give what an index is made of, but for the names of folders and Lucene's random numbers."""
    manifest = read_manifest(path)
    assert verify_index(path) == []
    segments = [
        {**each, "folder": None, "deleted": each["deleted"] and each["deleted"]["sha256"]} for each in manifest.segments
    ]
    return manifest.build, manifest.counts, manifest.updates, manifest.statistics["files"], segments, manifest.mix


def leftovers(path):
    """Give what lies in an index folder and is no part of the index."""
    manifest = read_manifest(path)
    named = {FILE, "lucene", manifest.statistics["folder"]}
    for segment in manifest.segments:
        named |= {segment["folder"], *([segment["deleted"]["file"]] if segment["deleted"] else [])}
    lucene = {f"lucene/{entry.name}" for entry in (path / "lucene").iterdir()}
    return {entry.name for entry in path.iterdir()} - named | lucene - {
        f"lucene/{name}" for name in manifest.lucene["files"]
    }


def again(name, index, embedder):
    """Run an operation once more; one that its first run has finished may say so."""
    try:
        OPERATIONS[name](index, embedder)
    except (DataError, IndexFolderError) as error:
        if not any(part in str(error) for part in ("lacks", "--overwrite")):
            raise


def cut_unfinished(index):
    """Cut the files that no manifest names to half: the process ended while it wrote them."""
    named = read_manifest(index) if (index / FILE).exists() else None
    known = set()
    if named is not None:
        folders = [named.statistics["folder"], *(each["folder"] for each in named.segments)]
        known = {index / folder for folder in folders} | {index / "lucene" / name for name in named.lucene["files"]}
        known |= {index / each["deleted"]["file"] for each in named.segments if each["deleted"]}
    changed = False
    for file in index.rglob("*"):
        mine = file.is_file() and not {file, file.parent} & known and file.name not in (FILE, ".lock")
        if mine and not file.name.startswith("segments_") and file.stat().st_size:  # Lucene renames its commits
            os.truncate(file, file.stat().st_size // 2)
            changed = True
    return changed


def crash(name, embedder, tmp_path, monkeypatch, step):
    """Try moments of an operation, the first and the last among them; give how many."""
    root, states = tmp_path / "root", tmp_path / "states"
    (root / "cache").mkdir(parents=True)
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(root / "cache"))
    prepare(name, root / "index", embedder)
    before = answers(root / "index") if (root / "index").exists() else None
    with recorded(root, states) as recorder:
        OPERATIONS[name](root / "index", embedder)
    after, wanted = answers(root / "index"), contents(root / "index")
    assert leftovers(root / "index") == set()
    if before is not None:
        first = read_manifest(states / "000" / "index")
    tried = 0
    for number in sorted({*range(0, recorder.count, step), *range(max(0, recorder.count - 6), recorder.count)}):
        for cut in (False, True):
            state = tmp_path / "now"
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(states / f"{number:03d}", state)
            index = state / "index"
            if cut and not (index.is_dir() and cut_unfinished(index)):
                continue
            monkeypatch.setenv("SPARSEEMBED_CACHE", str(state / "cache"))
            if before is not None:
                old = read_manifest(index) == first
                assert verify_index(index) == [], number
                assert answers(index, ("native", "lucene")[number % 2]) == (before if old else after), number
            elif not (index / FILE).exists():
                with pytest.raises(IndexFolderError):
                    Searcher.open(index)
            again(name, index, embedder)
            assert contents(index) == wanted, (number, cut)
            assert leftovers(index) == set(), (number, cut)
            assert answers(index) == answers(index, "lucene") == after, (number, cut)
            tried += 1
    return tried


@pytest.fixture
def embedder(tiny_embedder):
    return tiny_embedder()


@pytest.mark.parametrize(
    ("name", "step"), [("build", 4), ("add", 3), *((name, 16) for name in OPERATIONS if name not in ("build", "add"))]
)
def test_a_kill_at_any_moment_leaves_a_commit_and_the_same_command_finishes(
    name, step, embedder, tmp_path, monkeypatch
):
    assert crash(name, embedder, tmp_path, monkeypatch, EVERY or step) > 5


@contextmanager
def full_disk(after):
    """Let a disk be full from some moment on: all that needs room fails, what frees room does not; give the count."""
    count = 0

    def needing(call, needs=lambda *_, **__: True):
        def wrapped(*args, **options):
            nonlocal count
            if needs(*args, **options):
                count += 1
                if count > after:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*args, **options)

        return wrapped

    def writes(file, mode="r", *_, **__):
        return "w" in mode or "x" in mode

    with pytest.MonkeyPatch.context() as patch:
        for name in ("mkdir", "fsync"):
            patch.setattr(os, name, needing(getattr(os, name)))
        patch.setattr(io, "open", needing(io.open, writes))
        yield lambda: count


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_disk_that_fills_up_leaves_the_old_index_and_the_same_command_finishes(name, embedder, tmp_path, monkeypatch):
    root = tmp_path / "root"
    (root / "cache").mkdir(parents=True)
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(root / "cache"))
    prepare(name, root / "index", embedder)
    before = answers(root / "index") if (root / "index").exists() else None
    shutil.copytree(root, tmp_path / "undisturbed")
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "undisturbed" / "cache"))
    with full_disk(10**9) as count:
        OPERATIONS[name](tmp_path / "undisturbed" / "index", embedder)
    wanted, step, failed = contents(tmp_path / "undisturbed" / "index"), EVERY or 7, 0
    for after in range(0, count(), step):
        state = tmp_path / "now"
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(root, state)
        monkeypatch.setenv("SPARSEEMBED_CACHE", str(state / "cache"))
        with full_disk(after):
            try:
                OPERATIONS[name](state / "index", embedder)
            except (SparseEmbedError, OSError):
                failed += 1
            else:
                break  # there was room for all; the first time, numba stored its code as well
        if before is not None:
            assert answers(state / "index") == before, after
            assert leftovers(state / "index") == set(), after
            assert verify_index(state / "index") == []
        else:
            assert not (state / "index").exists(), after
        again(name, state / "index", embedder)
        assert contents(state / "index") == wanted, after
        assert leftovers(state / "index") == set()
    assert failed > 1


FORKING = """
import os, resource, signal, sys
import torch, transformers
from sparseembed.cli import main
from sparseembed import api
from sparseembed.indexing import build, update  # all that a command needs but Java, so that each child begins at once

torch.set_num_threads(1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in map(int, sys.argv[2].split(",")):
    child = os.fork()
    if not child:
        errors = os.open(f"{sys.argv[1]}/errors-{limit}", os.O_WRONLY | os.O_CREAT)
        os.dup2(errors, 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            status = main(sys.argv[3:])
        except SystemExit as end:
            status = end.code
        os._exit(status)
    print(limit, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_files_that_may_not_grow_end_a_command_with_one_line(embedder, tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "cache"))
    build(tmp_path / "index", embedder)
    before = answers(tmp_path / "index")
    texts = tmp_path / "more.jsonl"
    words = [f"w{n * n % 9973}x{n % 71}" for n in range(40_000)]
    texts.write_text(
        "".join(f'{{"id": "n{n}", "text": "{" ".join(words[n * 900 : n * 900 + 900])}"}}\n' for n in range(40))
    )
    command = ["add", str(tmp_path / "index"), str(texts), "--embedder", embedder.spec.weights, "-q"]
    limits = [0, 100, 3_000, 20_000, 60_000, 120_000]
    (tmp_path / "told").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path / "told"), ",".join(map(str, limits)), *command],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    ends = dict(map(int, line.split()) for line in done.stdout.splitlines())
    assert set(ends) == set(limits), done.stderr
    for limit, status in ends.items():
        told = (tmp_path / "told" / f"errors-{limit}").read_text() if limit > 1_000 else "\n"
        assert status == 2, (limit, told)
        assert told.count("\n") == 1, told
    assert answers(tmp_path / "index") == before
    assert leftovers(tmp_path / "index") <= {".lock"}
    Index(tmp_path / "index", embedder).add(texts)
    assert read_manifest(tmp_path / "index").counts["documents"] == len(OLD) + 40
    assert leftovers(tmp_path / "index") == set()
