"""Files for OpenSearch and Elasticsearch, held to copies that were compared with the engines' documentation.

GOLDEN=write writes the copies anew; what changes in them must be held against the documentation again: the
pages "Delimited term frequency token filter", "Similarity", "Mapping character filter" and "Bulk" of OpenSearch, and
"Language analyzers", "Similarity settings", "Sparse vector field type" and "Sparse vector query" of Elasticsearch.
"""

import gzip
import json
import os
from pathlib import Path

import pytest
from small_index import small_index

from sparseembed.analyzers.languages import UNICODE
from sparseembed.cli import main
from sparseembed.data.corpus import Document
from sparseembed.data.metadata import metadata_of
from sparseembed.errors import ConfigError, DataError
from sparseembed.exports.opensearch import files
from sparseembed.exports.opensearch.analysis import CHAINS, query_analysis
from sparseembed.exports.opensearch.documents import id_of, lines_of
from sparseembed.exports.opensearch.forms import FORMS, Space, check_index_name, feature, index_body
from sparseembed.exports.opensearch.queries import check_match, match_body, query_body, terms_body
from sparseembed.exports.registry import export_index
from sparseembed.exports.sink import Exported

GOLDEN = Path(__file__).parent / "golden"
ENGLISH = Space("word", "lucene-english")
DOCUMENT = Exported("d/1", "Whales, 3.5 of them", {"whale": 7, "3.5": 2, "a~b": 1}, metadata_of({"year": 1999}))
METADATA = {"year": {"type": "double"}, "by": {"properties": {"name": {"type": "keyword", "ignore_above": 8191}}}}


def golden(name, text):
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def as_text(value):
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("to", FORMS)
def test_the_body_of_an_index(to):
    golden(f"{to}-index.json", as_text(index_body(FORMS[to], ENGLISH, METADATA, {"form": to, "commit": "c"})))


@pytest.mark.parametrize("to", FORMS)
def test_bulk_lines(to):
    long = DOCUMENT._replace(id="x" * 513, text="", metadata=metadata_of({}))
    lines = b"".join(lines_of(FORMS[to], ENGLISH, each) for each in (DOCUMENT, long))
    golden(f"{to}-bulk.ndjson", lines.decode())


def test_bodies_of_queries():
    bodies = {to: terms_body(to, {"whale": 2, "3.5": 1}, 5) for to in FORMS}
    golden("queries.json", as_text({"text": match_body("Whales' \ufb01ns", 5), **bodies}))


def test_analysis_of_each_language():
    found = {name: query_analysis(name) for name in CHAINS}
    for each in found.values():
        for char_filter in each.get("char_filter", {}).values():
            char_filter["mappings"] = len(char_filter["mappings"])  # the rules stand in an index's body
    golden("analysis.json", as_text(found))


def test_ids_that_are_too_long_get_a_digest():
    assert id_of("é" * 256) == "é" * 256
    assert id_of("é" * 257).startswith("sha256:")
    assert len({id_of("é" * 257), id_of("é" * 258), id_of(id_of("é" * 257))}) == 3


def test_features_have_no_dots_and_stay_apart():
    terms = ["a.b", "a~db", "a~d", "a~.", "~", "~t", "."]
    assert not any("." in feature(term) for term in terms)
    assert len(set(map(feature, terms))) == len(terms)


def test_a_term_that_holds_the_delimiter_is_refused():
    space = Space("word", "whitespace")
    lines = lines_of(FORMS["opensearch"], space, Exported("d", "", {"a|b": 3}))
    assert json.loads(lines.splitlines()[1])["impacts"] == "a|b\u241f3"
    with pytest.raises(DataError, match="ends a term"):
        lines_of(FORMS["opensearch"], space, Exported("d", "", {"a\u241f": 3}))


def test_where_a_text_is_no_query():
    check_match(FORMS["opensearch"], ENGLISH)
    for to, space, told in (
        ("opensearch", Space("word", UNICODE), "analyzer unicode"),
        ("elasticsearch", Space("folded", None), "pieces of the term space folded"),
        ("elasticsearch-vector", ENGLISH, "sparse_vector takes no text"),
    ):
        with pytest.raises(ConfigError, match=told):
            check_match(FORMS[to], space)


def test_a_body_for_a_text_or_for_weighted_terms():
    assert query_body("opensearch", "whales", 3) == match_body("whales", 3)
    for to in FORMS:
        assert query_body(to, {"whale": 2}, 3) == terms_body(to, {"whale": 2}, 3)
    with pytest.raises(ConfigError, match="takes no text"):
        query_body("elasticsearch-vector", "whales")
    with pytest.raises(ConfigError, match="k is 0"):
        query_body("opensearch", "whales", 0)
    with pytest.raises(ConfigError, match="unknown form"):
        query_body("solr", "whales")


def test_names_of_indexes():
    assert check_index_name("my_index-2.b") == "my_index-2.b"
    with pytest.raises(ConfigError, match="--name my-index"):
        check_index_name("My Index")


@pytest.fixture(scope="module")
def folder(tiny_model, tmp_path_factory):
    documents = [Document(f"d{n}", "", f"A cat sat on mat {n}.", {"n": n, "tag": ["x", n]}) for n in range(9)]
    return small_index(tiny_model, tmp_path_factory, documents, k=8)


@pytest.mark.jvm
def test_a_folder_of_files(folder, tmp_path, monkeypatch, silence):
    monkeypatch.setattr(files, "LARGEST", 900)
    for out, more in (("plain", []), ("packed", ["--gzip"]), ("again", ["--gzip"])):
        options = ["--to", "opensearch", "--out", str(tmp_path / out), "--name", "cats", *more]
        assert main(["export", str(folder), *options]) == 0
    names = [file.name for file in sorted((tmp_path / "plain").iterdir())]
    assert names[:2] == ["bulk-00000.ndjson", "bulk-00001.ndjson"]
    assert names[-2:] == ["index.json", "query.json"]
    lines = b"".join((tmp_path / "plain" / name).read_bytes() for name in names[:-2])
    assert [json.loads(line)["create"]["_id"] for line in lines.splitlines()[::2]] == [f"d{n}" for n in range(9)]
    packed = sorted((tmp_path / "packed").glob("bulk-*.ndjson.gz"))
    assert b"".join(gzip.decompress(file.read_bytes()) for file in packed) == lines
    for file in packed:
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    body = json.loads((tmp_path / "plain" / "index.json").read_text())
    fields = body["mappings"]["properties"]["metadata"]["properties"]
    assert fields == {"n": {"type": "double"}, "tag": {"type": "keyword", "ignore_above": 8191}}
    assert json.loads((tmp_path / "plain" / "query.json").read_text())["text"]["query"] == {
        "match": {"impacts": "TEXT"}
    }


@pytest.mark.jvm
def test_fields_that_no_engine_allows(tiny_model, tmp_path_factory, tmp_path):
    for bad in ({"a..b": 1}, {" ": 1}, {"a": 1, "a.b": 2}):
        index = small_index(tiny_model, tmp_path_factory, [Document("d", "", "A cat sat.", bad)], k=8)
        with pytest.raises(ConfigError, match="metadata field"):
            export_index(index, "opensearch", tmp_path / "out", name="cats")
        assert not (tmp_path / "out").exists()
