import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data import corpus as corpus_module
from sparseembed.data.corpus import Corpus, Document, id_problem, safe_name
from sparseembed.data.documents import read_documents
from sparseembed.errors import DataError
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


@pytest.mark.parametrize("bad", ["", "a b", "a\n", "\ta", "a\u00a0b", "a\u2028b", "a\x00b", "a\x85b", "x" * 8_001])
def test_unusable_ids(bad, message_of):
    assert "document number 2: " in message_of(Corpus, [TWO[0], Document(bad, "", "")], "bad")
    assert id_problem(bad)


@pytest.mark.parametrize("good", ["0", "a:b/c", "<dbpedia:X>", "\u00e9", "\U0001f600", "a-b_c.d", "'\"", "x" * 8_000])
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


@pytest.fixture
def streaming(monkeypatch):
    """Keep no corpus in memory but what stands there anyway."""
    monkeypatch.setattr(corpus_module, "MEMORY", 0)


MANY = [Document(f"d{number}", f"T{number}" if number % 3 else "", f"caf\u00e9 {number}") for number in range(20)]
MANY[7] = Document("d7", "", " \n")


class Reader:
    """A source that counts how often it is read, and how many of its documents are alive in one reading."""

    def __init__(self, documents):
        self.documents, self.passes = documents, 0

    def __call__(self):
        self.passes += 1
        yield from self.documents


NAMES = ["reader", "iterator", "keys", "list"]


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("make", [Reader, iter, lambda docs: dict.fromkeys(docs).keys(), list], ids=NAMES)
def test_a_large_corpus_is_the_same_corpus(make):
    known, corpus = Corpus(list(MANY), "many"), Corpus(make(MANY), "many")
    assert corpus.fingerprint == known.fingerprint
    assert (corpus.blanks, len(corpus), corpus.ids) == (1, 20, known.ids)
    for _ in range(2):
        assert list(corpus) == MANY
    assert (corpus[3], corpus[-1], corpus[2:9:3], corpus[::-1]) == (MANY[3], MANY[-1], MANY[2:9:3], MANY[::-1])
    assert list(reversed(corpus)) == MANY[::-1]
    assert corpus.index_of("d9") == 9
    assert MANY[4] in corpus
    assert list(corpus.contents) == [document.contents for document in MANY]
    assert len(corpus.contents) == 20
    assert list(corpus.in_memory()) == MANY
    assert corpus.in_memory().fingerprint == known.fingerprint


@pytest.mark.usefixtures("streaming")
@given(st.lists(st.integers(0, 19), max_size=30), st.integers(1, 25))
def test_take_and_batches(rows, size):
    source = Reader(MANY)
    corpus = Corpus(source, "many")
    passes = source.passes
    assert corpus.take(rows) == [MANY[row] for row in rows]
    assert source.passes <= passes + 1
    assert list(corpus.batches(size)) == [MANY[start : start + size] for start in range(0, 20, size)]
    assert source.passes <= passes + 2


@pytest.mark.parametrize("rows", [[20], [-1], [0, 99]])
def test_take_beyond_the_ends(rows):
    with pytest.raises(IndexError, match="positions of a corpus of 20 documents are 0 to 19"):
        Corpus(MANY, "many").take(rows)
    with pytest.raises(IndexError):
        Corpus(MANY, "many")[rows[-1] if rows[-1] > 0 else -21]


@pytest.mark.usefixtures("streaming")
def test_in_memory_reads_no_more():
    source = Reader(MANY)
    corpus = Corpus(source, "many").in_memory()
    passes = source.passes
    assert [list(corpus), corpus[5], corpus.take([1])] == [MANY, MANY[5], [MANY[1]]]
    assert corpus.in_memory() is corpus
    assert source.passes == passes


def test_a_small_corpus_of_a_source_is_read_once():
    source = Reader(MANY)
    corpus = Corpus(source, "many")
    assert [list(corpus), list(corpus)] == [MANY, MANY]
    assert source.passes == 1


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize(
    ("changed", "place"),
    [
        (MANY[:-1], 20),
        ([*MANY, Document("new", "", "")], 21),
        ([MANY[1], MANY[0], *MANY[2:]], 1),
        ([*MANY[:5], Document("d5", "", "other"), *MANY[6:]], 21),
        ([], 1),
    ],
)
def test_a_source_that_changes_is_noticed(changed, place, message_of):
    source = Reader(MANY)
    corpus = Corpus(source, "many", "/data/many")
    source.documents = changed
    message = message_of(list, corpus)
    assert message.startswith(f"/data/many: changed while it was in use (noticed at document number {place})")


@pytest.mark.usefixtures("streaming")
def test_what_is_read_partly_can_be_read_from_its_start(tmp_path, write_jsonl):
    path = write_jsonl(tmp_path / "x.jsonl", [{"id": d.id, "title": d.title, "text": d.text} for d in MANY])
    corpus = Corpus(read_documents(path), "many")
    first, second = iter(corpus), iter(corpus)
    assert [next(first), next(first), next(second)] == [MANY[0], MANY[1], MANY[0]]
    assert list(corpus) == MANY
    assert list(first) == MANY[2:]
    path.write_text(json.dumps({"id": "d0", "text": "x"}) + "\nbroken\n")
    with pytest.raises(DataError, match=r"changed while|broken JSON"):
        list(corpus)


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("make", [Reader, iter])
def test_a_large_corpus_has_its_ids_checked(make, message_of):
    assert "number 21: id 'd3' occurs twice" in message_of(Corpus, make([*MANY, MANY[3], MANY[1]]), "many")
    assert "document number 21: the id is empty" in message_of(Corpus, make([*MANY, Document("", "", "")]), "many")


def test_the_first_of_several_repeated_ids_of_a_file_is_named_with_both_lines(tmp_path, message_of):
    path = tmp_path / "x.jsonl"
    ids = ["a", "", "b", "c", "c", "b", "a"]
    path.write_text("".join(json.dumps({"id": each, "text": ""}) + "\n" if each else "\n" for each in ids))
    message = message_of(Corpus, read_documents(path), "x")
    assert message == f"{path}:5: id 'c' occurs twice, first on line 4: rename or remove one of the two"


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=12))
def test_repeated_ids_against_a_naive_search(ids):
    documents = [Document(f"x{each}", "", "") for each in ids]
    repeated = [place for place, each in enumerate(ids) if each in ids[:place]]
    if not repeated:
        assert Corpus(documents, "c").ids == [document.id for document in documents]
        return
    with pytest.raises(DataError, match=f"document number {repeated[0] + 1}: id 'x{ids[repeated[0]]}' occurs twice"):
        Corpus(documents, "c")


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
