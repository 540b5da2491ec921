"""Parts of a server by themselves: pinned commits, limits of time and number, and impatient connections."""

import asyncio
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sparseembed import Searcher
from sparseembed.errors import ConfigError
from sparseembed.index.manifest import read_manifest
from sparseembed.indexing.update import Index
from sparseembed.retrieval.embedder import Named
from sparseembed.serving.indexes import ServedIndexes, UnknownIndexError
from sparseembed.serving.settings import Searching, Settings

pytestmark = pytest.mark.jvm


def test_a_request_stays_on_its_commit(index, tmp_path):
    copied = shutil.copytree(index, tmp_path / "animals")
    with ServedIndexes([copied]) as indexes, indexes.searcher() as searcher:
        assert indexes.reload() == []
        assert indexes.follow() == []
        Index(copied).delete(["cat"])
        assert indexes.follow() == ["animals"]
        assert indexes.follow() == []
        assert searcher.text("cat")
        assert searcher.manifest.generation == 1
        with indexes.searcher("animals") as later:
            assert later.manifest.generation == read_manifest(copied).generation == 2
            assert later.manifest.counts["documents"] == 31


def test_names(index, other, tmp_path):
    with ServedIndexes([index, other]) as indexes:
        assert (indexes.names(), indexes.default) == (["animals", "other"], "animals")
        with pytest.raises(UnknownIndexError, match="there are animals, other"), indexes.searcher("third"):
            pass
    with pytest.raises(ConfigError, match="have one name"):
        ServedIndexes([index, shutil.copytree(other, tmp_path / "animals")])
    with pytest.raises(ConfigError, match="no index to serve"):
        ServedIndexes([])


def test_a_request_may_do_without_what_the_server_was_started_with():
    started = Searching(expand=5, rescore=50, encoder="small", feedback=True)
    assert started.but() == started
    assert started.but(0, "none", False) == Searching(encoder="none")
    assert started.but(encoder="none") == Searching(expand=5, rescore=50, encoder="none", feedback=True)
    assert Searching(rescore=20).but().encoder == "full"
    for wrong in ({"expand": 4}, {"encoder": "full"}):
        with pytest.raises(ConfigError, match="chosen at its start"):
            started.but(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"max_k": 0}, {"seconds": 0}, {"follow": -1}, {"writable": True}, {"writable": True, "token": "short"}]
)
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(ConfigError):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("choices", "searches"), [({}, 0), ({"feedback": True}, 0), ({"encoder": "full"}, 1), ({"expand": 5}, 1)]
)
def test_models_are_loaded_before_the_first_request(index, tiny_model, monkeypatch, choices, searches):
    search, asked = Searcher.search, []

    def counted(self, *given):
        asked.append(given)
        return search(self, *given)

    monkeypatch.setattr(Searcher, "search", counted)
    with ServedIndexes([index], Searching(**choices, embedder=Named(str(tiny_model("tied"))))) as indexes:
        indexes.warm_up()
    assert len(asked) == searches


def test_a_token_is_not_shown():
    assert "a-secret-token" not in repr(Settings(token="a-secret-token-of-mine"))


def answers(index, settings, count, monkeypatch):
    """Ask slow searches at the same time; return the responses."""
    import httpx

    from sparseembed.serving.app import create_app

    search = Searcher.search

    def slow(self, *given):
        time.sleep(0.3)
        return search(self, *given)

    monkeypatch.setattr(Searcher, "search", slow)

    async def ask():
        app = create_app(ServedIndexes([index]), settings)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://there") as client:
            return await asyncio.gather(*(client.get("/search", params={"query": "cat"}) for _ in range(count)))

    return asyncio.run(ask())


def test_an_answer_that_takes_too_long(index, monkeypatch):
    (late,) = answers(index, Settings(seconds=0.1), 1, monkeypatch)
    assert (late.status_code, late.headers["content-type"]) == (408, "application/problem+json")
    assert "could not be answered within 0.1 seconds" in late.json()["detail"]


def test_an_answer_that_takes_too_long_once_it_has_begun():
    from sparseembed.serving.guard import Guard
    from sparseembed.serving.metrics import Metrics

    said = []

    async def halting(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(600)

    async def send(message):
        said.append(message["type"])

    scope = {"type": "http", "method": "GET", "path": "/mcp", "headers": [], "state": {}, "client": None}
    asyncio.run(Guard(halting, Settings(seconds=0.1), Metrics())(scope, None, send))
    assert said == ["http.response.start"]  # so the server closes the connection: no second answer, and no failure


def test_more_requests_than_a_server_may_have_in_hand(index, monkeypatch):
    found = answers(index, Settings(max_waiting=2), 5, monkeypatch)
    assert sorted(each.status_code for each in found) == [200, 200, 503, 503, 503]
    refused = next(each for each in found if each.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_failure_shows_nothing_of_itself(index, monkeypatch):
    def broken(*_):
        raise RuntimeError("a secret")

    monkeypatch.setattr(Searcher, "search", broken)
    import httpx

    from sparseembed.serving.app import create_app

    async def ask():
        app = create_app(ServedIndexes([index]), Settings())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://there") as client:
            return await client.get("/search", params={"query": "cat"})

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n"])
def test_a_head_that_does_not_arrive(monkeypatch, sent):
    import uvicorn

    from sparseembed.serving import protocol

    monkeypatch.setattr(protocol, "PATIENCE", 0.2)

    async def nothing(scope, receive, send):
        raise AssertionError("there was no request")

    config = uvicorn.Config(nothing, http=protocol.PatientProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with socket.create_connection(listener.getsockname(), timeout=60) as connection:
                connection.sendall(sent)
                assert connection.recv(1) == b""  # closed, where another server would wait on
        finally:
            server.should_exit = True
            thread.join()


def test_the_example(index):
    example = Path(__file__).parents[2] / "examples" / "serving.py"
    command = [sys.executable, str(example), str(index), "cats on a mat"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    with Searcher.open(index) as searcher:
        wanted = [(str(hit.rank), str(int(hit.score)), hit.id) for hit in searcher.search("cats on a mat", 3)]
    assert [tuple(line.split("  ")[:3]) for line in ended.stdout.splitlines()] == wanted
    assert wanted


def test_nothing_is_searched_for_a_client_that_has_gone():
    from types import SimpleNamespace

    from starlette.requests import ClientDisconnect, Request

    from sparseembed.serving.pool import GONE, Pool, in_pool

    pool, free, done = Pool(1), threading.Event(), []
    app = SimpleNamespace(state=SimpleNamespace(pool=pool))
    here, gone = ({"type": "http", "app": app, "state": {}} for _ in range(2))

    async def ask():
        first = asyncio.ensure_future(pool.run(free.wait))
        waiting = [
            asyncio.ensure_future(in_pool(Request(scope), lambda number=number: done.append(number)))
            for number, scope in enumerate((here, gone))
        ]
        await asyncio.sleep(0)
        gone["state"][GONE] = True
        free.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    answered, refused = asyncio.run(ask())
    pool.close()
    assert answered is None
    assert isinstance(refused, ClientDisconnect)
    assert done == [0]
