import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.documents import read_documents as open_documents
from sparseembed.data.fields import Fields
from sparseembed.data.queries import read_queries
from sparseembed.errors import DataError


def read_documents(path):
    return list(Corpus(open_documents(path), "docs"))


ANY_TEXT = st.text(st.characters())  # with surrogates
IDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1) | st.integers()
RECORDS = st.lists(
    st.builds(
        lambda id_field, identifier, text_field, text, title: {id_field: identifier, text_field: text} | title,
        st.sampled_from(["_id", "id"]),
        IDS,
        st.sampled_from(["text", "contents"]),
        ANY_TEXT,
        st.just({}) | st.builds(lambda title: {"title": title}, st.none() | ANY_TEXT),
    ),
    min_size=1,
    unique_by=lambda record: str(record.get("_id", record.get("id"))),
)


def as_read(text: str) -> str:
    """What JSON makes of a string: escaped pairs of surrogates are one character, and lone ones are U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def has_surrogate(text: str) -> bool:
    return any(0xD800 <= ord(character) <= 0xDFFF for character in text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(records=RECORDS, raw=st.booleans(), ending=st.sampled_from(["\n", "\r\n", "\n\n  \n"]))
def test_what_is_written_is_read(tmp_path, records, raw, ending):
    lines = [json.dumps(record, ensure_ascii=not raw) for record in records]
    lines = [json.dumps(record) if has_surrogate(line) else line for record, line in zip(records, lines, strict=True)]
    path = tmp_path / "docs.jsonl"
    path.write_bytes(ending.join(lines).encode())
    expected = [
        Document(
            str(record.get("_id", record.get("id"))),
            as_read(record.get("title") or ""),
            as_read(record.get("text", record.get("contents"))),
        )
        for record in records
    ]
    assert read_documents(path) == expected
    assert list(read_queries(path).items()) == [(document.id, document.text) for document in expected]


def hit(identifier, source):
    """A line as elasticdump and the bodies of searches have it."""
    return {"_index": "books", "_id": identifier, "_score": 1, "_source": source}


def test_hits_of_search_engines_are_taken_out_of_their_source(tmp_path):
    path = tmp_path / "dump.jsonl"
    records = [hit("7", {"title": "Yeast", "text": "It makes dough rise.", "year": 2019}), hit("8", {"text": ""})]
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    assert read_documents(path) == [
        Document("7", "Yeast", "It makes dough rise.", {"year": 2019}),
        Document("8", "", ""),
    ]


def test_fields_within_hits_can_be_named(tmp_path):
    path = tmp_path / "dump.jsonl"
    path.write_text(json.dumps(hit("x", {"nr": 7, "body": "It makes dough rise.", "id": "old"})) + "\n")
    documents = open_documents(path, Fields(id="nr", text=("body",)))
    assert list(Corpus(documents, "docs")) == [Document("7", "", "It makes dough rise.", {"_id": "x", "id": "old"})]


def test_what_hits_lack_is_told_with_the_names_of_their_source(tmp_path):
    path = tmp_path / "dump.jsonl"
    path.write_text(json.dumps(hit("7", {"body": "It makes dough rise."})) + "\n")
    with pytest.raises(DataError, match=r"there are '_id', 'body'"):
        read_documents(path)


def test_ids_that_occur_twice_in_hits_are_told(tmp_path):
    path = tmp_path / "dump.jsonl"
    path.write_text("".join(json.dumps(hit("7", {"text": text})) + "\n" for text in ("one", "two")))
    with pytest.raises(DataError, match=r"'7'"):
        read_documents(path)


def test_a_source_alone_is_metadata(tmp_path):
    path = tmp_path / "docs.jsonl"
    path.write_text('{"_id": "1", "text": "It is.", "_source": {"text": "so"}}\n')
    assert read_documents(path) == [Document("1", "", "It is.", {"_source.text": "so"})]


def test_fields_by_hand(tmp_path):
    path = tmp_path / "docs.jsonl"
    path.write_text(
        '\ufeff{"_id": 7, "title": null, "text": "seven", "metadata": {"n": [1]}}\n'
        "\n"
        '{"id": "x", "contents": "\\ud800 \\ud83d\\ude00", "title": "T"}\n'
        '{"_id": "first", "id": "second", "text": "wins", "contents": "loses"}\n'
        '  {"id": -1, "text": ""}  \n',
        encoding="utf-8",
    )
    assert read_documents(path) == [
        Document("7", "", "seven", {"n": [1]}),
        Document("x", "T", "\ufffd \U0001f600"),
        Document("first", "", "wins"),
        Document("-1", "", ""),
    ]
    assert read_queries(path) == {"7": "seven", "x": "\ufffd \U0001f600", "first": "wins", "-1": ""}


BAD_LINES = [
    ('{"_id": "b", "text": "x"', "broken JSON (Expecting ',' delimiter, column ", '{"_id": "1", "text": "..."}'),
    ("plain text", "broken JSON", "one object a line"),
    ('{"_id": "b", "text": "x"} {"_id": "c"}', "broken JSON (Extra data", "one object a line"),
    ('["b", "x"]', "a list and not a JSON object", "one object a line"),
    ('"b"', "a string and not a JSON object", "one object a line"),
    ("12", "a number and not a JSON object", "one object a line"),
    ("null", "null and not a JSON object", "one object a line"),
    ("true", "true or false and not a JSON object", "one object a line"),
    ("[" * 100_000, "JSON that cannot be read", "one object a line"),
    ('{"_id": ' + "9" * 5000 + "}", "JSON that cannot be read", "one object a line"),
    ("{}", "no id", 'an "_id" or "id"'),
    ('{"text": "x"}', "no id", 'an "_id" or "id"'),
    ('{"_id": "", "text": "x"}', "the id is empty", "at least one character"),
    ('{"_id": null, "id": "b", "text": "x"}', '"_id" of ', "null: make it a string or whole number"),
    ('{"_id": 1.5, "text": "x"}', '"_id" of ', "a number with a fraction: make it a string or whole number"),
    ('{"id": true, "text": "x"}', '"id" of ', "true or false: make it a string or whole number"),
    ('{"id": ["b"], "text": "x"}', '"id" of ', "a list: make it a string or whole number"),
    ('{"_id": "b c", "text": "x"}', "id 'b c' holds white space", 'another character, such as "_"'),
    ('{"_id": "b\\n", "text": "x"}', "id 'b\\n' holds white space", "another character"),
    ('{"_id": "b"}', "no text in ", 'a "text" or "contents"'),
    ('{"_id": "b", "title": "only"}', "no text in ", 'a "text" or "contents"'),
    ('{"_id": "b", "text": null}', '"text" of ', "null: make it a string"),
    ('{"_id": "b", "text": 3}', '"text" of ', "a number: make it a string"),
    ('{"_id": "b", "contents": ["x"]}', '"contents" of ', "a list: make it a string"),
    ('{"_id": "b", "text": {"a": 1}}', '"text" of ', "an object: make it a string"),
    ('{"_id": "a", "text": "x"}', "id 'a' occurs twice, first on line 2", "rename or remove"),
    ('{"id": "a", "contents": "x"}', "id 'a' occurs twice, first on line 2", "rename or remove"),
]


@pytest.mark.parametrize("read", [read_documents, read_queries])
@pytest.mark.parametrize(("line", "problem", "remedy"), BAD_LINES)
def test_bad_line_is_named_with_a_remedy(read, line, problem, remedy, tmp_path, message_of):
    path = tmp_path / "docs.jsonl"
    path.write_text('\n{"_id": "a", "text": "fine"}\n\n' + line + '\n{"_id": "z", "text": "fine"}\n')
    message = message_of(read, path)
    assert message.startswith(f"{path}:4: {problem}")
    assert remedy in message


def test_title_of_a_wrong_type(tmp_path, message_of):
    path = tmp_path / "docs.jsonl"
    path.write_text('{"_id": "a", "text": "x", "title": 5}\n')
    assert message_of(read_documents, path) == f"{path}:1: \"title\" of document 'a' is a number: make it a string"
    assert read_queries(path) == {"a": "x"}


def test_whole_number_and_its_digits_are_the_same_id(tmp_path, write_jsonl, message_of):
    path = write_jsonl(tmp_path / "docs.jsonl", [{"_id": 1, "text": ""}, {"_id": "1", "text": ""}])
    assert "id '1' occurs twice, first on line 1" in message_of(read_documents, path)


def test_ids_that_are_the_same_once_cleaned_are_duplicates(tmp_path, write_jsonl, message_of):
    path = write_jsonl(tmp_path / "docs.jsonl", [{"_id": "\ud800", "text": ""}, {"_id": "\udfff", "text": ""}])
    assert "first on line 1" in message_of(read_documents, path)


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_empty_files(content, tmp_path, message_of):
    path = tmp_path / "docs.jsonl"
    path.write_text(content, encoding="utf-8")
    assert message_of(read_documents, path).startswith(f"{path}: no documents in it: ")
    assert message_of(read_queries, path).startswith(f"{path}: no queries in it: ")


def test_a_long_id_is_cut_in_the_message(tmp_path, write_jsonl, message_of):
    path = write_jsonl(tmp_path / "docs.jsonl", [{"_id": "x" * 10_000}])
    assert len(message_of(read_documents, path)) < len(str(path)) + 200
