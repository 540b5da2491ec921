"""The analyzer against Anserini's own, and against itself token by token."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sparseembed.java.jvm import java

pytestmark = pytest.mark.jvm

WORDS = st.sampled_from(
    ["The", "it's", "Bob's", "foxes’", "running", "relational", "a", "IS", "1,000.5", "3\u202f000", "e\u0301te\u0301",
     "👩‍👩‍👧", "😀", "漢字", "カタカナ", "ไทย", "مرحبا", "İstanbul", "ﬁt", "\x00", "\x1f", "\ud800", "\n", "x" * 300,
     "𝐚" * 200, "'s", "a_b", "U.S.A.", "can't've", "\u200d", "\ufeff", "Straße"]
)  # fmt: skip
TEXTS = st.text() | st.lists(WORDS, max_size=12).map(" ".join) | st.lists(WORDS, max_size=6).map("".join)


def anserini(text):
    """Anserini's own answer, each token fetched by itself."""
    full = java("io.anserini.analysis.DefaultEnglishAnalyzer").newDefaultInstance()
    tokens = java("io.anserini.analysis.AnalyzerUtils").analyze(full, text)
    return [tokens.get(place) for place in range(tokens.size())]


def test_by_hand(analyzer):
    assert analyzer.terms("The quick foxes of Bob's, running!") == ["quick", "fox", "bob", "run"]
    assert analyzer.surfaces("The quick foxes of Bob's!") == ["The", "quick", "foxes", "of", "Bob's"]
    assert [analyzer.term_of(s) for s in ("The", "Bob's", "the's", "Running")] == [None, "bob", None, "run"]
    assert analyzer.name == "lucene-english"


@given(TEXTS)
@hypothesis_settings(deadline=None, max_examples=300)
def test_tokens_one_by_one_give_the_terms(analyzer, text):
    surfaces = analyzer.surfaces(text)
    assert [term for term in map(analyzer.term_of, surfaces) if term is not None] == analyzer.terms(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@hypothesis_settings(deadline=None, max_examples=150)
def test_terms_are_those_of_anserini(analyzer, text):
    assert analyzer.terms(text) == anserini(text)


@given(TEXTS)
@hypothesis_settings(deadline=None, max_examples=150)
def test_surfaces_stand_in_the_text(analyzer, text):
    place = 0
    repaired = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    for surface in analyzer.surfaces(text):
        place = repaired.index(surface, place) + len(surface)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "the of and", "!?", "\0", "\ud800"])
def test_texts_without_terms(analyzer, text):
    assert analyzer.terms(text) == []


def test_a_lone_surrogate_counts_as_the_replacement_character(analyzer):
    assert analyzer.terms("fox\ud800run") == analyzer.terms("fox\ufffdrun") == ["fox", "run"]


def test_nul_and_astral_characters_cross_unharmed(analyzer):
    assert analyzer.surfaces("a\0b 𠀀😀x") == ["a", "b", "𠀀", "😀", "x"]


def test_many_texts_and_threads_give_the_same(analyzer):
    texts = [f"document {i} talks of running foxes number {i % 7} " * (i % 5) for i in range(300)]
    one_by_one = [analyzer.terms(text) for text in texts]
    assert analyzer.terms_many(texts) == one_by_one
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(analyzer.terms, texts)) == one_by_one


def test_terms_of_many_equals_one_by_one(analyzer):
    surfaces = ["Foxes", "the", "Foxes", "jumped", "", "a b", "two\nlines"]
    assert analyzer.terms_of(surfaces)[:4] == ["fox", None, "fox", "jump"]
    assert analyzer.term_of("") is None
    assert analyzer.term_of("two\nlines") is None


def test_a_full_cache_starts_anew(analyzer, monkeypatch):
    monkeypatch.setattr("sparseembed.analyzers.lucene._CACHE_LIMIT", 3)
    monkeypatch.setattr(analyzer, "_term_of", {"kept": "kept", "more": "more"})
    assert analyzer.terms_of(["kept", "cats", "dogs"]) == ["kept", "cat", "dog"]
    assert set(analyzer._term_of) == {"kept", "cats", "dogs"}
