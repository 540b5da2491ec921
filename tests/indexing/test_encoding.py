"""Texts that look like queries, and where a corpus's embeddings are kept."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data import corpus as corpus_module
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import DataError
from sparseembed.files import cache_folder
from sparseembed.indexing import encoding
from sparseembed.indexing.encoding import embeddings_folder, encode_corpus, encode_queries, query_like_texts


def corpus_of(*documents, identity="memory:small"):
    """Make a corpus of (title, text), ids d0, d1, ..."""
    return Corpus([Document(f"d{n}", title, text) for n, (title, text) in enumerate(documents)], "small", identity)


def test_titles_and_first_sentences_take_turns():
    corpus = corpus_of(
        ("One", "First. More."), ("Two", "Second! More."), ("Three", "Third."), ("Four", "Fourth? More.")
    )
    assert query_like_texts(corpus) == {"d0": "One", "d1": "Second!", "d2": "Three", "d3": "Fourth?"}


def test_what_is_missing_is_taken_from_the_other():
    corpus = corpus_of(("", "First. More."), ("Two", " "), ("Three", ""), ("", "Fourth. More."))
    assert query_like_texts(corpus) == {"d0": "First.", "d1": "Two", "d2": "Three", "d3": "Fourth."}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("no end at all", "no end at all"),
        ("A number 3.14 is no end. More.", "A number 3.14 is no end."),
        ("A heading\n\nA text.", "A heading"),
        ("One line\nand the next. More.", "One line and the next."),
        ("  \n Spaces \t between.  More", "Spaces between."),
        ("Really?! More.", "Really?!"),
        ("猫は寝ている。犬は走る。", "猫は寝ている。"),
        ("什么？没有", "什么？"),
    ],
)
def test_where_a_first_sentence_ends(text, sentence):
    assert query_like_texts(corpus_of(("", text))) == {"d0": sentence}


def test_long_ones_are_cut_at_32_words():
    corpus = corpus_of(("title " * 40, ""), ("", "word " * 33))
    assert query_like_texts(corpus) == {"d0": " ".join(["title"] * 32), "d1": " ".join(["word"] * 32)}


def test_blank_documents_do_not_count():
    corpus = corpus_of(("", " "), ("One", "First."), ("", ""), ("Two", "Second."))
    assert query_like_texts(corpus) == {"d1": "One", "d3": "Second."}
    assert query_like_texts(corpus_of(("", ""), ("", "\n"))) == {}


@given(st.integers(1, 60), st.integers(1, 20))
def test_an_even_sample_of_bounded_size(count, most):
    corpus = corpus_of(*((f"T{number}", "") for number in range(count)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "QUERY_SAMPLE", most)
        sample = list(query_like_texts(corpus))
    assert len(sample) <= most
    assert len(sample) > most / 2 or len(sample) == count or most == 1
    positions = [int(each[1:]) for each in sample]
    assert len({later - earlier for earlier, later in itertools.pairwise(positions)}) <= 1
    assert positions[0] == 0


words = st.lists(st.sampled_from(["cat", "dog.", "\n\n", " ", "é!", "x?"]), max_size=50).map(" ".join)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=8))
def test_every_filled_document_gives_a_text_and_none_is_blank(documents):
    corpus = corpus_of(*documents)
    texts = query_like_texts(corpus)
    assert list(texts) == [document.id for document in corpus if document.contents]
    for text in texts.values():
        assert text == " ".join(text.split())
        assert 1 <= len(text.split()) <= 32


@given(st.lists(st.tuples(words, words), min_size=1, max_size=30), st.integers(1, 9))
def test_the_sample_is_that_of_the_filled_documents_in_a_list(documents, most):
    corpus = corpus_of(*documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "QUERY_SAMPLE", most)
        found = query_like_texts(corpus)
    filled = [document for document in corpus if document.contents]
    sample = filled[:: max(1, -(-len(filled) // most))]
    assert [doc_id for doc_id in (document.id for document in sample) if doc_id in found] == list(found)
    for number, document in enumerate(sample):
        if number % 2 == 0 and document.title.strip():
            assert found[document.id] == " ".join(document.title.split()[:32])


def test_a_streamed_corpus_is_encoded_like_one_in_memory(tiny_embedder, tmp_path, monkeypatch):
    embedder, documents = tiny_embedder(), [Document(f"d{n}", f"Cats {n}", "sit. And sleep.") for n in range(9)]
    whole = encode_corpus(Corpus(documents, "small"), embedder, tmp_path / "whole")
    monkeypatch.setattr(corpus_module, "MEMORY", 0)
    streamed = encode_corpus(Corpus(lambda: iter(documents), "small"), embedder, tmp_path / "streamed")
    for one, other in zip(whole, streamed, strict=True):
        assert one.ids == other.ids
        assert {file.name: file.read_bytes() for file in one.folder.iterdir()} == {
            file.name: file.read_bytes() for file in other.folder.iterdir()
        }


def test_both_sides_are_encoded_with_their_own_prompts(tiny_embedder, tmp_path):
    embedder = tiny_embedder("tied", document_prompt="passage {text}", query_prompt="query {text}")
    corpus = corpus_of(("Cats", "sit on mats. And sleep."), ("", ""), ("Whales", "are big. They swim."))
    encoded = encode_corpus(corpus, embedder, tmp_path / "here")
    expected = embedder.encode([document.contents for document in corpus])
    assert encoded.documents.ids == corpus.ids
    assert abs(encoded.documents.matrix() - expected).max() < 1e-5
    assert encoded.query_like.ids == ["d0", "d2"]
    assert abs(encoded.query_like.matrix() - embedder.encode(["Cats", "are big."], "query")).max() < 1e-5
    calls = embedder.model_calls
    encode_corpus(corpus, embedder, tmp_path / "here")
    assert embedder.model_calls == calls


def test_queries_are_kept_beside_their_corpus(tiny_embedder):
    embedder, corpus = tiny_embedder("tied", query_prompt="query {text}"), corpus_of(("Cats", "sit"))
    queries = {"q2": "where do cats sit", "q1": ""}
    stored = encode_queries(corpus, queries, "test", embedder)
    assert stored.ids == ["q2", "q1"]
    assert abs(stored.matrix() - embedder.encode(list(queries.values()), "query")).max() < 1e-5
    assert stored.folder == embeddings_folder(corpus, embedder, "query") / "queries-test"
    with pytest.raises(DataError, match="small, test queries has changed"):
        encode_queries(corpus, {"q2": "something else"}, "test", embedder)


def test_the_place_depends_on_the_source_and_the_embedder_and_not_on_the_texts(tiny_embedder):
    embedder, corpus = tiny_embedder(), corpus_of(("One", "text"))
    place = embeddings_folder(corpus, embedder)
    assert place.is_relative_to(cache_folder("embeddings"))
    assert embeddings_folder(corpus_of(("One", "another text")), embedder) == place
    assert embeddings_folder(corpus_of(("One", "text"), identity="memory:other"), embedder) != place
    assert embeddings_folder(corpus, tiny_embedder(pooling="mean")) != place
    assert embeddings_folder(corpus, tiny_embedder("untied")) != place


def test_a_changed_corpus_is_noticed_in_the_cache(tiny_embedder):
    embedder = tiny_embedder()
    encode_corpus(corpus_of(("One", "text")), embedder)
    with pytest.raises(DataError, match="small, documents has changed since it was encoded"):
        encode_corpus(corpus_of(("One", "another text")), embedder)
    again = encode_corpus(corpus_of(("One", "another text")), embedder, redo=True)
    assert abs(again.documents.matrix() - embedder.encode(["One another text"])).max() < 1e-5
