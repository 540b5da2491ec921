"""The collection's vocabulary of analysed words: counted in parts, on disk and in memory, and always the same."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.analyzers.registry import DEFAULT, open_analyzer
from sparseembed.sparse import vocabulary
from sparseembed.sparse.vocabulary import WordCounter

STOP = {"the", "and"}
texts_of = st.lists(st.sampled_from(["the", "The", "and", "cat", "cats", "Cat", "CATS", "dog", "é", "És"]), max_size=7)
batches_of = st.lists(st.lists(texts_of.map(" ".join), max_size=4), max_size=5)


class Analyzer:
    """Words at white space; lower case, stop words out, an ending -s off."""

    name = "own"

    def surfaces(self, text):
        return text.split()

    def terms_of(self, surfaces):
        return [None if each.lower() in STOP else each.lower().removesuffix("s") for each in surfaces]

    def terms(self, text):
        return [term for term in self.terms_of(self.surfaces(text)) if term is not None]


def counted(batches, least=1, spellings=500_000, analyzer=None):
    with WordCounter(analyzer or Analyzer(), spellings) as counter:
        for texts in batches:
            counter.add(texts)
        return counter.finish(least)


def naive(texts, analyzer, least=1):
    """Count all texts at once with dictionaries."""
    spelled, holding, documents, length = defaultdict(Counter), Counter(), 0, 0
    for text in texts:
        terms = analyzer.terms(text)
        documents += bool(terms)
        length += len(terms)
        holding.update(set(terms))
        surfaces = analyzer.surfaces(text)
        for surface, term in zip(surfaces, analyzer.terms_of(surfaces), strict=True):
            if term is not None:
                spelled[term][surface] += 1
    terms = sorted(term for term in holding if holding[term] >= least)
    surfaces = [sorted(spelled[term], key=lambda each: (-spelled[term][each], each))[0] for term in terms]
    rare = [term for term in holding if holding[term] < least]
    return {
        "terms": terms,
        "surfaces": surfaces,
        "documents": documents,
        "length": length,
        "frequency": [holding[term] for term in terms],
        "rare": len(rare),
        "rare_length": sum(sum(spelled[term].values()) for term in rare),
    }


def as_dict(found):
    return {
        "terms": found.vocabulary.terms,
        "surfaces": found.vocabulary.surfaces,
        "documents": found.collection.documents,
        "length": found.collection.length,
        "frequency": found.collection.frequency.tolist(),
        "rare": found.rare,
        "rare_length": found.rare_length,
    }


@given(batches_of, st.integers(1, 3), st.sampled_from([0, 1, 2, 500_000]))
def test_counts_are_those_of_dictionaries_whatever_is_kept_in_memory(batches, least, spellings):
    expected = naive([text for texts in batches for text in texts], Analyzer(), least)
    assert as_dict(counted(batches, least, spellings)) == expected


@given(batches_of, batches_of, st.integers(1, 2), st.sampled_from([0, 2, 500_000]), st.sampled_from([0, 500_000]))
def test_merged_parts_are_the_whole(first, second, least, here, there):
    with WordCounter(Analyzer(), here) as counter, WordCounter(Analyzer(), there) as other:
        for texts in first:
            counter.add(texts)
        for texts in second:
            other.add(texts)
        counter.merge(other)
        found = counter.finish(least)
        assert as_dict(counter.finish(least)) == as_dict(found)
        counter.add(["the cat is new"])
        more = counter.finish(least)
    every = [text for texts in [*first, *second] for text in texts]
    assert as_dict(found) == naive(every, Analyzer(), least)
    assert as_dict(more) == naive([*every, "the cat is new"], Analyzer(), least)


def test_what_was_written_to_disk_goes_with_the_counter(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with WordCounter(Analyzer(), 1) as counter:
        counter.add(["cat dog"])
        counter.add(["whale sea"])
        assert len(list(tmp_path.rglob("*.jsonl"))) == 2
    assert list(tmp_path.iterdir()) == []


def test_terms_surfaces_and_sums():
    found = counted([["The Cat and the cats", "cats Dog"], ["", "the and"]])
    assert found.vocabulary == (["cat", "dog"], ["cats", "Dog"])
    assert (found.collection.documents, found.collection.length) == (2, 4)
    assert found.collection.frequency.tolist() == [2, 1]
    few = counted([["The Cat and the cats", "cats Dog"], ["", "the and"]], least=2)
    assert few.vocabulary == (["cat"], ["cats"])
    assert (few.collection.documents, few.collection.length, few.rare, few.rare_length) == (2, 4, 1, 1)


def test_equally_frequent_spellings_give_way_to_the_alphabet():
    assert counted([["cats Cat cat CAT"]]).vocabulary.surfaces == ["CAT"]
    assert counted([["CAT cats Cat cat", "cats cat"]]).vocabulary.surfaces == ["cat"]


def test_the_order_of_the_texts_does_not_matter():
    texts = ["a b c", "B b C", "c C dogs"]
    assert as_dict(counted([texts])) == as_dict(counted([texts[::-1]])) == as_dict(counted([[each] for each in texts]))


@pytest.mark.parametrize("texts", [[], [""], ["the", " ", "and the"]])
def test_a_collection_without_words(texts):
    found = counted([texts])
    assert found.vocabulary == ([], [])
    assert (found.collection.documents, found.collection.length) == (0, 0)
    assert found.collection.frequency.tolist() == []


ODD = [
    "The Rivers of England's north are rivers; a river runs",
    "Photosynthesis photosynthesises PHOTOSYNTHESIS, it's running and ran",
    "",
    "the and of",
    "e-mail user@example.com 3.14 U.S.A. naïve Straße 北京 😀 x\ufffdy",
    "don\u2019t wouldn't O'Neil's dogs' 'quoted'",
    "word" * 100,
    "a\nb\tc, d, [e], f] [g \u2028 \x85",
]


@pytest.mark.parametrize("spellings", [3, 500_000])
def test_the_english_vocabulary_is_that_of_its_texts(spellings):
    analyzer = open_analyzer(DEFAULT)
    found = counted([ODD[:3], ODD[3:], ODD[:1]], spellings=spellings, analyzer=analyzer)
    assert as_dict(found) == naive([*ODD, ODD[0]], analyzer)
    vocabulary = found.vocabulary
    assert vocabulary.surfaces[vocabulary.terms.index("river")] == "Rivers"
    assert "the" not in vocabulary.terms
    assert analyzer.terms_of(vocabulary.surfaces) == vocabulary.terms


@pytest.mark.jvm
def test_lucenes_analyzer_gives_the_same_vocabulary(analyzer):
    from sparseembed.sparse.literal import WordTerms

    assert as_dict(counted([ODD], analyzer=analyzer)) == as_dict(counted([ODD], analyzer=open_analyzer(DEFAULT)))
    ours, theirs = WordTerms(open_analyzer(DEFAULT)), WordTerms(analyzer)
    for text in [*ODD, "a\ud800"]:
        assert ours.of(text) == theirs.of(text)
    assert ours.of("a\ud800") == ours.of("a\ufffd")


def test_of_a_large_vocabulary_words_of_one_document_are_left_out(monkeypatch):
    for most, expected in ((3, 1), (2, 2)):
        monkeypatch.setattr(vocabulary, "LARGE", most)
        with WordCounter(open_analyzer(DEFAULT)) as counter:
            counter.add(["cat whale", "cat river"])
            found = counter.finish(None)
        assert found.least == expected
        assert found.vocabulary.terms == (["cat", "river", "whale"] if expected == 1 else ["cat"])
