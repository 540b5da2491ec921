"""The parts of scores, against an index of words alone and a ranking of all documents; marks, against what they say."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, DataError
from sparseembed.index.snapshot import open_snapshot
from sparseembed.retrieval import parts
from sparseembed.retrieval.association import correlations

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]

WORDS = [
    *("cat", "dog", "mat", "Rivers", "carry", "water", "mountains", "sea", "sand", "green", "plants", "make"),
    *("sugar", "light", "whale", "fish", "air", "milk", "sun"),
]
QUERIES = ["cat", "whales carry milk", "river sand light zorblax", "sun sun sea", "plants make sugar"]
SPACES = ("word", "folded", "word+folded")


def documents():
    """Make 160 documents, one blank and one with a word in other spellings."""
    chance = random.Random(11)
    made = [Document(f"d{n}", "", " ".join(chance.choices(WORDS, k=chance.randint(2, 12)))) for n in range(158)]
    return [
        *made,
        Document("blank", "", " "),
        Document("odd", "", "Whale's\nMILK, ﬁsh; e\u0301tude <script>sea</script>"),
    ]


@pytest.fixture(scope="module")
def opened(tiny_model, tmp_path_factory):
    """Return a function that gives a searcher of an index of a term space with a mix."""
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    embedder = TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
    made = {}

    def searcher(terms="word", mix=0.7):
        if (terms, mix) not in made:
            path = tmp_path_factory.mktemp("insight") / "index"
            build_index(Corpus(documents(), "tiny"), path, embedder=embedder, terms=terms, mix=mix, k=20)
            made[terms, mix] = Searcher.open(path)
        return made[terms, mix]

    yield searcher
    for each in made.values():
        each.close()


def test_literal_impacts_without_aligned_terms_are_the_impacts(opened):
    searcher = opened(mix=0)
    for doc_id in ("d0", "d17", "odd", "blank"):
        assert all(term.aligned == 0 for term in searcher.insight.held(doc_id))
        vector = searcher.document(doc_id).vector
        assert {each.term: each.literal for each in searcher.insight.held(doc_id)} == vector


@pytest.mark.parametrize("terms", SPACES)
def test_parts_of_a_document_are_what_stands_there_and_the_rest(opened, terms):
    searcher = opened(terms)
    for doc_id in ("d0", "d17", "odd"):
        held = searcher.insight.held(doc_id)
        assert [each.literal + each.aligned for each in held] == sorted(
            searcher.document(doc_id).vector.values(), reverse=True
        )
        assert all(each.aligned >= 0 <= each.literal for each in held)
        assert any(each.aligned for each in held)
        assert any(each.literal for each in held) == (terms != "folded")


@pytest.mark.parametrize("first", [4, 100])
@pytest.mark.parametrize("query", QUERIES)
def test_rankings_by_parts_are_those_of_all_documents(opened, query, first, monkeypatch):
    monkeypatch.setattr(parts, "_FIRST", first)
    searcher = opened()
    found = searcher.insight.compare(query, 5)
    assert found.exact
    weights = searcher.encode_query(query)
    scores = {}
    for document in documents():
        held = {each.term: each for each in searcher.insight.held(document.id)}
        pairs = [
            (weight * held[term].literal, weight * held[term].aligned)
            for term, weight in weights.items()
            if term in held
        ]
        scores[document.id] = tuple(map(sum, zip(*pairs, strict=True))) if pairs else (0, 0)
    for name, value in (("literal", lambda s: s[0]), ("aligned", lambda s: s[1]), ("both", sum)):
        best = sorted(
            (doc_id for doc_id in scores if value(scores[doc_id]) > 0), key=lambda d: (-value(scores[d]), d.encode())
        )
        assert [(each.id, each.literal, each.aligned) for each in getattr(found, name)] == [
            (doc_id, *scores[doc_id]) for doc_id in best[:5]
        ]


def test_rankings_that_may_miss_a_document_say_so(opened, monkeypatch):
    monkeypatch.setattr(parts, "CANDIDATES", 6)
    monkeypatch.setattr(parts, "_FIRST", 6)
    found = opened().insight.compare("whales carry milk", 5)
    assert (found.read, found.exact) == (6, False)
    assert opened().insight.compare(" ", 5) == ([], [], [], 0, True)
    with pytest.raises(ConfigError):
        opened().insight.compare("whale", 0)


@pytest.mark.parametrize("terms", SPACES)
def test_marks_are_words_of_the_passage_by_kind(opened, terms):
    searcher = opened(terms)
    for query in QUERIES:
        ids = [hit.id for hit in searcher.search(query, 10)]
        for shown in searcher.insight.show(query, ids):
            assert shown.explanation == searcher.explain(query, shown.explanation.id)
            assert shown.text == shown.passage == searcher.text(shown.explanation.id)
            assert [mark.start for mark in shown.marks] == sorted(mark.start for mark in shown.marks)
            origins = {term.term: term.origin for term in shown.explanation.terms}
            for mark in shown.marks:
                assert origins[mark.term] == {"literal": "literal", "meaning": "expansion"}[mark.kind]
                assert shown.passage[mark.start : mark.end].strip()
            assert shown.words.keys() == origins.keys()
            assert all(0 <= shown.words[term.term] <= term.score for term in shown.explanation.terms)


def test_marks_stand_where_the_words_do(opened):
    [shown] = opened().insight.show("whale milk sea", ["odd"])
    assert [shown.text[mark.start : mark.end] for mark in shown.marks if mark.kind == "literal"] == [
        "Whale's",
        "MILK",
        "sea",
    ]


def test_correlations_are_numpys(opened):
    searcher = opened()
    segment = open_snapshot(searcher.path).segments[0]
    terms, words = ["cat", "whale", "zorblax"], ["milk", "cat", "sea"]
    columns = np.array([[segment.vector(n).get(term, 0) for term in terms + words] for n in range(segment.documents)])
    found = correlations(segment, terms, words)
    assert np.allclose(found[:2], np.corrcoef(columns[:, [0, 1, 3, 4, 5]].T)[:2, 2:], atol=1e-5)
    assert not found[2].any()


def test_unknown_documents_are_told(opened):
    with pytest.raises(DataError, match="no document 'nobody'"):
        opened().insight.show("whale", ["nobody"])
    with pytest.raises(DataError, match="no document 'nobody'"):
        opened().insight.held("nobody")


ALONE = """
import json, sys
for name in "scipy torch transformers tokenizers jnius pyserini".split():
    sys.modules[name] = None
from sparseembed import Searcher
from sparseembed.index.snapshot import open_snapshot
from sparseembed.retrieval.association import correlations
with Searcher.open(sys.argv[1]) as searcher:
    insight, query = searcher.insight, sys.argv[2]
    ids = [hit.id for hit in searcher.search(query, 10)]
    shown = [insight.show(query, ids), insight.compare(query, 5), insight.held(ids[0])]
    shown.append(correlations(open_snapshot(searcher.path).segments[0], ["sea"], ["sand", "light"]).tolist())
    print(json.dumps(shown))
"""


def test_the_small_distribution_shows_the_same(opened):
    """Marks, parts and rankings without what only indexing needs: at a terminal, on the page, for agents."""
    searcher, query = opened(), "river sand light zorblax mountain"
    ids = [hit.id for hit in searcher.search(query, 10)]
    insight = searcher.insight
    shown = [insight.show(query, ids), insight.compare(query, 5), insight.held(ids[0])]
    segment = open_snapshot(searcher.path).segments[0]
    shown.append(correlations(segment, ["sea"], ["sand", "light"]).tolist())
    command = [sys.executable, "-c", ALONE, str(searcher.path), query]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(json.dumps(shown))
