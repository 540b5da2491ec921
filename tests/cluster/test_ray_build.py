"""An index built on a Ray cluster of two nodes has the bytes of one machine, whatever dies meanwhile."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray")

import ray

from sparseembed import Searcher, build_index, progress
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, EmbedderError, IndexFolderError
from sparseembed.index.checked import record
from sparseembed.index.manifest import read_manifest
from sparseembed.indexing.cluster import address
from sparseembed.indexing.cluster import build as building
from sparseembed.indexing.cluster.build import Spreading, build_on_cluster
from sparseembed.indexing.cluster.pool import Workers, _connect
from sparseembed.indexing.cluster.worker import Failure, Worker
from sparseembed.indexing.shards import Shard, merge_indexes
from sparseembed.java.faults import fault_handlers_kept
from sparseembed.sharing.pull import pull

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
WORDS = [*("cat", "dog", "whale", "river", "water", "sand", "light", "sun"), *("earth", "green", "milk", "air", "fish")]
CHOICES = {"k": 16, "least": 2}


def documents():
    chance = np.random.default_rng(5)
    for n in range(530):
        text = " ".join(chance.choice(WORDS, size=2 + n % 23)) + f" unique{n % 300}" if n % 40 else ""
        if n % 211 == 7:
            text = " ".join(chance.choice(WORDS, size=150))  # several passages
        yield Document(f"d{n}", "", text, {"year": 1990 + n % 30} if n % 3 else {})


@pytest.fixture(scope="module")
def corpus():
    return Corpus(list(documents()), "spread")


@pytest.fixture(scope="module")
def embedder(tiny_model):
    spec = EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu", max_length=60)
    return TransformerEmbedder(spec)


@pytest.fixture(scope="module")
def whole(corpus, embedder, tmp_path_factory):
    """Return what one machine builds: the index, and the embeddings that it has made."""
    folder = tmp_path_factory.mktemp("one-machine")
    build_index(corpus, folder / "index", embedder, embeddings=folder / "embeddings", **CHOICES)
    return folder


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of two nodes, each of several processes."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        patch.setenv("RAY_worker_niceness", "0")  # by default others come first
        small = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
        small |= {"include_log_monitor": False, "no_monitor": True}
        made = Cluster(initialize_head=True, head_node_args=small)
        made.add_node(**small)
        yield made
        with fault_handlers_kept():
            made.shutdown()


def told(index):
    """Return checksums of all files but Lucene's, which have random numbers, and what the manifest says else."""
    manifest = read_manifest(index)
    folders = [manifest.statistics["folder"], *(each["folder"] for each in manifest.segments)]
    return {folder: record(index / folder) for folder in folders}, manifest.but(lucene={}, embeddings=[])


def stored(folder):
    assert {"documents", "documents-passages", "query-like"} <= {each.name for each in folder.iterdir()}
    return {each.name: record(each) for each in folder.iterdir()}


class Here(Workers):
    """Workers of this process: what they do is the same."""

    def __init__(self, address, count, spec, wanted):
        self.count = count or 2
        self._worker = Worker(spec)
        self._ask("hello", wanted)

    def _ask(self, method, *arguments):
        answer = self._worker.run(method, *arguments)
        if isinstance(answer, Failure):
            raise EmbedderError(answer.message)
        return answer

    def run(self, jobs):
        for job in jobs:
            yield job, self._ask(job.method, *job.arguments)

    def close(self):
        progress.set_reporter(progress.SilentReporter())


def test_workers_and_drivers_that_are_killed(corpus, embedder, whole, cluster, tmp_path, monkeypatch):
    """On two nodes: a worker is killed while it encodes, and the driver stops when a part is there."""
    killed, jobs = [], []

    class Watched(Workers):
        def run(self, given):
            for job, answer in super().run(given):
                jobs.append(job.name)
                if not killed:
                    killed.append(self.ready[0])
                    os.kill(killed[0].process, signal.SIGKILL)
                if len(killed) == 1 and job.method == "write":
                    killed.append(job)
                    raise KeyboardInterrupt
                yield job, answer

    monkeypatch.setattr(building, "Workers", Watched)
    work, out = tmp_path / "work", tmp_path / "index"
    for workers in (2, 1):
        spreading = Spreading(cluster.address, workers, parts=3, work=work)
        try:
            build_on_cluster(corpus, out, embedder, spreading=spreading, embeddings=tmp_path / "embeddings", **CHOICES)
        except KeyboardInterrupt:
            assert not (out / "manifest.json").exists()
            done = {file: file.stat().st_mtime_ns for file in work.glob("parts/*/manifest.json")}
            assert done
        else:
            assert workers == 1
        finally:
            with fault_handlers_kept():
                ray.shutdown()
    assert len(killed) == 2
    assert len([name for name in jobs if "part" not in name]) == len({name for name in jobs if "part" not in name})
    assert stored(tmp_path / "embeddings") == stored(whole / "embeddings")
    assert told(out) == told(whole / "index")
    # Nothing is left over.
    assert {each.name for each in tmp_path.iterdir()} == {"index", "embeddings"}


@pytest.mark.parametrize(
    ("terms", "passages", "more"), [("word", "20/20", ()), ("word+folded", "off", ("A text of rivers: {text}",))]
)
def test_the_bytes_of_one_machine(corpus, embedder, tmp_path, monkeypatch, terms, passages, more):
    cut = []

    def merge(parts, *given):
        cut.extend(read_manifest(part).counts["cut"] for part in parts)
        return merge_indexes(parts, *given)

    monkeypatch.setattr(building, "Workers", Here)
    monkeypatch.setattr(building, "merge_indexes", merge)
    if more:
        embedder = TransformerEmbedder(embedder.spec.with_changes(document_prompt="Text: {text}", more_prompts=more))
    given = {"embeddings": tmp_path / "embeddings", "passages": passages, **CHOICES}
    built = build_on_cluster(corpus, tmp_path / "spread", embedder, terms, Spreading(parts=3), **given)
    build_index(corpus, tmp_path / "whole", embedder, terms, **given)
    assert told(built.path) == told(tmp_path / "whole")
    taken = [reached is not None for reached in embedder.reach(list(corpus.contents))]
    spans = [Shard(number, 3).span(len(corpus)) for number in (1, 2, 3)]
    assert cut == ([sum(taken[first:last]) for first, last in spans] if passages == "off" else [0, 0, 0])
    with Searcher.open(tmp_path / "spread") as one, Searcher.open(tmp_path / "whole", engine="lucene") as other:
        for query in ("cat whale", "unique3 sand", " ".join(WORDS)):
            assert one.search(query, 100) == other.search(query, 100)
            assert [hit.metadata for hit in one.search(query, 9)] == [hit.metadata for hit in other.search(query, 9)]
    assert build_on_cluster(corpus, tmp_path / "spread", embedder, terms, Spreading(parts=3), **given).reused


def test_a_driver_that_dies_at_any_moment_goes_on(corpus, embedder, whole, tmp_path, monkeypatch):
    """The parts are kept, and searched as one; what was finished is not done again."""
    done, left = [], [0]

    class Dying(Here):
        def run(self, jobs):
            for job, answer in super().run(jobs):
                done.append((job.method, job.name))
                left[0] -= 1
                if not left[0]:
                    raise KeyboardInterrupt
                yield job, answer

    monkeypatch.setattr(building, "Workers", Dying)
    spreading = Spreading(parts=3, keep_parts=True)
    arguments = (corpus, tmp_path / "parts", embedder, "word", spreading)
    for moment in (2, 5, 3, 2, 1, 100):
        left[0] = moment
        try:
            built = build_on_cluster(*arguments, embeddings=tmp_path / "embeddings", **CHOICES)
        except KeyboardInterrupt:
            with pytest.raises((ConfigError, IndexFolderError)):
                Searcher.open(tmp_path / "parts")
    encoded = [name for method, name in done if method == "encode"]
    assert len(encoded) == len(set(encoded))
    assert stored(tmp_path / "embeddings") == stored(whole / "embeddings")
    assert {each.name for each in tmp_path.iterdir()} == {"parts", "embeddings"}
    with Searcher.open(built.path) as many, Searcher.open(whole / "index") as one:
        for query in ("cat whale", "unique3 sand", " ".join(WORDS)):
            assert many.search(query, 100, "year>2000") == one.search(query, 100, "year>2000")
        assert many.manifest.counts == {**one.manifest.counts, "terms": many.manifest.counts["terms"]}
    merged = merge_indexes(sorted(built.path.iterdir()), tmp_path / "merged")
    assert merged.counts == read_manifest(whole / "index").counts
    with pytest.raises(IndexFolderError, match="is a part of another index"):
        build_on_cluster(*arguments, k=9)
    left[0] = -1
    with pytest.raises(IndexFolderError, match="which is no part"):
        build_on_cluster(corpus, whole, embedder, "word", spreading)


def test_marks_of_drivers_that_are_gone_are_removed(tmp_path, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = building._mark(tmp_path)
    other = tmp_path / f".seen-{ended.pid}-x@another.machine"
    other.touch()
    (tmp_path / f".seen-{ended.pid}-x@{socket.gethostname()}").touch()
    last = building._mark(tmp_path)
    assert {*tmp_path.iterdir()} == {mine, other, last}
    os.utime(other, (0, 0))
    last.unlink()
    last = building._mark(tmp_path)
    assert {*tmp_path.iterdir()} == {mine, last}


def test_what_workers_lack_is_one_line(corpus, embedder, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "Workers", Here)
    (tmp_path / "elsewhere").mkdir()
    for name, other, words in (
        ("package_fingerprint", lambda: "other", "sparseembed 0.1.0 has other code there than here"),
        ("software_versions", lambda: {"torch": "1.0"}, "has other software: "),
        ("_spec", lambda _: embedder.spec.with_changes(weights=str(tmp_path / "gone")), "no model at"),
        ("_spec", lambda _: embedder.spec.with_changes(max_length=50), "another embedder: max_length is 50 there"),
        ("_mark", lambda folder: tmp_path / "elsewhere" / "file", "does not see .*: give --work"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(building, name, other)
            with pytest.raises(EmbedderError, match=f"the worker on .*{words}") as found:
                build_on_cluster(corpus, tmp_path / "index", embedder, **CHOICES)
        assert "\n" not in str(found.value)
        assert not (tmp_path / "index").exists()


def test_a_cluster_that_is_not_there_is_one_line(monkeypatch):
    """Without Ray's own attempts, which take minutes."""
    monkeypatch.setattr(address, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_place = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", silent_place)
        for given in (silent_place, f"ray://{silent_place}", "auto"):
            with pytest.raises(ConfigError, match=r"cannot be reached \(no answer within .*: begin one with ray start"):
                _connect(ray, given)
    monkeypatch.setattr(address, "_SECONDS", 10.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        speaking = threading.Thread(target=_speak_http, args=(other,))
        speaking.start()
        with pytest.raises(ConfigError, match="what answers there is not Ray"):
            _connect(ray, f"localhost:{other.getsockname()[1]}")
        speaking.join()
    for given, words in (
        (silent_place, "refused"),
        ("[::1]:1", ""),
        ("no\nhost:1", ""),
        ("here:99999", ""),
        ("here", ""),
    ):
        with pytest.raises(ConfigError, match="cannot be reached.*" + words) as found:
            _connect(ray, given)
        assert "\n" not in str(found.value)


def _speak_http(server):
    connection, _ = server.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_options_that_do_not_fit(tmp_path, capsys):
    (tmp_path / "x.jsonl").write_text('{"id": "1", "text": "cat"}\n')
    corpus = str(tmp_path / "x.jsonl")
    for options, words in (
        (["--workers", "2"], "--workers is for --ray"),
        (["--ray", "local", "--shard", "1/2"], "leave out --shard"),
        (["--ray", "local", "--parts", "0"], "--parts must be 1 or more"),
    ):
        assert main(["index", corpus, "--out", str(tmp_path / "o"), "-q", *options]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


def test_parts_at_a_url(corpus, embedder, whole, tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setattr(building, "Workers", Here)
    monkeypatch.chdir(tmp_path)
    fsspec.filesystem("memory").store.clear()
    url = "memory://bucket/spread"
    for out, choices in ((url, CHOICES), (url, CHOICES), (f"file://{tmp_path}/far", CHOICES)):
        spreading = Spreading(parts=2, keep_parts=True)
        built = build_on_cluster(corpus, out, embedder, "word", spreading, embeddings=whole / "embeddings", **choices)
        assert built.manifest.counts["documents"] == 530
    pull(url, tmp_path / "parts")
    with Searcher.open(tmp_path / "parts") as many, Searcher.open(whole / "index") as one:
        assert many.search("cat whale", 100) == one.search("cat whale", 100)
    with pytest.raises(EmbedderError, match="holds another index"):
        build_on_cluster(corpus, url, embedder, "word", spreading, embeddings=whole / "embeddings", k=9)
    with pytest.raises(ConfigError, match="where parts can be left"):
        build_on_cluster(corpus, url, embedder, "word", Spreading())
