"""The mix of a collection, chosen on its own sentences: scores against a naive reference, and what an index does."""

import json
import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Decoder
from sparseembed.alignment.head import decoding_head
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.adapters import held_out_documents
from sparseembed.indexing import mixing, sample
from sparseembed.indexing.build import build_index
from sparseembed.indexing.encoding import encode_corpus
from sparseembed.indexing.mixing import CANDIDATES, USUAL, Trial, ask, best_mix, choose_mix, gain_of, tempered
from sparseembed.indexing.sample import Sample, decode_sample
from sparseembed.pseudo.queries import sentence_pairs
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.config import SparseConfig
from sparseembed.sparse.spaces import SPACES, Backbone
from sparseembed.sparse.sparsify import Decoded, Sparsifier

pytestmark = pytest.mark.usefixtures("silence")
WORDS = "cat dog mat whale fish air milk river water sea sand light sun earth book green plant sugar mountain carbon"


def corpus_of(count, sentences=3):
    """Make documents of sentences of random words, every seventh blank."""
    rng = random.Random(1)

    def sentence():
        return " ".join(rng.choices(WORDS.split(), k=7)).capitalize() + "."

    return Corpus(
        [
            Document(f"d{n}", "", "")
            if n % 7 == 3
            else Document(f"d{n}", f"T{n}", " ".join(sentence() for _ in range(sentences)))
            for n in range(count)
        ],
        f"made{count}-{sentences}",
    )


def parts_of(corpus, embedder, config):
    """Make what `choose_mix` is given."""
    store = encode_corpus(corpus, embedder).documents
    matrix, _ = decoding_head(embedder)
    texts = [document.contents for document in corpus]
    fitted = SPACES[config.terms]([texts], 1, Backbone(embedder.tokenizer, len(matrix)))
    decoder = Decoder(fitted.space.rows(matrix, embedder.tokenizer))
    sparsifier = Sparsifier(config, fitted.collection, decoder, fit_adjustment("centred", store.matrix()))
    filled = np.flatnonzero([bool(text) for text in texts])
    drawn = Sample.of(corpus, filled, held_out_documents(embedder.adapters, corpus.has_id))
    return corpus.name, drawn, decode_sample(drawn, store, sparsifier), store, embedder, fitted.space, sparsifier


@pytest.mark.parametrize("terms", ["folded", "word", "word+folded"])
def test_scores_are_those_of_a_collection_whose_documents_lack_their_sentences(tiny_embedder, terms):
    config = SparseConfig(terms=terms, k=20)
    _, drawn, aligned, _, embedder, space, sparsifier = parts_of(corpus_of(60), tiny_embedder(), config)
    assert drawn.rows.tolist() == [row for row in range(60) if row % 7 != 3]
    pairs = sentence_pairs(drawn.documents, 40)
    rests = Decoded(sparsifier.decode(embedder.encode([pair.positive for pair in pairs.values()])), {})
    found = Trial(drawn, pairs, space, sparsifier).scores(aligned, rests)

    number = {term: place for place, term in enumerate(space.terms)}
    texts = [pairs[place].positive if place in pairs else each.contents for place, each in enumerate(drawn.documents)]
    whole, known = space.count(texts).counts, len(number)
    every = CollectionStatistics.of(whole)
    collection = CollectionStatistics(every.documents, every.length, every.frequency[:known])
    alone = sparsifier.but(config.with_changes(literal=False), collection).block(whole, embedder.encode(texts))
    weights = np.zeros((len(texts), known))
    for place in range(len(texts)):
        span = slice(alone.indptr[place], alone.indptr[place + 1])
        weights[place, alone.terms[span]] = alone.weights[span]
    literal = collection.impacts(whole).toarray()
    for column, pair in enumerate(pairs.values()):
        asked = Counter(space.literal.of(pair.query))
        times = {number[term]: count if space.literal.counted else 1 for term, count in asked.items() if term in number}
        for scores, dense in zip(found, (literal, weights), strict=True):
            expected = dense[:, list(times)] @ list(times.values())
            np.testing.assert_allclose(scores[:, column], expected, rtol=1e-3, atol=1e-4)
    assert weights.any()
    assert literal.any()


@pytest.mark.parametrize("block", [7, 512])
def test_a_trial_is_the_same_in_blocks_of_any_size(tiny_embedder, monkeypatch, block):
    config = SparseConfig(terms="folded", k=20)
    _, drawn, aligned, _, embedder, space, sparsifier = parts_of(corpus_of(60), tiny_embedder(), config)
    pairs = sentence_pairs(drawn.documents, 40)
    rests = Decoded(sparsifier.decode(embedder.encode([pair.positive for pair in pairs.values()])), {})
    whole = Trial(drawn, pairs, space, sparsifier).scores(aligned, rests)
    monkeypatch.setattr(mixing, "BLOCK", block)
    for before, after in zip(whole, Trial(drawn, pairs, space, sparsifier).scores(aligned, rests), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


@given(st.lists(st.lists(st.integers(0, 3), min_size=14, max_size=14), min_size=1, max_size=4), st.data())
def test_the_gain_is_ndcg_of_one_document_after_its_equals(columns, data):
    wanted = data.draw(st.lists(st.integers(0, 13), min_size=len(columns), max_size=len(columns)))
    scores = np.asarray(columns, dtype=float).T
    for column, row, gain in zip(columns, wanted, gain_of(scores, np.asarray(wanted)), strict=True):
        rank = sum(score >= column[row] for score in column)
        expected = 1 / math.log2(1 + rank) if rank <= 10 and column[row] > 0 else 0
        assert gain == pytest.approx(expected)


def test_the_side_that_finds_the_sentences_decides():
    rng = np.random.default_rng(0)
    right, noise = np.eye(40), rng.random((40, 40)) * 2.5
    wanted = np.arange(40)
    chosen = {}
    for name, (literal, aligned) in {
        "literal": (right, 20 * noise),
        "aligned": (noise, right),
        "both": (right, right),
    }.items():
        chosen[name] = best_mix({mix: gain_of(literal + mix * aligned, wanted) for mix in CANDIDATES})
    assert chosen == {"literal": 0.0, "aligned": max(CANDIDATES), "both": USUAL}


@pytest.mark.parametrize("best", CANDIDATES)
def test_what_exceeds_the_usual_mix_counts_half(best):
    taken = tempered(best)
    assert taken == best if best <= USUAL else taken - USUAL == pytest.approx((best - USUAL) / 2)


def test_too_few_sentences_leave_the_usual_mix_and_encode_nothing(tiny_embedder):
    for corpus in (corpus_of(30), corpus_of(60, sentences=1)):
        embedder = tiny_embedder()
        parts = parts_of(corpus, embedder, SparseConfig(terms="folded", k=20))
        calls = embedder.model_calls
        choice = choose_mix(ask(*parts))
        assert (choice.mix, choice.curve) == (USUAL, {})
        assert embedder.model_calls == calls


def files_of(built):
    """Return the checksums of an index's postings and texts."""
    return [segment["files"] for segment in built.manifest.segments]


@pytest.mark.jvm
def test_an_index_is_built_with_the_chosen_mix_and_says_so(tiny_embedder, tmp_path):
    corpus, embedder = corpus_of(60), tiny_embedder()
    auto = build_index(corpus, tmp_path / "auto", embedder, k=30)
    choice = json.loads((tmp_path / "auto" / "manifest.json").read_text())["mix"]
    assert choice["sentences"] == 51
    assert choice["curve"][f"{choice['best']:g}"] == max(choice["curve"].values())
    assert choice["mix"] == tempered(choice["best"])
    named = build_index(corpus, tmp_path / "named", embedder, k=30, mix=choice["mix"])
    assert files_of(named) == files_of(auto)
    assert named.manifest.mix is None
    calls = embedder.model_calls
    assert build_index(corpus, tmp_path / "auto", embedder, k=30).reused
    assert files_of(build_index(corpus, tmp_path / "again", embedder, k=30)) == files_of(auto)
    assert embedder.model_calls == calls


@pytest.fixture(scope="module")
def adapted(tiny_model, tmp_path_factory):
    """Return an adapter that one step has adapted to 240 documents, 32 of them held out, and what it says of itself."""
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.training.recipe import Recipe
    from sparseembed.training.run import adapt

    pytest.importorskip("peft")
    embedder = TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
    recipe = Recipe(steps=1, batch=8, rank=2, objectives=("dense",))
    made = adapt(corpus_of(240), embedder, tmp_path_factory.mktemp("adapted") / "own", recipe, held_out=32)
    return made.path, set(made.about["about"]["held_out_documents"])


def test_an_adapter_of_the_collection_is_asked_on_documents_that_it_was_not_trained_on(
    adapted, tiny_embedder, monkeypatch
):
    folder, held_out = adapted
    assert len(held_out) == 32
    asked = {}

    class Asked(Trial):
        def __init__(self, drawn, pairs, *rest):
            asked.update({drawn.documents[place].id: pair for place, pair in pairs.items()})
            super().__init__(drawn, pairs, *rest)

    monkeypatch.setattr(mixing, "Trial", Asked)
    monkeypatch.setattr(sample, "DOCUMENTS", 50)  # what gives a sentence is searched all the same
    embedder = tiny_embedder("tied", adapters=(str(folder),))
    corpus = corpus_of(240)
    parts = parts_of(corpus, embedder, SparseConfig(terms="folded", k=20))
    assert 50 < len(parts[1].rows) <= 50 + 32
    choice = choose_mix(ask(*parts))
    assert (choice.sentences, choice.unseen) == (32, True)
    assert set(asked) == held_out
    for name, pair in asked.items():
        assert pair.query in corpus[corpus.index_of(name)].text
        assert pair.query not in pair.positive


def test_an_adapter_of_another_collection_changes_nothing(adapted, tiny_embedder):
    corpus = corpus_of(60)  # it has a quarter of the other's ids
    embedder = tiny_embedder("tied", adapters=(str(adapted[0]),))
    choice = choose_mix(ask(*parts_of(corpus, embedder, SparseConfig(terms="folded", k=20))))
    assert (choice.sentences, choice.unseen) == (51, False)
