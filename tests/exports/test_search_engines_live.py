"""Exports to a running OpenSearch or Elasticsearch, against a server that injects what goes wrong there."""

import runpy
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from bulk_stub import Stub
from small_index import small_index

from sparseembed import Searcher
from sparseembed.analyzers.registry import open_analyzer
from sparseembed.cli import main
from sparseembed.data.corpus import Document
from sparseembed.errors import ConfigError, EngineError
from sparseembed.exports import live as live_sinks
from sparseembed.exports.opensearch import clients, live
from sparseembed.exports.registry import export_index
from sparseembed.indexing.update import Index

pytest.importorskip("opensearchpy")
pytest.importorskip("elasticsearch")
pytestmark = pytest.mark.jvm

LONG = "ß" * 300  # 600 bytes
FORMS = ("opensearch", "elasticsearch")


@pytest.fixture(scope="module")
def index(tiny_model, tmp_path_factory):
    texts = [f"The cat number {number} sat on mat {number % 7}; whales 3.5 breathe." for number in range(60)]
    ids = [f"d{number}" for number in range(59)] + [LONG]
    documents = [
        Document(doc_id, "", text, {"year": 1990 + len(text), "ok": True, "by.name": "A"})
        for doc_id, text in zip(ids, texts, strict=True)
    ]
    return small_index(tiny_model, tmp_path_factory, documents, k=8)


@pytest.fixture(params=FORMS)
def to(request):
    return request.param


@pytest.fixture
def server(to):
    with Stub(to.partition("-")[0]) as stub:
        yield stub


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for module in (live, live_sinks):
        monkeypatch.setattr(module, "WAIT", 0.001)
    monkeypatch.setattr(clients, "TIMEOUT", 10)
    for name in ("USER", "PASSWORD", "API_KEY", "CA_CERTS"):
        for engine in ("OPENSEARCH", "ELASTICSEARCH"):
            monkeypatch.delenv(f"{engine}_{name}", raising=False)


def sent(server):
    (found,) = server.indices.values()
    return found["documents"]


def check(server, index):
    """All documents are there, each created once, and say what the index says."""
    documents = sent(server)
    assert len(documents) == 60
    assert set(server.created.values()) == {1}
    assert {each["id"] for each in documents.values()} == {*(f"d{number}" for number in range(59)), LONG}
    with Searcher.open(index) as searcher:
        for doc_id in ("d0", "d41", LONG):
            written = next(each for each in documents.values() if each["id"] == doc_id)
            assert impacts_of(written["impacts"]) == searcher.document(doc_id).vector
            assert written["text"] == searcher.text(doc_id)
            assert written["metadata"] == dict(searcher.metadata(doc_id))


def impacts_of(value):
    if isinstance(value, dict):
        return {term.replace("~d", ".").replace("~t", "~"): impact for term, impact in value.items()}
    if "|" in value:
        return {term: int(impact) for term, impact in (each.split("|") for each in value.split())}
    terms = value.split(" ")
    return {term: terms.count(term) for term in terms}


@pytest.mark.parametrize("to", [*FORMS, "elasticsearch-vector"])
def test_all_documents_are_created_once(index, server, to):
    assert export_index(index, to, url=server.url, name="mine", batch=25) == 60
    check(server, index)
    mapping = server.indices["mine"]["body"]["mappings"]["properties"]["metadata"]["properties"]
    assert mapping["year"] == {"type": "double"}
    assert mapping["ok"] == {"type": "boolean"}
    assert mapping["by"]["properties"]["name"]["type"] == "keyword"
    requests = dict(server.requests)
    assert export_index(index, to, url=server.url, name="mine") == 0
    assert server.requests["PUT", "_bulk"] + server.requests["POST", "_bulk"] == 3
    assert requests[next(key for key in requests if key[1] == "_bulk")] == 3


def test_what_has_no_room_is_sent_again(index, server, to):
    server.fail("_bulk", "429", "half", "half", "503", "429", "half")
    server.fail("_count", "503")
    export_index(index, to, url=server.url, name="mine", batch=25)
    check(server, index)


def test_a_lost_answer_is_no_loss(index, server, to):
    server.fail("_bulk", "cut", None, "cut", "cut")
    export_index(index, to, url=server.url, name="mine", batch=25)
    check(server, index)


def test_a_slow_answer_is_asked_for_again(index, server, to, monkeypatch):
    monkeypatch.setattr(clients, "TIMEOUT", 0.5)
    server.slowness = 1.0
    server.fail("_bulk", "slow")
    export_index(index, to, url=server.url, name="mine", batch=40)
    check(server, index)


def test_a_second_run_goes_on(index, server, to):
    server.fail("_bulk", None, "half", *["429"] * 100)
    with pytest.raises(EngineError, match="run the same command again"):
        export_index(index, to, url=server.url, name="mine", batch=20)
    done = len(sent(server))
    assert 20 < done < 60
    server.faults.clear()
    export_index(index, to, url=server.url, name="mine", batch=20)
    check(server, index)


def test_what_an_engine_refuses_is_told(index, server, to):
    server.fail("index", None, "refused")
    with pytest.raises(EngineError, match=r"refuses the index 'mine' .*Unknown filter type"):
        export_index(index, to, url=server.url, name="mine")
    assert not server.indices
    server.fail("_bulk", "bad")
    with pytest.raises(EngineError, match="refuses the document 'd1': failed to parse: field name cannot be blank"):
        export_index(index, to, url=server.url, name="mine")


def test_an_index_that_is_another_is_left_alone(index, server, to):
    server.indices["mine"] = {"body": {}, "documents": {}}
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="--name"):
            export_index(index, to, url=server.url, name="mine", overwrite=overwrite)
    assert server.indices["mine"] == {"body": {}, "documents": {}}
    server.indices["real"] = server.indices.pop("mine")
    server.aliases["mine"] = "real"
    server.indices["mine"] = server.indices["real"]
    with pytest.raises(ConfigError, match="alias"):
        export_index(index, to, url=server.url, name="mine")


def test_another_commit_takes_the_place_if_asked(index, server, to, tmp_path):
    import shutil

    export_index(index, to, url=server.url, name="mine")
    other = shutil.copytree(index, tmp_path / "other")
    Index(other).delete(["d3"])
    with pytest.raises(ConfigError, match="--overwrite"):
        export_index(other, to, url=server.url, name="mine")
    export_index(other, to, url=server.url, name="mine", overwrite=True)
    assert len(sent(server)) == 59


def test_an_engine_that_is_not_there(index, to):
    with Stub("opensearch") as stub:
        url = stub.url
    with pytest.raises(EngineError, match=r"127\.0\.0\.1"):
        export_index(index, to, url=url, name="mine")


def test_a_certificate_of_ones_own_is_told_how_to_trust(index, to, tmp_path, monkeypatch):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    made = ["openssl", *words.split(), "-keyout", "key.pem", "-out", "own.pem"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem", tmp_path / "key.pem")
    with Stub(to) as stub:
        stub.socket = context.wrap_socket(stub.socket, server_side=True)
        url = stub.url.replace("http:", "https:")
        with pytest.raises(EngineError, match=rf"name the file of its .* {to.upper()}_CA_CERTS, then run the same"):
            export_index(index, to, url=url, name="mine")
        monkeypatch.setenv(f"{to.upper()}_CA_CERTS", str(tmp_path / "own.pem"))
        assert export_index(index, to, url=url, name="mine") == 60


def test_another_engine_is_told(index, to):
    with Stub("elasticsearch" if to == "opensearch" else "opensearch") as stub:
        with pytest.raises(EngineError, match="--to"):
            export_index(index, to, url=stub.url, name="mine")
        assert not stub.indices


def test_an_opensearch_without_the_filter_is_refused(index):
    with Stub("opensearch-old") as stub, pytest.raises(EngineError, match=r"2\.10"):
        export_index(index, "opensearch", url=stub.url, name="mine")


def test_credentials_come_from_the_environment(index, server, to, monkeypatch):
    if to == "opensearch":
        monkeypatch.setenv("OPENSEARCH_USER", "ann")
        monkeypatch.setenv("OPENSEARCH_PASSWORD", "secret")
        wanted = "Basic YW5uOnNlY3JldA=="
    else:
        monkeypatch.setenv("ELASTICSEARCH_API_KEY", "a2V5")
        wanted = "ApiKey a2V5"
    export_index(index, to, url=server.url, name="mine")
    assert server.authorizations == {wanted}
    server.fail("info", "401")
    with pytest.raises(EngineError) as raised:
        export_index(index, to, url=server.url, name="mine")
    assert "secret" not in str(raised.value)
    assert "a2V5" not in str(raised.value)


@pytest.mark.parametrize("name", ["Mine", "a b", "-a", "..", "a/b", "x" * 256, "a*", ""])
def test_names_that_engines_do_not_allow(index, to, name):
    with pytest.raises(ConfigError, match="--name"):
        export_index(index, to, url="http://127.0.0.1:1", name=name or "_")


@pytest.mark.parametrize("url", ["localhost:9200", "ftp://host", "http://", "http://u:p@127.0.0.1:9"])
def test_addresses_that_are_none(index, to, url):
    with pytest.raises(ConfigError) as raised:
        export_index(index, to, url=url, name="mine")
    assert "u:p" not in str(raised.value)


def test_errors_are_one_line(index, to, capsys, silence):
    with Stub("opensearch") as stub:
        url = stub.url
    assert main(["export", str(index), "--to", to, "--url", url, "--name", "mine"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def scored(index, body):
    """Score what the server holds, as the engine would: frequencies of the analysed query's terms, times boosts."""
    query = body["query"]
    if "match" in query:
        terms = [(term, 1) for term in open_analyzer("lucene-english").terms(query["match"]["impacts"])]
    else:
        wanted = [each["term"]["impacts"] for each in query["bool"]["should"]]
        terms = [(each["value"], each["boost"]) for each in wanted]
    found = []
    for doc_id, source in index["documents"].items():
        impacts = impacts_of(source["impacts"])
        score = sum(impacts.get(term, 0) * boost for term, boost in terms)
        if score:
            found.append((doc_id, score, {key: value for key, value in source.items() if key != "impacts"}))
    return sorted(found, key=lambda hit: (-hit[1], hit[2]["id"].encode()))[: body["size"]]


@pytest.mark.parametrize("more", [False, True])
def test_the_example_prints_our_hits(index, more, monkeypatch, capsys):
    example = Path(__file__).parents[2] / "examples" / "search_opensearch.py"
    with Stub("opensearch") as stub:
        stub.search = scored
        export_index(index, "opensearch", url=stub.url, name="mine")
        options = ["breathing whales 3.5", "--url", stub.url, "--index", "mine", "-k", "7"]
        options += ["--folder", str(index)] if more else []
        monkeypatch.setattr(sys, "argv", [str(example), *options])
        capsys.readouterr()
        runpy.run_path(str(example), run_name="__main__")
        printed = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
        assert list(stub.searches[0]["query"]) == (["bool"] if more else ["match"])
    with Searcher.open(index) as searcher:
        wanted = [[str(hit.rank), f"{hit.score:.0f}", hit.id] for hit in searcher.search("breathing whales 3.5", 7)]
    assert printed == wanted
    assert len(wanted) == 7
