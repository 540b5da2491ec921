"""Statistics are those of the collection whatever the batches; a document's impacts are its own in any company."""

import random

import numpy as np
import pytest

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.head import decoding_head
from sparseembed.data.corpus import Corpus, Document
from sparseembed.index.statistics import SIDES
from sparseembed.indexing import fit as fitting
from sparseembed.indexing import sample
from sparseembed.indexing.encoding import encode_corpus
from sparseembed.indexing.fit import fit, mean_direction, sparsifier_of
from sparseembed.indexing.sample import Sample
from sparseembed.indexing.write import DocumentWriter, quantised
from sparseembed.sparse.config import default_config
from sparseembed.sparse.sparsify import Weighted

pytestmark = pytest.mark.usefixtures("silence")
KINDS = ("word", "folded", "token", "word+folded")
WORDS = [
    "cat",
    "dog",
    "mat",
    "whale",
    "fish",
    "air",
    "milk",
    "river",
    "water",
    "sea",
    "sand",
    "light",
    "sun",
    "earth",
    "book",
    "green",
    "plant",
    "sugar",
    "mountain",
]


def corpus_of(count=40):
    """Make documents of random words, each with a word of its own, every ninth blank."""
    chance = random.Random(2)
    made = [
        Document(
            f"d{n}", "", "" if n % 9 == 4 else " ".join([*chance.choices(WORDS, k=chance.randint(2, 12)), f"w{n}x"])
        )
        for n in range(count)
    ]
    return Corpus(made, "made")


@pytest.fixture
def parts(tiny_embedder):
    """Return a corpus, its embeddings and what made them."""
    embedder, corpus = tiny_embedder(), corpus_of()
    return corpus, encode_corpus(corpus, embedder), embedder


class Collected:
    """Keeps the blocks that it is given."""

    def __init__(self):
        self.documents = {}

    def add(self, block):
        terms = [*block.vocabulary, *block.extra]
        for row, (doc_id, text) in enumerate(zip(block.ids, block.texts, strict=True)):
            span = slice(block.indptr[row], block.indptr[row + 1])
            named = [terms[term] for term in block.terms[span].tolist()]
            assert len(set(named)) == len(named)
            assert block.impacts.dtype == np.uint16
            self.documents[doc_id] = (text, dict(zip(named, block.impacts[span].tolist(), strict=True)))


def written(parts, statistics, size):
    corpus, encoded, embedder = parts
    first, second = Collected(), Collected()
    writer = DocumentWriter(statistics, sparsifier_of(statistics, embedder), first, second)
    for start in range(0, len(corpus), size):
        documents = [corpus[row] for row in range(start, min(start + size, len(corpus)))]
        rows = np.arange(start, start + len(documents))
        ids, texts = [each.id for each in documents], [each.contents for each in documents]
        writer.add(ids, texts, encoded.documents.take(rows))
    assert first.documents == second.documents
    return first.documents, writer.written


def same_statistics(one, other):
    """Whether two fits are the same, but for the last digits of sums of products, which come in another order."""
    assert one.space.terms == other.space.terms
    assert one.space.labels == other.space.labels
    assert (one.config, one.known_share, one.rare) == (other.config, other.known_share, other.rare)
    assert (one.collection.documents, one.collection.length) == (other.collection.documents, other.collection.length)
    np.testing.assert_array_equal(one.collection.frequency, other.collection.frequency)
    np.testing.assert_array_equal(one.mean, other.mean)
    for side in SIDES:
        np.testing.assert_array_equal(one.adjustments[side].vector, other.adjustments[side].vector)
    assert one.quantizer.levels == other.quantizer.levels
    assert one.quantizer.scale == pytest.approx(other.quantizer.scale, rel=1e-5)


@pytest.mark.parametrize("terms", KINDS)
def test_a_fit_is_the_same_in_batches_of_any_size(parts, monkeypatch, terms):
    config = default_config(terms, k=10)
    whole = fit(*parts, config)
    for module, name in ((fitting, "TEXTS"), (fitting, "BLOCK"), (sample, "BLOCK")):
        monkeypatch.setattr(module, name, 7)
    same_statistics(fit(*parts, config), whole)
    monkeypatch.setattr("sparseembed.sparse.vocabulary.WordCounter.__init__.__defaults__", (3,))
    same_statistics(fit(*parts, config), whole)


@pytest.mark.parametrize("terms", KINDS)
def test_a_fit_holds_what_the_collection_gives(parts, terms):
    corpus, encoded, embedder = parts
    statistics = fit(*parts, default_config(terms, k=10, least=2))
    texts = [document.contents for document in corpus]
    counts = statistics.space.count(texts).counts
    filled = counts.lengths > 0
    assert (statistics.collection.documents, statistics.collection.length) == (filled.sum(), counts.lengths.sum())
    known = len(statistics.space.terms)
    np.testing.assert_array_equal(statistics.collection.frequency, counts.frequency[:known])
    head = decoding_head(embedder)
    for side, vectors in zip(SIDES, (encoded.documents.matrix(), encoded.query_like.matrix()), strict=True):
        expected = fit_adjustment("centred", head.inputs(vectors), head.matrix)
        np.testing.assert_array_equal(statistics.adjustments[side].vector, expected.vector)
    vectors = encoded.documents.matrix().astype(np.float64)
    units = vectors[filled] / np.linalg.norm(vectors[filled], axis=1, keepdims=True)
    np.testing.assert_allclose(statistics.mean, units.mean(axis=0), atol=1e-6)
    # The largest weight of the collection gets the largest impact.
    weighted = sparsifier_of(statistics, embedder).block(counts, encoded.documents.matrix())
    assert weighted.weights.max() * statistics.quantizer.scale == pytest.approx(2**statistics.config.bits - 1, rel=1e-5)
    assert (statistics.mix is None) == (not statistics.config.literal)
    if terms.startswith("word"):
        assert statistics.rare == sum(filled)  # each document's own word
        assert statistics.known_share == pytest.approx(1 - filled.sum() / counts.lengths.sum())


@pytest.mark.parametrize("terms", KINDS)
@pytest.mark.parametrize("least", [1, 2])
def test_a_document_gets_its_impacts_alone_and_among_others(parts, terms, least):
    corpus = parts[0]
    statistics = fit(*parts, default_config(terms, k=10, least=least))
    whole, sums = written(parts, statistics, len(corpus))
    assert {doc_id: text for doc_id, (text, _) in whole.items()} == {each.id: each.contents for each in corpus}
    for size in (1, 7):
        found, again = written(parts, statistics, size)
        assert list(found) == corpus.ids
        for doc_id, (_, vector) in found.items():
            before = whole[doc_id][1]
            # A weight within a rounding error of half a step may fall on either side of it.
            off = {term for term in vector.keys() | before.keys() if vector.get(term, 0) != before.get(term, 0)}
            assert all(abs(vector.get(term, 0) - before.get(term, 0)) == 1 for term in off)
            assert len(off) <= 1
        for name in ("documents", "blank", "length", "unknown", "known_share"):
            assert getattr(again, name) == getattr(sums, name)
        np.testing.assert_allclose(again.mean, sums.mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("terms", KINDS)
def test_what_was_written_is_summed(parts, terms):
    corpus = parts[0]
    statistics = fit(*parts, default_config(terms, k=10))
    found, sums = written(parts, statistics, 7)
    literal = [statistics.space.literal.of(document.contents) for document in corpus]
    words = [[term for term in each if not term.startswith("#")] for each in literal]
    assert sums.documents == len(corpus)
    assert sums.blank == corpus.blanks == 4
    assert sums.empty == sum(not vector for _, vector in found.values()) == 4
    assert sums.postings == sum(len(vector) for _, vector in found.values())
    assert sums.length == sum(map(len, words))
    unknown = [term for each in words for term in each if term not in statistics.space.number]
    assert sums.unknown == len(unknown)
    assert sums.known_share == pytest.approx(1 - len(unknown) / sums.length)
    np.testing.assert_allclose(sums.mean / 36, statistics.mean, atol=1e-6)
    if statistics.config.literal:  # no literal word is lost, however light it is
        for each, (_, vector) in zip(words, found.values(), strict=True):
            assert {*each} <= vector.keys()


@pytest.mark.parametrize("terms", ["word", "word+folded"])
def test_a_word_of_one_document_is_literal_alone(parts, terms):
    statistics = fit(*parts, default_config(terms, k=10, mix=1.0, least=2))
    found, _ = written(parts, statistics, 7)
    for doc_id, (text, vector) in found.items():
        own = f"w{doc_id[1:]}x"
        assert {term for term in vector if term.startswith("w") and term.endswith("x")} == ({own} if text else set())
    every = fit(*parts, default_config(terms, k=10, mix=1.0, least=1))
    assert "w0x" in every.space.terms
    assert every.rare == 0
    assert sum("w0x" in vector for _, vector in written(parts, every, 7)[0].values()) >= 1


def test_impacts_of_weights():
    class Fitted:
        quantizer = fitting.fit_quantizer(10.0, 4)

    weights = np.asarray([10.0, 0.1, 0.1, 5.0, 12.0], dtype=np.float32)
    weighted = Weighted(
        np.asarray([0, 3, 3, 5]), np.asarray([2, 5, 7, 0, 1], np.int32), weights, np.asarray([0, 1, 0, 0, 1], np.bool_)
    )
    indptr, terms, impacts = quantised(weighted, Fitted)
    assert (indptr.tolist(), terms.tolist(), impacts.tolist()) == ([0, 2, 2, 4], [2, 5, 0, 1], [15, 1, 8, 15])


def test_a_sample_is_even_and_has_no_blank_document(monkeypatch):
    corpus = corpus_of(50)
    filled = np.asarray([row for row in range(50) if row % 9 != 4])
    whole = Sample.of(corpus, filled)
    assert (whole.rows.tolist(), whole.asked) == (filled.tolist(), None)
    monkeypatch.setattr(sample, "DOCUMENTS", 5)
    few = Sample.of(corpus, filled)
    assert few.rows.tolist() == [filled[place] for place in (0, 10, 21, 32, 43)]
    assert [document.id for document in few.documents] == [f"d{row}" for row in few.rows]
    own = Sample.of(corpus, filled, {"d0", "d7", "d4", "nowhere"})  # d4 is blank
    assert own.rows.tolist() == sorted({*few.rows.tolist(), 0, 7})
    assert [own.documents[place].id for place in own.asked] == ["d0", "d7"]


def test_the_mean_direction_leaves_zeros_out():
    vectors = np.asarray([[3.0, 0.0], [0.0, 0.0], [0.0, 0.5]], dtype=np.float32)
    assert mean_direction(vectors).tolist() == [0.5, 0.5]
    assert mean_direction(vectors[1:2]).tolist() == [0.0, 0.0]
