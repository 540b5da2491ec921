"""Metadata: one flat form of whatever sources give, read-only, and told where it cannot be kept."""

import copy
import json
import pickle
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data import corpus as corpora
from sparseembed.data import metadata as module
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.documents import read_documents
from sparseembed.data.metadata import NONE, Metadata, metadata_of, packed, unpacked
from sparseembed.errors import DataError

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(allow_infinity=False, allow_nan=False), st.text()
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)


@pytest.mark.parametrize(
    ("given_", "flat"),
    [
        ({}, {}),
        ({"year": 2019, "ok": True, "none": None, "half": 0.5}, {"year": 2019, "ok": True, "none": None, "half": 0.5}),
        ({"author": {"name": "A", "at": {"lab": "L"}}}, {"author.name": "A", "author.at.lab": "L"}),
        ({"tags": ("a", "b"), "no": []}, {"tags": ["a", "b"], "no": []}),
        ({"deep": [["a"], ["b", ["c"]]]}, {"deep": ["a", "b", "c"]}),
        ({"by": [{"name": "A", "h": 1}, {"name": "B"}]}, {"by.name": ["A", "B"], "by.h": [1]}),
        ({"odd": {}, "lone": "\ud800", "\ud800": 1}, {"lone": "\ufffd", "\ufffd": 1}),
        ({"n": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True), "a": np.arange(2)},
         {"n": 3, "f": 0.5, "b": True, "a": [0, 1]}),
        ({"day": date(2019, 5, 1), "at": datetime(2019, 5, 1, 12, tzinfo=UTC)},
         {"day": "2019-05-01", "at": "2019-05-01T12:00:00+00:00"}),
        ({"price": Decimal("1.50"), "whole": Decimal("3.00")}, {"price": 1.5, "whole": 3}),
        ({"nan": float("nan"), "nans": [float("nan"), 1.0]}, {"nan": None, "nans": [None, 1.0]}),
        ({7: "seven"}, {"7": "seven"}),
        ({"a.b": 1, "a": {"b": 1}}, {"a.b": 1}),
    ],
)  # fmt: skip
def test_the_flat_form(given_, flat):
    found = metadata_of(given_)
    assert json.dumps(found) == json.dumps(flat)  # types and order too
    assert Document("1", "", "x", given_).metadata == flat


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"a.b": 1, "a": {"b": 2}}, "two values of the name 'a.b'"),
        ({"a.b": 1, "a": {"b": True}}, "two values of the name 'a.b'"),
        ({"x": float("inf")}, "'x' is infinite"),
        ({"x": [1, -float("inf")]}, "'x' is infinite"),
        ({"x": 10**400}, "more than 307 digits"),
        ({"x": b"bytes"}, "type bytes"),
        ({"x": object()}, "type object"),
    ],
)
def test_what_cannot_be_kept_is_told_in_one_line(given_, told):
    with pytest.raises(DataError, match=told) as caught:
        Document("1", "", "x", given_)
    assert "\n" not in str(caught.value)


def test_what_has_no_end_is_told():
    nested = []
    for _ in range(900):
        nested = [nested]
    endless = {}
    endless["self"] = endless
    for value in (nested, endless):
        with pytest.raises(DataError, match="32 deep"):
            metadata_of({"x": value})


def test_too_much_is_told(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 20)
    assert packed(metadata_of({"a": "x" * 8})) == b'{"a":"xxxxxxxx"}'
    with pytest.raises(DataError, match=r"24 bytes: 20 is the most"):
        Corpus([Document("1", "", "x", {"a": "x" * 16})], "large")


@given(st.dictionaries(st.text(), values, max_size=4))
def test_the_flat_form_is_one_line_and_comes_back(raw):
    try:
        flat = metadata_of(raw)
    except DataError:  # two values of one name, such as {"a.b": 1, "a": {"b": 2}}
        return
    data = packed(flat)
    assert b"\n" not in data
    assert (data == b"") == (flat == {})
    assert json.dumps(unpacked(data)) == json.dumps(flat)
    assert metadata_of(dict(flat)) == flat
    for value in flat.values():
        assert all(not isinstance(each, list | dict) for each in (value if isinstance(value, list) else [value]))


def test_it_is_read_only_and_can_be_copied_and_sent():
    found = Document("1", "", "x", {"year": 2019, "tags": ["a"]}).metadata
    changes = [
        lambda: found.__setitem__("year", 1),
        lambda: found.update(year=1),
        lambda: found.pop("year"),
        lambda: found.setdefault("lang", "de"),
        found.clear,
        found.popitem,
        lambda: found.__delitem__("year"),
    ]
    for change in changes:
        with pytest.raises(TypeError, match="read-only"):
            change()
    with pytest.raises(TypeError, match="read-only"):
        found |= {"year": 1}
    for other in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found), copy.copy(found)):
        assert (type(other), other) == (Metadata, {"year": 2019, "tags": ["a"]})
    document = Document("1", "", "x", {"year": 2019})
    assert pickle.loads(pickle.dumps(document)) == document
    assert document != Document("1", "", "x", {"year": 2020})
    assert len({document, Document("1", "", "x", {"year": 2019})}) == 1
    assert Document("1", "", "x").metadata is NONE


def jsonl(tmp_path, *records):
    file = tmp_path / "docs.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def test_json_lines_keep_what_is_no_id_title_or_text(tmp_path):
    file = jsonl(
        tmp_path,
        {"_id": "beir", "title": "t", "text": "x", "metadata": {"url": "u", "pub": {"year": 2019}}},
        {"_id": "plain", "text": "x", "metadata": {}},
        {"id": 7, "contents": "x", "year": 2019, "tags": ["a"], "vector": {"term": 3}},
        {"id": "both", "text": "x", "year": 2019, "metadata": {"year": 2019, "lang": "de"}},
        {"id": "word", "text": "x", "metadata": "none to speak of"},
        {"id": "null", "text": "x", "metadata": None, "lang": None},
        {"_id": "two", "id": "other", "text": "x", "contents": "y"},
    )
    found = {document.id: dict(document.metadata) for document in read_documents(file)}
    assert found == {
        "beir": {"url": "u", "pub.year": 2019},
        "plain": {},
        "7": {"year": 2019, "tags": ["a"]},
        "both": {"year": 2019, "lang": "de"},
        "word": {"metadata": "none to speak of"},
        "null": {"lang": None},
        "two": {},
    }


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"year": 2019, "metadata": {"year": 2020}}, r"docs.jsonl:2: document '2': 'year' stands beside"),
        ({"a": {"b": 1}, "a.b": 2}, r"docs.jsonl:2: document '2': the metadata has two values of the name 'a.b'"),
        ({"year": float("inf")}, r"docs.jsonl:2: document '2': the metadata 'year' is infinite"),
    ],
)
def test_json_lines_that_cannot_be_kept_are_told_with_their_line(tmp_path, record, told):
    file = jsonl(tmp_path, {"id": "1", "text": "x"}, {"id": "2", "text": "x", **record})
    with pytest.raises(DataError, match=told):
        list(read_documents(file))


def test_the_fingerprint_of_metadata_is_apart_from_that_of_contents():
    def made(*metadata):
        return Corpus([Document(str(n), "", "x", each) for n, each in enumerate(metadata)], "c")

    plain, dated, other = made({}, {}), made({}, {"year": 2019}), made({}, {"year": 2020})
    assert plain.fingerprint == dated.fingerprint == other.fingerprint
    assert plain.metadata_fingerprint == ""
    assert len({each.metadata_fingerprint for each in (plain, dated, other, made({"year": 2019}, {}))}) == 4


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_a_corpus_gives_metadata_on_each_pass(tmp_path, monkeypatch, memory):
    monkeypatch.setattr(corpora, "MEMORY", memory)
    documents = [Document(str(n), "", f"text {n}", {"n": n, "tags": ["a", None]} if n % 2 else {}) for n in range(20)]
    file = jsonl(tmp_path, *({"id": each.id, "text": each.text, **each.metadata} for each in documents))
    for corpus in (Corpus(iter(documents), "c"), Corpus(read_documents(file), "c"), Corpus(documents, "c")):
        assert list(corpus) == list(corpus) == documents
        assert corpus.take([3])[0].metadata == {"n": 3, "tags": ["a", None]}


def test_a_source_whose_metadata_changes_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "MEMORY", 0)
    file = jsonl(tmp_path, {"id": "1", "text": "x", "year": 2019})
    corpus = Corpus(read_documents(file), "c")
    jsonl(tmp_path, {"id": "1", "text": "x", "year": 2020})
    with pytest.raises(DataError, match="changed while it was in use"):
        list(corpus)
