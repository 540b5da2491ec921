"""What OpenSearch and Elasticsearch make of an export, run in plain Lucene: our hits, and our integer scores.

`lucene_lab` reads the very settings, documents and queries that an export writes.
"""

import random
from unicodedata import normalize

import pytest
from lucene_lab import Lab
from small_index import small_index
from test_english_oracle import random_text
from test_languages_oracle import CJK_PIECES, ENDINGS, random_word

from sparseembed import Searcher
from sparseembed.analyzers.languages import NAMES
from sparseembed.analyzers.plain import plain
from sparseembed.analyzers.registry import open_analyzer
from sparseembed.data.pydocs import collect_documents
from sparseembed.exports.opensearch.analysis import CHAINS
from sparseembed.exports.opensearch.documents import lines_of
from sparseembed.exports.opensearch.forms import FORMS, Space, index_body
from sparseembed.exports.opensearch.queries import match_body, terms_body
from sparseembed.exports.sink import documents_of
from sparseembed.index.snapshot import open_snapshot

pytestmark = pytest.mark.jvm
K = 20
TEXT_FORMS = ("opensearch", "elasticsearch")


@pytest.fixture(scope="module")
def documents():
    return collect_documents()[:150]


@pytest.fixture(scope="module")
def queries(documents):
    """Pieces of the documents, some with repeated words; ten that match nothing or little."""
    source = random.Random(1)
    found = []
    for number in range(310):
        words = source.choice(documents).text.split()
        start = source.randrange(max(1, len(words) - 8))
        found.append(" ".join(words[start : start + 1 + number % 9]))
    found += [" ".join([text] * 3) + " \ufb01le \uff21\uff32" for text in found[:5]]
    return [*found, "", "the of", "zzzz qqqq", "...", "co\u00adpy"]


@pytest.fixture(scope="module")
def index(tiny_model, tmp_path_factory, documents):
    return small_index(tiny_model, tmp_path_factory, documents, k=48)


def filled(lab, folder, to, space):
    snapshot = open_snapshot(folder)
    for document in documents_of(snapshot):
        lab.bulk(lines_of(FORMS[to], space, document).decode().rstrip("\n").split("\n"))
    snapshot.close()
    return lab


def space_of(folder):
    snapshot = open_snapshot(folder)
    manifest = snapshot.manifest
    snapshot.close()
    return Space(manifest.sparse["terms"], manifest.analyzer)


def opened(folder, to):
    space = space_of(folder)
    return filled(Lab(index_body(FORMS[to], space, {}, {})), folder, to, space)


def pairs(found):
    return [[(hit.id, hit.score) for hit in hits] for hits in found]


@pytest.mark.parametrize("to", FORMS)
def test_hits_and_scores_are_ours(index, queries, to):
    assert len(queries) > 300
    with Searcher.open(index) as searcher, opened(index, to) as lab:
        wanted = pairs(searcher.search_batch(queries, K))
        assert sum(map(len, wanted)) > 3_000
        if to in TEXT_FORMS:
            assert lab.search([match_body(query, K) for query in queries]) == wanted
        encoded = [searcher.encode_query(query) for query in queries]
        assert lab.search([terms_body(to, query, K) for query in encoded]) == wanted
        # Weights as expanded queries have them.
        source = random.Random(2)
        weighted = [{term: source.randint(1, 40) for term in query} for query in encoded]
        found = [searcher.engine.search(query, K) for query in weighted]
        assert lab.search([terms_body(to, query, K) for query in weighted]) == pairs(found)


@pytest.mark.parametrize("terms", ["word+folded", "folded"])
def test_pieces_are_asked_for_by_weighted_terms(tiny_model, tmp_path_factory, documents, queries, terms):
    folder = small_index(tiny_model, tmp_path_factory, documents[:60], terms=terms, k=24)
    with Searcher.open(folder) as searcher, opened(folder, "opensearch") as lab:
        encoded = [searcher.encode_query(query) for query in queries]
        found = [searcher.engine.search(query, K) for query in encoded]
        assert lab.search([terms_body("opensearch", query, K) for query in encoded]) == pairs(found)
        if terms == "word+folded":  # a plain text finds by the words alone
            words = [{term: n for term, n in query.items() if not term.startswith("#")} for query in encoded]
            found = [searcher.engine.search(query, K) for query in words]
            assert lab.search([match_body(query, K) for query in queries]) == pairs(found)


def test_impacts_of_16_bits(tiny_model, tmp_path_factory, documents, queries):
    """A text field keeps them; a sparse_vector keeps nine significant bits, so that scores are up to 1/256 lower."""
    folder = small_index(tiny_model, tmp_path_factory, documents[:60], bits=16, k=24)
    with Searcher.open(folder) as searcher:
        wanted = pairs(searcher.search_batch(queries, K))
        encoded = [searcher.encode_query(query) for query in queries]
    with opened(folder, "opensearch") as lab:
        assert lab.search([match_body(query, K) for query in queries]) == wanted
    with opened(folder, "elasticsearch-vector") as lab:
        found = lab.search([terms_body("elasticsearch-vector", query, K) for query in encoded])
    assert found != wanted
    common = 0
    for ours, theirs in zip(wanted, found, strict=True):
        scores = dict(ours)
        shared = [(scores[doc_id], score) for doc_id, score in theirs if doc_id in scores]
        assert all(exact * (1 - 1 / 256) <= rounded <= exact for exact, rounded in shared)
        common += len(shared)
    assert common >= 0.98 * sum(map(len, wanted))


def texts_for(name):
    source = random.Random(name)
    code = {f"lucene-{language}": code for code, language in NAMES.items()}.get(name)
    for _ in range(25):
        text = random_text(source)
        yield text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if code in ENDINGS:
            yield " ".join(random_word(source, code) for _ in range(40))
        if name == "cjk":
            yield "".join(source.choice(CJK_PIECES) for _ in range(40))
    yield "The ﬁle's ﬂows — L’HOMME’s Ａｂｃ１２ 3.5 e\u00adx\u2060y\ufeffz Straße ＂\uff3c＝＞"


@pytest.mark.parametrize("name", CHAINS)
def test_a_query_text_is_analysed_as_here(name):
    ours, compared = open_analyzer(name), 0
    with Lab(index_body(FORMS["opensearch"], Space("word", name), {}, {})) as lab:
        for text in texts_for(name):
            text = normalize("NFC", text)
            if len(plain(text)) > len(text) + 20:  # marks without end are taken apart here
                continue
            assert lab.terms(text) == ours.terms(text), text
            compared += 1
    assert compared > 20
