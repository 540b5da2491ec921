"""What a server answers: the same hits, scores and reasons as a Searcher, and a JSON problem for all that is wrong."""

import json
import socket
import threading
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

pytest.importorskip("fastapi")
from servers import IDS, SEARCHED, until

from sparseembed import Searcher
from sparseembed.serving.problems import Problem

pytestmark = pytest.mark.jvm


@pytest.mark.parametrize("options", [{}, {"feedback": True}, {"filter": ["year>=2010", "lang=de"]}, {"k": 3}])
def test_hits_are_those_of_a_searcher(client, index, options):
    with Searcher.open(index, feedback=bool(options.get("feedback"))) as searcher:
        for query in SEARCHED:
            hits = searcher.search(query, options.get("k", 10), options.get("filter"))
            wanted = [
                {
                    "rank": hit.rank,
                    "id": hit.id,
                    "score": hit.score,
                    "text": searcher.text(hit.id),
                    "metadata": dict(hit.metadata),
                }
                for hit in hits
            ]
            assert wanted
            for answer in (
                client.get("/search", params={"query": query, **options}),
                client.post("/search", json={"query": query, **options}),
            ):
                assert answer.status_code == 200
                assert answer.json()["hits"] == wanted
                assert answer.json()["index"] == "animals"


def test_without_a_model_scores_are_whole_numbers(client):
    scores = [hit["score"] for hit in client.get("/search", params={"query": "cat"}).json()["hits"]]
    assert scores
    assert all(type(score) is int for score in scores)


def test_fields_are_chosen(client):
    def keys(fields):
        hit = client.get("/search", params={"query": "cat", "fields": fields}).json()["hits"][0]
        return hit.keys() - {"rank", "id", "score"}, hit.get("metadata", {}).keys()

    assert keys("text") == ({"text"}, set())
    assert keys(["metadata.year", "passage"]) == ({"metadata"}, {"year"})
    assert keys("text,metadata") == ({"text", "metadata"}, {"year", "lang"})


def test_explanations_are_those_of_a_searcher(client, index):
    with Searcher.open(index, feedback=True) as rescored, Searcher.open(index) as plain:
        for searcher, feedback in ((rescored, True), (plain, False)):
            for doc_id in IDS:
                asked = {"query": SEARCHED[0], "id": doc_id, "feedback": feedback}
                answer = client.get("/explain", params=asked).json()
                assert answer == client.post("/explain", json=asked).json()
                told = searcher.explain(SEARCHED[0], doc_id)
                assert answer["score"] == told.score
                assert answer["terms"] == [term._asdict() for term in told.terms]
                assert sum(term["score"] for term in answer["terms"]) == told.by_terms
                assert answer["unmatched"] == told.unmatched
                assert ("rescored" in answer) == (told.rescored is not None)


@pytest.mark.parametrize("doc_id", IDS)
def test_documents_with_any_id(client, index, doc_id):
    with Searcher.open(index) as searcher:
        wanted = {"id": doc_id, "text": searcher.text(doc_id), "metadata": dict(searcher.metadata(doc_id))}
    for path in {quote(doc_id, safe=""), quote(doc_id).replace("../", "..%2F")}:
        answer = client.get(f"/documents/{path}")
        assert answer.json() == {"index": "animals", "generation": 1, **wanted}


def test_several_indexes(client, other):
    listed = client.get("/indexes").json()
    assert [(each["name"], each["default"], each["rescoring"]) for each in listed["indexes"]] == [
        ("animals", True, True),
        ("other", False, False),
    ]
    assert listed["indexes"][0]["fields"] == ["lang", "year"]
    assert (listed["max_k"], listed["max_query"], listed["encoder"]) == (20, 100, "none")
    with Searcher.open(other) as searcher:
        wanted = [tuple(hit) for hit in searcher.search("cat", 20)]
    hits = client.get("/search", params={"query": "cat", "index": "other", "k": 20}).json()["hits"]
    assert [(hit["id"], hit["score"], hit["rank"]) for hit in hits] == wanted
    assert client.get("/documents/cat", params={"index": "other"}).status_code == 404


MANY = {f"a{number}": 1 for number in range(20_000)}
WRONG = [
    ("GET", "/nothing", {}, 404, "nothing at this path"),
    ("DELETE", "/search", {}, 405, "method"),
    ("POST", "/documents", {"json": {"documents": [{"id": "x"}]}}, 404, "nothing at this path"),
    ("DELETE", "/documents/cat", {}, 405, "method"),
    ("GET", "/documents/unknown", {}, 404, "no document"),
    ("GET", "/documents/", {}, 404, "no document"),
    ("GET", "/documents/../../etc/passwd", {}, 404, "nothing"),
    ("GET", "/documents/..%2F..%2F..%2Fetc%2Fshadow", {}, 404, "no document"),
    ("GET", "/documents/%ff%00", {}, 404, "no document"),
    ("GET", "/search", {}, 422, "query.query: Field required"),
    ("GET", "/search", {"params": {"query": "x", "k": 0}}, 422, "query.k"),
    ("GET", "/search", {"params": {"query": "x", "k": 21}}, 422, "k is 21, and 20 is the most"),
    ("GET", "/search", {"params": {"query": "x", "k": "many"}}, 422, "query.k"),
    ("GET", "/search", {"params": {"query": "x" * 101}}, 422, "query has 101 characters, and 100 is the most"),
    ("GET", "/explain", {"params": {"query": "x" * 101, "id": "cat"}}, 422, "query has 101 characters"),
    ("GET", "/search", {"params": {"query": "x", "top": 3}}, 422, "top"),
    ("GET", "/search", {"params": {"query": "x", "fields": "year"}}, 422, "fields"),
    ("GET", "/search", {"params": {"query": "x", "filter": "year"}}, 422, "FIELD=VALUE"),
    ("GET", "/search", {"params": {"query": "x", "filter": "colour=red"}}, 422, "no document of animals has that"),
    ("GET", "/search", {"params": {"query": "x", "expand": 5}}, 422, "expands no queries"),
    ("GET", "/search", {"params": {"query": "x", "encoder": "full"}}, 422, "no query encoder"),
    ("GET", "/search", {"params": {"query": "x", "encoder": "best"}}, 422, "encoder"),
    ("GET", "/search", {"params": {"query": "x", "index": "other", "feedback": True}}, 422, "no embeddings"),
    ("GET", "/search", {"params": {"query": "x", "index": "../animals"}}, 404, "no index '../animals' here"),
    ("GET", "/explain", {"params": {"query": "x", "id": "unknown"}}, 404, "no document 'unknown'"),
    ("POST", "/search", {"content": b"{"}, 400, "JSON"),
    ("POST", "/search", {"content": b"[]"}, 422, "body"),
    ("POST", "/search", {}, 422, "body: Field required"),
    ("POST", "/search", {"content": b'{"query": "\xff\xfe"}'}, 400, "JSON: its byte 11 is no UTF-8"),
    ("POST", "/search", {"content": b'{"query": ' + b"[" * 100_000}, 400, "nested too deep"),
    ("POST", "/search", {"content": b'{"query": "x", "k": ' + b"9" * 5_000 + b"}"}, 400, "a number is too long"),
    ("POST", "/search", {"json": {"query": "x", "k": True}}, 422, "body.k"),
    ("POST", "/search", {"json": {"query": "x", "k": "3"}}, 422, "body.k"),
    ("POST", "/search", {"json": {"query": "x", "feedback": 0}}, 422, "body.feedback"),
    ("POST", "/search", {"json": {"query": "x", "filter": [1]}}, 422, "body.filter.0"),
    ("POST", "/search", {"data": {"query": "x"}}, 415, "Content-Type: application/json"),
    ("POST", "/reload", {"data": {"index": "animals"}}, 415, "Content-Type: application/json"),
    ("GET", "/assets/..%2f..%2frouter.py", {}, 404, "nothing at this path"),
    ("GET", "/assets/%2e%2e", {}, 404, "nothing at this path"),
    ("GET", "/assets/page.css%00", {}, 404, "nothing at this path"),
    ("POST", "/search", {"json": {"query": "x" * (10 << 20)}}, 413, "1,048,576 bytes"),
    ("POST", "/search", {"content": iter([b" " * (1 << 20)] * 10)}, 413, "1,048,576 bytes"),
    ("POST", "/search", {"json": {"query": "x", **MANY}}, 422, "body: There are 20,001 names, and 8 known"),
    ("GET", "/search", {"params": {"query": "x", **dict(list(MANY.items())[:99])}}, 422, "There are 100 names"),
    ("POST", "/reload", {"json": MANY}, 422, "body: There are 20,000 names, and 1 known"),
    ("POST", "/search", {"json": {"query": "x", "x" * 9_000: 1}}, 422, "x: Extra inputs are not permitted"),
    ("POST", "/search", {"json": {"query": "x", "k": 10**99}}, 422, "body.k"),
    ("POST", "/search", {"json": {"query": "x", "fields": ["text"] * 65}}, 422, "body.fields: List should have at"),
    ("POST", "/search", {"json": {"query": "x", "fields": "," * 500_000}}, 422, "body.fields: List should have at"),
    ("POST", "/search", {"json": {"query": "x", "fields": ["," * 60] * 64}}, 422, "body.fields: List should have at"),
    ("POST", "/search", {"json": {"query": "x", "filter": ["year=1"] * 65}}, 422, "body.filter: List should have"),
    ("POST", "/search", {"json": {"query": "x", "filter": "year=1" + "|1" * 4_000}}, 422, "at most 8000 characters"),
    ("POST", "/reload", {"json": {"index": "unknown"}}, 404, "no index"),
    ("GET", "/health", {"headers": {"host": "elsewhere.example"}}, 421, "--allow-host"),
    ("GET", "/health", {"headers": {"host": "127.0.0.1:80@elsewhere.example"}}, 421, "--allow-host"),
    ("GET", "/health", {"headers": {"host": "[::1].elsewhere.example"}}, 421, "--allow-host"),
]


@pytest.mark.parametrize(("method", "path", "options", "status", "part"), WRONG)
def test_what_is_wrong_is_told_as_a_json_problem(client, server, index, method, path, options, status, part):
    if "content" in options:
        options = {**options, "headers": {"content-type": "application/json"}}
    answer = client.request(method, path, **options)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = Problem.model_validate_json(answer.content)
    assert (told.status, told.type) == (status, "about:blank")
    assert part in told.detail
    assert "\n" not in told.detail
    assert str(index.parent) not in answer.text
    assert "Traceback" not in answer.text + server.log.read_text()


def raw(server, *parts: bytes) -> bytes:
    """Send bytes, and return all that comes until the server closes the connection."""
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        received = b""
        while True:
            more = connection.recv(65536)
            if not more:
                return received
            received += more


def test_a_body_that_does_not_arrive(server):
    head = b"POST /search HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n"
    head, _, body = raw(server, head, b'{"query":').partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"content-type: application/problem+json" in head
    assert "did not arrive within 2 seconds" in Problem.model_validate_json(body).detail


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01 tls\r\n\r\n", b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", b"x" * 200_000]
)
def test_what_is_no_http(server, nonsense):
    head, _, body = raw(server, nonsense).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 4")
    assert Problem.model_validate_json(body).detail


def test_old_clients_may_name_no_host(server):
    assert raw(server, b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("length", [b"content-length: 50", b"transfer-encoding: chunked"])
def test_a_client_that_goes_within_its_body_is_no_failure(server, length):
    def gone():
        return [line for line in lines_of(server) if line.get("method") == "POST" and line.get("status") == 499]

    before, place = len(gone()), urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(b"POST /search HTTP/1.1\r\nhost: 127.0.0.1\r\n" + length + b"\r\n\r\n5\r\n{")
    until(lambda: len(gone()) > before)
    assert not [line for line in lines_of(server) if line["level"] == "error"]


def test_a_long_query_fits_into_a_url(client):
    assert client.get("/search", params={"query": "\U0001f600" * 100}).json()["hits"] == []


def test_clients_that_go_at_once(server, client):
    place = urlsplit(server.url)
    for _ in range(64):
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(b"GET /search?query=cat HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    assert client.get("/health").json()["status"] == "ok"


def test_many_at_the_same_time(server):
    wanted, found, failed = {}, [], []
    with server.client() as client:
        for query in SEARCHED:
            wanted[query] = client.get("/search", params={"query": query}).json()

    def ask(number):
        try:
            with server.client() as client:
                for place in range(20):
                    query = SEARCHED[(number + place) % len(SEARCHED)]
                    found.append(client.get("/search", params={"query": query}).json() == wanted[query])
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert found == [True] * 160


def test_the_schema_is_valid_and_answers_fit_it(client):
    import jsonschema
    from fastapi.openapi.models import OpenAPI

    schema = client.get("/openapi.json").json()
    OpenAPI.model_validate(schema)
    assert set(schema["paths"]) == {
        *("/search", "/explain", "/documents/{id}", "/indexes", "/health", "/metrics", "/reload"),
    }

    def form(path, status="200", method="get"):
        (content,) = schema["paths"][path][method]["responses"][status]["content"].values()
        return {**content["schema"], "components": schema["components"]}

    for path, params in (
        ("/search", {"query": "cat", "feedback": True}),
        ("/explain", {"query": "cat", "id": "cat", "feedback": True}),
        ("/indexes", {}),
        ("/health", {}),
    ):
        answer = client.get(path, params=params).json()
        jsonschema.validate(answer, form(path), jsonschema.Draft202012Validator)
    jsonschema.validate(client.get("/documents/cat").json(), form("/documents/{id}"), jsonschema.Draft202012Validator)
    refused = client.get("/search", params={"k": 3}).json()
    jsonschema.validate(refused, form("/search", "422"), jsonschema.Draft202012Validator)


def test_the_schema_tells_this_servers_limits(client):
    schema = client.get("/openapi.json").json()
    form = schema["components"]["schemas"]["SearchRequest"]["properties"]
    given = {each["name"]: each["schema"] for each in schema["paths"]["/search"]["get"]["parameters"]}
    for told in (form, given):
        assert told["query"]["maxLength"] == 100
        assert (told["k"]["minimum"], told["k"]["maximum"]) == (1, 20)
        assert [each.get("enum") for each in told["expand"]["anyOf"]] == [[0], None]
        assert [each.get("enum") for each in told["encoder"]["anyOf"]] == [["none"], None]
    assert "security" not in schema["paths"]["/reload"]["post"]
    assert "401" not in schema["paths"]["/reload"]["post"]["responses"]


@pytest.mark.parametrize(
    "path", ["/", "/health", "/search?query=cat", "/documents/cat", "/nothing", "/assets/page.css"]
)
def test_head_is_get_without_a_body(client, path):
    asked, whole = client.head(path), client.get(path)
    assert (asked.status_code, asked.content) == (whole.status_code, b"")
    named = ("content-type", "content-length", "content-security-policy")
    assert [asked.headers.get(name) for name in named] == [whole.headers.get(name) for name in named]


@pytest.mark.parametrize(
    ("path", "allowed"), [("/search", "HEAD, GET, POST"), ("/documents/a/b", "HEAD, GET"), ("/reload", "POST")]
)
def test_the_methods_of_a_path_are_told(client, path, allowed):
    for method in ("OPTIONS", "PATCH", "ZORBLAX"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        assert allowed in Problem.model_validate_json(answer.content).detail


def test_metrics(client):
    from prometheus_client.parser import text_string_to_metric_families

    def counted():
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = list(text_string_to_metric_families(answer.text))
        return {(each.name, *sorted(each.labels.items())): each.value for one in families for each in one.samples}

    key = ("sparseembed_requests_total", ("method", "GET"), ("route", "/search"), ("status", "200"))
    before = counted()
    for _ in range(3):
        client.get("/search", params={"query": "cat"})
    after = counted()
    assert after[key] == before.get(key, 0) + 3
    assert after["sparseembed_request_seconds_count", ("route", "/search")] >= 3
    assert after["sparseembed_index_documents", ("index", "animals")] == 32
    assert after["sparseembed_index_documents", ("index", "other")] == 12
    assert after[("sparseembed_requests_running",)] == 1


def lines_of(server):
    return [json.loads(line) for line in server.log.read_text().splitlines() if not line.startswith("serving ")]


def test_the_log_is_json_without_queries(serve, server, client, index):
    client.get("/search", params={"query": "unmistakable"})
    client.get("/search", params={"query": "unmistakable", "filter": "unmistakable"})
    client.post("/search", json={"query": "unmistakable", "k": 0})
    client.get("/search/unmistakable")
    lines = lines_of(server)
    last = next(line for line in reversed(lines) if line["event"] == "request" and line["route"] == "/search")
    assert last.keys() >= {"time", "level", "method", "status", "ms", "bytes", "client"}
    assert "unmistakable" not in server.log.read_text()
    telling = serve(index, "--log-queries")
    with telling.client() as each:
        each.get("/search", params={"query": "unmistakable"})
        each.post("/search", content=b'{"query": "\\ud800"}', headers={"content-type": "application/json"})
    until(lambda: sum("query" in line for line in lines_of(telling)) == 2)
    assert [line["query"] for line in lines_of(telling) if "query" in line] == ["unmistakable", "\ud800"]


def test_no_page_reaches_another_folder(client):
    for path in ("/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/documents/%2e%2e/%2e%2e/etc/hostname"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert Path("/etc/passwd").read_text()[:20] not in answer.text
