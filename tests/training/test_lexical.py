"""BM25 without Lucene, against its formula and against Lucene."""

import doctest
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.training import lexical as module
from sparseembed.training.lexical import WordStatistics, split_words

WORDS = st.sampled_from(["cat", "Cat", "dog", "Whale", "sea", "2", "-", "été"])
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)


def words_of(text):
    return [word.lower() for word in re.findall(r"\w+", text)]


def naive_bm25(collection, query, document, k1=0.9, b=0.4):
    """ln(1 + (N - n + .5) / (n + .5)) tf / (tf + k1 (1 - b + b dl / avgdl)), summed over the query's distinct words."""
    texts = [words_of(text) for text in collection]
    average = sum(map(len, texts)) / len(texts)
    words, total = words_of(document), 0.0
    for word in set(words_of(query)):
        having = sum(word in text for text in texts)
        count = words.count(word)
        idf = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        total += idf * count / (count + k1 * (1 - b + b * len(words) / average)) if count else 0
    return total


@given(
    collection=st.lists(TEXTS, min_size=1, max_size=6).filter(lambda texts: any(words_of(text) for text in texts)),
    queries=st.lists(TEXTS, min_size=1, max_size=3),
    documents=st.lists(TEXTS, min_size=1, max_size=4),
)
def test_bm25_is_its_formula(collection, queries, documents):
    scores = WordStatistics(collection).bm25(queries, documents)
    expected = [[naive_bm25(collection, query, document) for document in documents] for query in queries]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-7)


def test_idf_by_hand():
    statistics = WordStatistics(["A cat, a dog", "cats", "the Cat"])
    assert statistics.idf("cat") == pytest.approx(math.log(1 + 1.5 / 2.5))
    assert statistics.idf("unheard") == pytest.approx(math.log(1 + 3.5 / 0.5))


def test_no_text_and_blank_ones():
    for texts in ([], ["", " - "]):
        assert WordStatistics(texts).bm25(["cat", ""], ["cat cat", ""]).shape == (2, 2)
        assert np.isfinite(WordStatistics(texts).bm25(["cat", ""], ["cat cat", ""])).all()


@pytest.mark.jvm
def test_bm25_is_lucenes(tmp_path):
    from sparseembed.engines.bm25 import Bm25Engine, Bm25Index

    texts = {
        "d1": "whale eats fish fish",
        "d2": "fish swim",
        "d3": "dog barks whale whale whale long long sea",
        "d4": "sea sand sand water",
    }
    Bm25Index.build(tmp_path / "bm25", texts.items())
    queries = ["fish", "whale sea", "sand dog fish"]
    scores = WordStatistics(texts.values()).bm25(queries, list(texts.values()))
    with Bm25Engine(tmp_path / "bm25") as engine:
        for row, query in enumerate(queries):
            found = {hit.id: hit.score for hit in engine.search(query, 10)}
            np.testing.assert_allclose(scores[row], [found.get(name, 0.0) for name in texts], rtol=1e-5)


def test_words_are_split_at_what_is_no_letter_or_digit():
    assert split_words("Beta-blockers, naïve_x (2)") == ["Beta", "blockers", "naïve_x", "2"]
    assert split_words(" -- ") == []
    assert doctest.testmod(module).failed == 0
