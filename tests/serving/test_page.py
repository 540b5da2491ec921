"""The page as it is sent: it shows what the library says, nothing of a document is markup, and nothing else loads."""

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from servers import IDS, SENTENCES, documents, read_by_model

from sparseembed import Searcher

pytest.importorskip("jinja2")
pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]

SCRIPT = "<script>alert(1)</script> whales & <img src=x onerror=alert(2)> \"quoted\" 'single' {{ 7 * 7 }} \u202eevil"
PAGES = ["/", "/?q=green+whales", "/compare?q=green+whales", "/compare", "/seen", "/document?id=cat", "/?q=zorblax"]


class Seen(HTMLParser):
    """Gathers a page's addresses, its tags with attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.words, self.marks = [], [], [], []
        self._marking = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.links += [value for name, value in attributes if name in ("href", "src", "action")]
        if tag == "mark":
            self._marking = dict(attributes)["class"]

    def handle_data(self, data):
        self.words.append(data)
        if self._marking:
            self.marks.append((self._marking, data))

    def handle_endtag(self, tag):
        if tag == "mark":
            self._marking = None

    @property
    def text(self):
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="session")
def strange(build, tmp_path_factory):
    """An index with a document that holds markup, and one in an index of pieces."""
    from sparseembed.data.corpus import Document

    given = [*documents(), Document('evil"><script>', SCRIPT, "Whales. " + "A long text of many words. " * 30)]
    return build(tmp_path_factory.mktemp("indexes") / "strange", given, "strange")


@pytest.fixture(scope="session")
def pieces(build, tmp_path_factory):
    """An index of pieces alone."""
    return build(tmp_path_factory.mktemp("indexes") / "pieces", documents(), terms="folded")


@pytest.fixture(scope="session")
def paged(serve, strange, pieces, tiny_model):
    """A server whose page may load the embedder."""
    running = serve(
        strange, pieces, "--inspect", "--embedder", tiny_model("tied"), "--seconds", "60", "--max-query", "100"
    )
    with running.client() as client:
        read_by_model(client, text="A cat.")
    return running


@pytest.fixture
def browse(paged):
    with paged.client() as each:
        yield each


@pytest.mark.parametrize(
    "path", [*PAGES, "/document?id=nobody", "/?q=x&index=none", "/assets/page.css", "/assets/page.js"]
)
def test_nothing_but_the_page_itself_loads_or_runs(browse, path):
    answer = browse.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    if path.startswith("/assets"):
        return
    assert answer.headers["cache-control"] == "no-store"
    seen = Seen(answer.text)
    assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in seen.links)
    for tag, attributes in seen.tags:
        assert not any(name == "style" or name.startswith("on") for name in attributes), (tag, attributes)
        assert tag != "style"
        assert tag != "script" or attributes["src"].startswith("/assets/page.js")
    assert answer.text.count("<script") == 1


def test_hits_and_their_reasons_are_the_searchers(browse, strange):
    query = "green whales of the sea"
    text = browse.get("/", params={"q": query}).text
    with Searcher.open(strange) as searcher:
        hits = searcher.search(query, 10)
        told = [searcher.explain(query, hit.id) for hit in hits]
    shown = re.findall(r"<article.*?</article>", text, re.DOTALL)
    assert len(shown) == len(hits) > 2
    for article, hit, why in zip(shown, hits, told, strict=True):
        figures = re.findall(r"<tr><th.*?</tr>", article.partition("<tbody>")[2].partition("</tbody>")[0], re.DOTALL)
        rows = [[int(each.replace(",", "")) for each in re.findall(r">([\d,]+)</td>", row)] for row in figures]
        assert [row[2] for row in rows] == [term.score for term in why.terms]
        assert all(row[0] + row[1] == row[2] for row in rows)
        assert [("by meaning" in row) for row in figures] == [term.origin == "expansion" for term in why.terms]
        total = [int(each.replace(",", "")) for each in re.findall(r">([\d,]+)</td>", article.partition("<tfoot>")[2])]
        assert total == [sum(column) for column in zip(*rows, strict=True)]
        assert total[2] == hit.score


def test_words_are_marked_by_kind(browse):
    seen = Seen(browse.get("/", params={"q": "green whales"}).text)
    assert {word.lower() for kind, word in seen.marks[2:] if kind == "words"} <= {"green", "whale", "whales"}
    assert ("words", "green") in seen.marks


def test_markup_in_documents_queries_and_filters_is_text(browse):
    evil = 'evil"><script>'
    for path, params in (
        ("/", {"q": "alert quoted single"}),
        ("/document", {"id": evil, "q": SCRIPT[:90]}),
        ("/compare", {"q": "alert quoted single"}),
        ("/seen", {"id": evil}),
        ("/", {"q": "<script>alert(1)</script>", "filter": "<script>"}),
        ("/", {"q": "x", "index": "<script>"}),
        ("/document", {"id": "<script>alert(3)</script>"}),
    ):
        answer = browse.get(path, params=params)
        seen = Seen(answer.text)
        assert answer.text.count("<script") == 1, (path, params)
        assert "<img" not in answer.text
        assert {tag for tag, _ in seen.tags}.isdisjoint({"iframe", "object", "embed", "base"})
    shown = Seen(browse.get("/document", params={"id": evil}).text).text
    assert "<script>alert(1)</script> whales & <img src=x onerror=alert(2)>" in shown


@pytest.mark.parametrize("doc_id", [*IDS, 'evil"><script>'])
def test_every_document_is_reached_by_the_link_of_its_hit(browse, doc_id, strange):
    with Searcher.open(strange) as searcher:
        text = searcher.text(doc_id)
    answer = browse.get("/", params={"q": text[:90], "k": 50})
    links = [unescape(link) for link in re.findall(r'<h2 id="hit-\d+"><a href="([^"]*)"', answer.text)]
    found = [Seen(browse.get(urljoin("/", link)).text).text for link in links]
    assert any(" ".join(text.split()) in each for each in found)


def test_mistakes_are_told_on_the_page(browse):
    for params, status, message in (
        ({"q": "x" * 101}, 400, "the query has 101 characters: 100 is the most"),
        ({"q": "cat", "index": "none"}, 404, "there is no index 'none' here"),
        ({"q": "cat", "filter": "year"}, 400, "filter"),
    ):
        answer = browse.get("/", params=params)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert message in Seen(answer.text).text
    assert browse.get("/document", params={"id": "nobody"}).status_code == 404
    assert browse.get("/seen", params={"text": "cat", "side": "left"}).status_code == 400
    assert browse.get("/seen", params={"text": "x" * 2001}).status_code == 400
    for name in ("nothing.css", "..%2frouter.py", "%2e%2e/router.py", "page.css/"):
        assert browse.get(f"/assets/{name}").status_code in (307, 404)


def test_filters_and_more(browse):
    seen = Seen(browse.get("/", params={"q": "whales rivers", "filter": "year>=2020"}).text)
    years = [int(year) for year in re.findall(r"year (20\d\d)", seen.text)]
    assert years
    assert min(years) >= 2020
    more = next(
        link for link in Seen(browse.get("/", params={"q": "the cat rivers whales"}).text).links if "k=20" in link
    )
    assert browse.get(more).text.count("<article") > 10
    assert browse.get("/", params={"q": "the cat rivers whales", "k": 10**6}).text.count("<article") <= 50


def test_three_rankings_side_by_side(browse, strange):
    query = "green whales carry sand"
    answer = browse.get("/compare", params={"q": query})
    with Searcher.open(strange) as searcher:
        found = searcher.insight.compare(query, 10)
    parts = re.findall(r'<section class="column".*?</section>', answer.text, re.DOTALL)
    assert len(parts) == 3
    for part, ranking in zip(parts, (found.literal, found.both, found.aligned), strict=True):
        figures = re.findall(r"</span>([\d,]+) \+ <span class=\"hidden\">meaning</span>([\d,]+)</span>", part)
        assert [tuple(map(int, each)) for each in figures] == [(each.literal, each.aligned) for each in ranking]
    pieces = Seen(browse.get("/compare", params={"q": query, "index": "pieces"}).text).text
    assert "This index holds aligned tokens alone" in pieces
    assert "Words alone" not in pieces


def test_what_the_model_saw_is_what_inspect_shows(browse, strange, tiny_model):
    from sparseembed.api import decode, encode_query
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.index.snapshot import open_snapshot

    answer = read_by_model(browse, text=SENTENCES[2], side="query")
    assert answer.status_code == 200, Seen(answer.text).text
    embedder = TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
    vector = encode_query(SENTENCES[2], embedder)
    shown = re.findall(r'<ol class="tokens">(.*?)</ol>', answer.text, re.DOTALL)
    for part, adjustment in zip(shown, (None, open_snapshot(strange).adjustment("query")), strict=True):
        scores = [float(each) for each in re.findall(r'<span class="figure">(-?[\d.]+)</span>', part)]
        wanted = decode(vector, embedder, 20, "folded", adjustment)
        assert scores == pytest.approx([each.score for each in wanted], abs=0.0051)


def test_a_document_shows_what_the_index_holds_of_it(browse, strange):
    text = browse.get("/document", params={"id": "cat"}).text
    with Searcher.open(strange) as searcher:
        vector = searcher.document("cat").vector
    impacts = [int(each) for each in re.findall(r'<td class="figure strong">(\d+)</td>', text)]
    assert impacts == sorted(vector.values(), reverse=True)[:40]


def test_without_inspect_no_model_is_loaded(server):
    with server.client() as client:
        text = Seen(client.get("/seen", params={"text": "A cat."}).text).text
    assert "This server loads no model" in text


def test_the_script_and_style_are_whole(browse):
    page = browse.get("/").text
    for name in re.findall(r"/assets/[^\"]+", page):
        answer = browse.get(name)
        assert answer.status_code == 200
        assert answer.headers["cache-control"].startswith("public")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)
        assert urlsplit(name).query
