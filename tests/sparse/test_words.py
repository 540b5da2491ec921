"""The collection's vocabulary of analysed words, by an analyzer of the test's own and by Lucene's."""

from collections import Counter

import numpy as np
import pytest

from sparseembed.sparse.words import collect_words

STOP = {"the", "and"}


class Analyzer:
    """Words at white space; lower case, stop words out, an ending -s off."""

    def surfaces(self, text):
        return text.split()

    def terms_of(self, surfaces):
        return [None if each.lower() in STOP else each.lower().removesuffix("s") for each in surfaces]

    def terms(self, text):
        return [term for term in self.terms_of(self.surfaces(text)) if term is not None]


def check(texts, analyzer):
    """Compare a vocabulary and its counts with what the analyzer makes of each text alone."""
    vocabulary, counts = collect_words(texts, analyzer)
    expected = [Counter(analyzer.terms(text)) for text in texts]
    assert vocabulary.terms == sorted(set().union(*expected))
    dense = counts.matrix.toarray()
    for row, counted in enumerate(expected):
        found = {vocabulary.terms[term]: int(dense[row, term]) for term in np.flatnonzero(dense[row])}
        assert found == counted, texts[row]
    for term, surface in zip(vocabulary.terms, vocabulary.surfaces, strict=True):
        assert analyzer.terms_of([surface]) == [term]
    return vocabulary, counts


def test_terms_surfaces_and_counts():
    vocabulary, counts = check(["The Cat and the cats", "cats Dog", "", "the and"], Analyzer())
    assert vocabulary.terms == ["cat", "dog"]
    assert vocabulary.surfaces == ["cats", "Dog"]
    assert counts.matrix.toarray().tolist() == [[2, 0], [1, 1], [0, 0], [0, 0]]


def test_equally_frequent_spellings_give_way_to_the_alphabet():
    assert collect_words(["cats Cat cat CAT"], Analyzer())[0].surfaces == ["CAT"]
    assert collect_words(["CAT cats Cat cat", "cats cat"], Analyzer())[0].surfaces == ["cat"]


def test_the_order_of_the_texts_does_not_matter():
    texts = ["a b c", "B b C", "c C dogs"]
    assert collect_words(texts, Analyzer())[0] == collect_words(texts[::-1], Analyzer())[0]


@pytest.mark.parametrize("texts", [[], [""], ["the", " ", "and the"]])
def test_a_collection_without_words(texts):
    vocabulary, counts = collect_words(texts, Analyzer())
    assert vocabulary == ([], [])
    assert counts.matrix.shape == (len(texts), 0)


@pytest.mark.jvm
def test_lucenes_analyzer_gives_the_terms_of_a_plain_query():
    from sparseembed.sparse.literal import WordTerms

    literal = WordTerms()
    texts = [
        "The Rivers of England's north are rivers; a river runs",
        "Photosynthesis photosynthesises PHOTOSYNTHESIS, it's running and ran",
        "",
        "the and of",
        "e-mail user@example.com 3.14 U.S.A. naïve Straße 北京 😀 x\ufffdy",
        "don\u2019t wouldn't O'Neil's dogs' 'quoted'",
        "word" * 100,
        "a\nb\tc, d, [e], f] [g",
    ]
    vocabulary, _ = check(texts, literal.analyzer)
    assert "river" in vocabulary.terms
    assert vocabulary.surfaces[vocabulary.terms.index("river")] == "Rivers"
    assert "the" not in vocabulary.terms
    assert literal.of(texts[0]) == literal.analyzer.terms(texts[0])
    assert literal.of("a\ud800") == literal.of("a\ufffd")
