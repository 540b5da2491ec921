"""The page of indexes of other kinds, in this process: rescored hits, passages, words beside pieces, a busy model."""

import re
import threading

import pytest
from servers import documents
from test_page import Seen

from sparseembed import Searcher
from sparseembed.serving.indexes import ServedIndexes
from sparseembed.serving.settings import Searching, Settings

pytest.importorskip("jinja2")
pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]


@pytest.fixture(scope="module")
def split(build, tmp_path_factory):
    """An index of words beside pieces, of documents of several passages."""
    path = tmp_path_factory.mktemp("indexes") / "split"
    return build(path, documents()[:12], "split", terms="word+folded", passages="6/6")


@pytest.fixture
def browse():
    """Return a function that gives a client of an application in this process."""
    from starlette.testclient import TestClient

    from sparseembed.serving.app import create_app

    clients = []

    def opened(path, searching=None, **settings):
        app = create_app(ServedIndexes([path], searching), Settings(seconds=120, **settings))
        client = TestClient(app)
        client.__enter__()
        clients.append(client)
        return client

    yield opened
    for client in clients:
        client.__exit__(None, None, None)


def test_rescored_hits_show_the_sum_of_their_parts(browse, index):
    answer = browse(index, Searching(feedback=True)).get("/", params={"q": "green whales"})
    with Searcher.open(index, feedback=True) as searcher:
        hits = searcher.search("green whales", 10)
        told = [searcher.explain("green whales", hit.id).rescored for hit in hits]
    shown = re.findall(r'<dl class="rescored">(.*?)</dl>', answer.text, re.DOTALL)
    assert len(shown) == len(hits) > 2
    for part, hit, why in zip(shown, hits, told, strict=True):
        figures = [float(each) for each in re.findall(r"<dd>([\d.]+)", part)]
        wanted = [why.from_terms, *([why.from_neighbours] if why.neighbours else []), hit.score]
        assert figures == pytest.approx(wanted, abs=0.00051)


def test_passages_of_words_beside_pieces(browse, split):
    query = "cat rivers carry water"
    client = browse(split)
    answer = client.get("/", params={"q": query})
    with Searcher.open(split) as searcher:
        hits = searcher.search(query, 10)
        explained = [searcher.explain(query, hit.id) for hit in hits]
    passages = re.findall(r"passage (\d+) of (\d+)", answer.text)
    assert passages == [(str(each.passage.number), str(each.passage.of)) for each in explained if each.passage]
    assert passages
    assert {"cat", "carry"} <= {word.lower() for kind, word in Seen(answer.text).marks if kind == "words"}
    for path in ("/compare", "/document"):
        assert client.get(path, params={"q": query, "id": "cat"}).status_code == 200


def test_one_text_is_read_at_a_time(browse, index, monkeypatch):
    from sparseembed.serving.page import router, seen

    begun, go = threading.Event(), threading.Event()

    def slow(reader, searcher):
        begun.set()
        go.wait(60)
        raise AssertionError("nobody waits for this any more")

    monkeypatch.setattr(seen.Reader, "_embedder", slow)
    monkeypatch.setattr(seen, "_TURN", 0.01)
    monkeypatch.setattr(router, "WAIT", 0.05)
    client = browse(index, inspect=True)
    try:
        first = client.get("/seen", params={"text": "A cat."})
        assert begun.is_set()
        second = client.get("/seen", params={"text": "A dog."})
    finally:
        go.set()
    assert [first.status_code, second.status_code] == [503, 503]
    assert "try again in a few seconds" in Seen(first.text).text
    assert "reads another text" in Seen(second.text).text


def test_a_server_without_a_page(browse, index):
    client = browse(index, page=False)
    assert client.get("/").status_code == 404
    assert client.get("/health").status_code == 200
