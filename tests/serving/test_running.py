"""A server's life: it starts or says why not, indexes change under it, and it ends when the last answer is given."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest
from servers import SENTENCES, TOKEN, documents, running, until

from sparseembed.cli import main
from sparseembed.serving.problems import Problem

pytestmark = pytest.mark.jvm

ALLOWED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def copied(index, tmp_path):
    return shutil.copytree(index, tmp_path / "animals")


@pytest.fixture(scope="module")
def writable(serve, index, tiny_model, tmp_path_factory):
    """A server of two processes that may write."""
    folder = shutil.copytree(index, tmp_path_factory.mktemp("writable") / "animals")
    token = folder.parent / "token"
    token.write_text(TOKEN + "\n")
    model = ("--embedder", tiny_model("tied"))
    return serve(folder, "--writable", "--token-file", token, "--workers", "2", *model)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_requests_in_hand_are_answered_before_the_end(copied, tmp_path, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the signal is ignored here, as under nohup, and so it is by the server")
    body = json.dumps({"query": "cat"}).encode()
    head = f"POST /search HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n"
    with running(tmp_path / "log", copied) as server:
        place = urlsplit(server.url)
        with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
            connection.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + body[:5])
            with server.client() as client:  # the request has begun: it counts as one in hand
                until(lambda: "sparseembed_requests_running 2.0" in client.get("/metrics").text)
            server.process.send_signal(number)
            until(lambda: "Shutting down" in server.log.read_text())
            connection.sendall(body[5:])
            answer = b""
            while more := connection.recv(65536):
                answer += more
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["hits"]
        assert server.process.wait(60) == 0


def test_a_port_in_use_is_told_in_one_line(copied):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "sparseembed", "serve", str(copied), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert f"port {port} of 127.0.0.1 is in use" in ended.stderr


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["no-such-index"], "there is no index at no-such-index"),
        (["INDEX", "INDEX"], "have one name"),
        (["INDEX", "--writable"], "a writable server needs a token"),
        (["INDEX", "--writable", "--token-file", "no-such-file"], "cannot be read"),
        (["INDEX", "--workers", "0"], "--workers must be at least 1"),
        (["INDEX", "--max-k", "0"], "--max-k must be at least 1"),
        (["INDEX", "--seconds", "0"], "seconds must be more than 0"),
        (["INDEX", "--port", "99999"], "--port must be from 0 to 65535"),
        (["INDEX", "--host", "no host"], "cannot be listened at"),
        (["INDEX", "--host", ""], "--host is empty"),
        (["INDEX", "--encoder", "best"], "unknown query encoder"),
        (["INDEX", "--engine", "none"], "none"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(index, capfd, silence, monkeypatch, words, part):
    monkeypatch.delenv("SPARSEEMBED_TOKEN", raising=False)
    where = [] if "--port" in words else ["--port", "0"]
    assert main(["serve", *(str(index) if word == "INDEX" else word for word in words), *where, "-q"]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert part in err


def test_an_embedder_that_only_its_user_may_name(index, capfd, silence, monkeypatch):
    monkeypatch.setenv("SPARSEEMBED_TOKEN", TOKEN)
    assert main(["serve", str(index), "--writable", "--port", "0", "-q"]) == 2
    assert "the index names an embedder that is no preset" in capfd.readouterr().err


def test_a_short_token_is_refused(index, capfd, silence, monkeypatch):
    monkeypatch.setenv("SPARSEEMBED_TOKEN", "short")
    assert main(["serve", str(index), "--writable", "--port", "0", "-q"]) == 2
    assert "shorter than 16 characters" in capfd.readouterr().err


def test_a_package_that_is_not_installed(index, capfd, silence, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", str(index), "-q"]) == 2
    assert 'pip install "sparseembed[serve]"' in capfd.readouterr().err


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_nothing_is_written_without_the_token(writable, headers):
    with writable.client(headers=headers) as client:
        for method, path in (("POST", "/documents"), ("DELETE", "/documents/cat"), ("POST", "/reload")):
            answer = client.request(method, path, json={"documents": [{"id": "x"}]} if method == "POST" else None)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "Bearer TOKEN" in Problem.model_validate_json(answer.content).detail
        assert client.get("/search", params={"query": "cat"}).status_code == 200


def test_writes_are_seen_by_all_workers(writable):
    with writable.client(headers=ALLOWED) as client:

        def found(doc_id):
            """Return how several connections, which lead to either worker, are answered."""
            answers = set()
            for _ in range(8):
                with writable.client() as other:
                    answers.add(other.get(f"/documents/{doc_id}").status_code)
            return answers

        new = {"id": "new/1", "title": "Rivers", "text": "A zebra.", "metadata": {"year": 2026, "tags": ["a", "b"]}}
        answer = client.post("/documents", json={"documents": [new]})
        assert answer.json() == {"index": "animals", "generation": 2, "documents": 33}
        until(lambda: found("new/1") == {200})
        hit = client.get("/search", params={"query": "zebra", "filter": "tags=b"}).json()["hits"][0]
        assert (hit["id"], hit["text"], hit["metadata"]) == ("new/1", "Rivers A zebra.", new["metadata"])

        known = client.post("/documents", json={"documents": [new]})
        assert known.status_code == 409
        assert "replace: true" in Problem.model_validate_json(known.content).detail
        changed = {"id": "new/1", "text": "A giraffe."}
        answer = client.post("/documents", json={"documents": [changed], "replace": True})
        assert answer.json()["documents"] == 33
        until(lambda: client.get("/search", params={"query": "giraffe"}).json()["hits"][:1])

        assert client.patch("/documents").headers["allow"] == "POST, DELETE"
        assert client.patch("/documents/cat").headers["allow"] == "HEAD, GET, DELETE"
        lax = {"documents": [{"id": "lax", "text": "x"}], "replace": 1}
        assert client.post("/documents", json=lax).status_code == 422
        bad = client.post("/documents", json={"documents": [{"id": "with space", "text": "x"}]})
        assert (bad.status_code, bad.headers["content-type"]) == (422, "application/problem+json")
        assert client.post("/documents", json={"documents": []}).status_code == 422
        long = client.post("/documents", json={"documents": [{"id": "x" * 8_001, "text": "x"}]})
        assert (long.status_code, long.json()["detail"][-40:]) == (422, " has 8,001 characters: 8,000 is the most")
        many = client.post("/documents", json={"documents": [{}] * 100})
        assert (many.status_code, len(many.json()["errors"])) == (422, 20)
        more = client.post("/documents", json={"documents": [{}] * 10_001})
        assert (more.status_code, len(more.json()["errors"])) == (422, 1)
        big = "x" * (2 << 20)  # documents may be as large as --max-body says, and nothing else
        assert client.post("/documents", json={"documents": [{"id": "a b", "text": big}]}).status_code == 422
        assert client.post("/search", json={"query": big}).status_code == 413
        assert client.get("/openapi.json").json()["paths"]["/reload"]["post"]["security"]

        assert client.delete("/documents/new%2F1").json()["documents"] == 32
        until(lambda: found("new/1") == {404})
        assert client.delete("/documents", params={"id": ["d30", "unknown"]}).status_code == 404
        assert client.get("/documents/d30").status_code == 200
        assert client.delete("/documents", params={"id": ["d30", "d31"]}).json()["documents"] == 30
        until(lambda: found("d30") == {404})
        assert client.post("/reload").json()["indexes"][0]["generation"] == 5


def test_the_metrics_are_those_of_all_workers(writable):
    asked = 24
    for _ in range(asked):
        with writable.client() as client:
            assert client.get("/explain", params={"query": "cat", "id": "cat"}).status_code == 200
    with writable.client() as client:
        text = client.get("/metrics").text
    assert f'sparseembed_requests_total{{method="GET",route="/explain",status="200"}} {asked}.0' in text


def test_no_request_fails_while_indexes_are_replaced(build, index, copied, tmp_path):
    with running(tmp_path / "log", copied) as server:
        failed, counts, over = [], [], threading.Event()

        def ask():
            with server.client() as client:
                asked = 0
                while not over.is_set():
                    answer = client.get("/search", params={"query": SENTENCES[asked % 6][:80]})
                    asked += 1
                    if answer.status_code != 200 or not answer.json()["hits"]:
                        failed.append(answer.text)
                counts.append(asked)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        with server.client() as client:
            for number in range(2):
                build(copied, documents()[: 30 - number], overwrite=True, reencode=True)
                for _ in range(4):
                    assert client.post("/reload").status_code == 200
                held = client.get("/indexes").json()["indexes"][0]["documents"]
                assert held == 30 - number
        over.set()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(counts) == 4
        assert all(counts)


def test_a_damaged_replacement_leaves_the_commit_before(copied, tmp_path):
    with running(tmp_path / "log", copied) as server, server.client() as client:
        (copied / "manifest.json").write_text("{}")
        degraded = until(lambda: [each for each in [client.get("/health").json()] if each["status"] == "degraded"])
        assert "animals" in degraded[0]["indexes"][0]["problem"]
        assert client.get("/search", params={"query": "cat"}).json()["hits"]
        answer = client.post("/reload")
        assert answer.status_code == 500
        assert str(copied) not in answer.text


def test_all_workers_end(writable):
    """The last test of this file: it ends the server that writes."""
    assert writable.end() == 0
