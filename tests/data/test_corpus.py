import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data.corpus import Corpus, Document, id_problem, safe_name
from sparseembed.text import clean_text, one_line, shown

TWO = [Document("a", "T", "x"), Document("b", "", "y")]


def replaced(text: str) -> str:
    return "".join("\ufffd" if 0xD800 <= ord(character) <= 0xDFFF else character for character in text)


@pytest.mark.parametrize(
    ("title", "text", "contents"),
    [
        ("Title", "text", "Title text"),
        ("", "text", "text"),
        ("Title", "", "Title"),
        (" Title ", " text \n", "Title   text"),
        ("", "", ""),
        (" ", "\t\n", ""),
    ],
)
def test_contents_join_title_and_text_as_beir_does(title, text, contents):
    assert Document("1", title, text).contents == contents


def test_document_replaces_surrogates_everywhere_and_leaves_the_rest():
    document = Document("i\ud800", "t\udfff", "caf\u00e9 \U0001f600 \x00\x07")
    assert (document.id, document.title, document.text) == ("i\ufffd", "t\ufffd", "caf\u00e9 \U0001f600 \x00\x07")


@pytest.mark.parametrize("field", ["id", "title", "text"])
def test_document_is_cleaned_when_one_field_alone_needs_it(field):
    cleaned = Document(**({"id": "1", "title": "", "text": ""} | {field: "x\ud800"}))
    assert getattr(cleaned, field) == "x\ufffd"


@given(st.text(st.characters()))
def test_clean_text_changes_surrogates_alone(text):
    cleaned = clean_text(text)
    assert cleaned == replaced(text)
    assert cleaned.encode().decode() == cleaned
    assert clean_text(cleaned) == cleaned


def test_corpus_is_a_sequence_in_its_sources_order():
    corpus = Corpus(iter(TWO), "two")
    assert list(corpus) == TWO
    assert (len(corpus), corpus[1], corpus[-1], corpus[:1]) == (2, TWO[1], TWO[1], TWO[:1])
    assert corpus.ids == ["a", "b"]
    assert [corpus.index_of(doc_id) for doc_id in ("a", "b")] == [0, 1]
    assert corpus.has_id("a")
    assert not corpus.has_id("c")
    assert TWO[0] in corpus


def test_changing_the_list_of_ids_changes_nothing():
    corpus = Corpus(TWO, "two")
    corpus.ids.append("c")
    assert corpus.ids == ["a", "b"]


def test_name_is_safe_and_identity_is_kept():
    corpus = Corpus(TWO, "beir/sci fact", "ir_datasets:beir/sci fact")
    assert (corpus.name, corpus.identity) == ("beir-sci-fact", "ir_datasets:beir/sci fact")
    assert Corpus(TWO, "two").identity == "memory:two"


def test_blank_documents_are_kept_and_counted():
    corpus = Corpus([Document("a", "", ""), Document("b", "", " \n\u2003"), Document("c", "x", "")], "blanks")
    assert (len(corpus), corpus.blanks) == (3, 2)


def test_unknown_document(message_of):
    message = message_of(Corpus(TWO, "two", "/data/two").index_of, "zz")
    assert "'zz'" in message
    assert "/data/two" in message


def test_no_documents(message_of):
    assert "no documents" in message_of(Corpus, [], "none", "/data/none")


def test_duplicate_ids(message_of):
    message = message_of(Corpus, [*TWO, Document("a", "", "")], "three", "/data/three")
    assert "document number 3: id 'a' occurs twice" in message


@pytest.mark.parametrize("bad", ["", "a b", "a\n", "\ta", "a\u00a0b", "a\u2028b", "a\x00b", "a\x85b"])
def test_unusable_ids(bad, message_of):
    assert "document number 2: " in message_of(Corpus, [TWO[0], Document(bad, "", "")], "bad")
    assert id_problem(bad)


@pytest.mark.parametrize("good", ["0", "a:b/c", "<dbpedia:X>", "\u00e9", "\U0001f600", "a-b_c.d", "'", '"'])
def test_usable_ids(good):
    assert id_problem(good) == ""
    assert Corpus([Document(good, "", "")], "good").ids == [good]


def test_fingerprint_is_the_hash_of_lengths_ids_and_contents():
    parts = [b"a", b"T x", b"b", "caf\u00e9".encode()]
    raw = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    corpus = Corpus([Document("a", "T", "x"), Document("b", "", "caf\u00e9")], "any name", "any place")
    assert corpus.fingerprint == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        TWO[::-1],
        TWO[:1],
        [TWO[0], Document("b", "", "z")],
        [TWO[0], Document("c", "", "y")],
        [TWO[0], Document("by", "", "")],
        [TWO[0], TWO[1], Document("c", "", "")],
    ],
)
def test_fingerprint_differs_for_another_corpus(other):
    assert Corpus(other, "two").fingerprint != Corpus(TWO, "two").fingerprint


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("scifact", "scifact"),
        ("beir/cqadupstack/android", "beir-cqadupstack-android"),
        ("../..", "corpus"),
        ("", "corpus"),
        (".hidden", "hidden"),
        ("my docs (2)", "my-docs-2"),
        ("\u00e9t\u00e9", "t"),
        ("v1.2_b", "v1.2_b"),
        ("x" * 300, "x" * 80),
    ],
)
def test_safe_name(name, safe):
    assert safe_name(name) == safe


@given(st.text(st.characters()))
def test_safe_name_is_always_one_visible_path_part(name):
    safe = safe_name(name)
    assert 0 < len(safe) <= 80
    assert safe.isascii()
    assert all(character.isalnum() or character in "._-" for character in safe)
    assert safe[0] not in ".-"
    assert safe_name(safe) == safe


def test_shown_quotes_escapes_and_cuts():
    assert shown("a\nb\ud800") == r"'a\nb\ud800'"
    assert shown("x" * 61) == repr("x" * 60 + "…")
    assert shown("x" * 60) == repr("x" * 60)
    assert shown(3) == "'3'"


def test_one_line_folds_white_space():
    assert one_line(" a\n\tb\u2028c\udc80 ") == "a b c\ufffd"
