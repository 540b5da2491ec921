"""Exports to files: each read back by the library or the engine that it is for."""

import json
import re

import numpy as np
import pytest

from sparseembed import progress
from sparseembed.cli import main
from sparseembed.engines.exact import ExactEngine
from sparseembed.errors import ConfigError, DataError
from sparseembed.exports import ciff, parquet, seismic, spool
from sparseembed.exports.registry import SINKS, export_index, open_export
from sparseembed.exports.sink import documents_of
from sparseembed.exports.terms import Terms
from sparseembed.index.snapshot import open_snapshot

pytestmark = pytest.mark.jvm


@pytest.fixture(scope="module")
def exported(made_index):
    """The documents that are exported."""
    snapshot = open_snapshot(made_index)
    yield list(documents_of(snapshot))
    snapshot.close()


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def record_of(document):
    return {"id": document.id, "contents": document.text} | (
        {"metadata": dict(document.metadata)} if document.metadata else {}
    )


def test_npz_is_read_by_scipy(made_index, tmp_path, exported, agrees, monkeypatch):
    from scipy import sparse

    export_index(made_index, "npz", tmp_path / "out")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "documents.jsonl",
        "export.json",
        "terms.txt",
        "vectors.npz",
    ]
    matrix = sparse.load_npz(tmp_path / "out" / "vectors.npz")
    terms = Terms.read(tmp_path / "out" / "terms.txt").list
    documents = lines_of(tmp_path / "out" / "documents.jsonl")
    assert documents == [record_of(each) for each in exported]
    assert matrix.shape == (300, len(terms))
    assert matrix.has_sorted_indices
    rows = [matrix[row] for row in range(300)]
    vectors = [dict(zip([terms[c] for c in row.indices], row.data.tolist(), strict=True)) for row in rows]
    assert vectors == [each.impacts for each in exported]
    agrees(ExactEngine([each["id"] for each in documents], vectors))
    monkeypatch.setattr("sparseembed.exports.npz._LARGE", 5)  # as if there were two thousand million postings
    export_index(made_index, "npz", tmp_path / "wide")
    wide = sparse.load_npz(tmp_path / "wide" / "vectors.npz")
    with np.load(tmp_path / "wide" / "vectors.npz") as arrays:
        assert arrays["indices"].dtype == arrays["indptr"].dtype == np.int64
    assert (wide != matrix).nnz == 0


def test_npz_has_the_same_bytes_each_time(made_index, tmp_path):
    for name in ("a", "b"):
        export_index(made_index, "npz", tmp_path / name)
    assert (tmp_path / "a" / "vectors.npz").read_bytes() == (tmp_path / "b" / "vectors.npz").read_bytes()


def ciff_of(path):
    """Read a file with ciff-toolkit: header, postings by term, documents."""
    pytest.importorskip("google.protobuf")
    try:
        from ciff_toolkit.read import CiffReader
    except (ImportError, AttributeError) as error:
        pytest.skip(f"ciff-toolkit: {error}")
    with CiffReader(path) as reader:
        header = reader.header
        lists = [
            (each.term, each.df, each.cf, [(p.docid, p.tf) for p in each.postings])
            for each in reader.read_postings_lists()
        ]
        documents = [(each.docid, each.collection_docid, each.doclength) for each in reader.read_documents()]
    return header, lists, documents


def test_ciff_is_read_by_its_toolkit(made_index, tmp_path, exported, agrees, monkeypatch):
    monkeypatch.setattr(spool, "_CHUNK", 501)
    export_index(made_index, "ciff", tmp_path / "out")
    header, lists, documents = ciff_of(tmp_path / "out" / "index.ciff")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "documents.jsonl",
        "export.json",
        "index.ciff",
        "terms.txt",
    ]
    assert documents == [(n, each.id, sum(each.impacts.values())) for n, each in enumerate(exported)]
    assert [term for term, *_ in lists] == Terms.of(made_index).list
    vectors = [{} for _ in exported]
    for term, df, cf, postings in lists:
        assert (df, cf) == (len(postings), sum(impact for _, impact in postings))
        number = 0
        for gap, impact in postings:
            number += gap
            vectors[number][term] = impact
    assert vectors == [each.impacts for each in exported]
    assert (header.version, header.num_docs, header.total_docs) == (1, 300, 300)
    assert header.num_postings_lists == header.total_postings_lists == len(lists)
    assert header.total_terms_in_collection == sum(length for *_, length in documents)
    assert header.average_doclength == pytest.approx(header.total_terms_in_collection / 300)
    agrees(ExactEngine([doc_id for _, doc_id, _ in documents], vectors))


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31 - 1, 2**40])
def test_varints(number):
    raw = ciff.varint(number)
    assert sum((byte & 127) << 7 * place for place, byte in enumerate(raw)) == number
    assert [byte >> 7 for byte in raw] == [1] * (len(raw) - 1) + [0]


def test_hugging_face_dataset_is_loaded(made_index, tmp_path, exported, agrees, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(parquet, "SHARD", 128)
    export_index(made_index, "huggingface", tmp_path / "out", batch=50)
    assert len(list((tmp_path / "out" / "data").iterdir())) == 3
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    vectors = [dict(zip(each["terms"], each["impacts"], strict=True)) for each in loaded]
    assert [list(each.items()) for each in vectors] == [list(each.impacts.items()) for each in exported]
    assert list(loaded["id"]) == [each.id for each in exported]
    assert list(loaded["text"]) == [each.text for each in exported]
    metadata = [json.loads(each) if each else {} for each in loaded["metadata"]]
    assert metadata == [dict(each.metadata) for each in exported]
    agrees(ExactEngine(list(loaded["id"]), vectors))


def test_qdrant_edge_finds_our_hits(made_index, tmp_path, agrees):
    pytest.importorskip("qdrant_edge")
    export_index(made_index, "qdrant-edge", tmp_path / "out", batch=64)
    with open_export(tmp_path / "out") as engine:
        assert engine.documents == 300
        agrees(engine)


def test_seismic_finds_most_of_our_hits_with_our_scores(
    made_index, tmp_path, impact_queries, our_hits, exported, monkeypatch
):
    pytest.importorskip("seismic")
    export_index(made_index, "seismic", tmp_path / "out", batch=64)
    exact = ExactEngine.from_pairs((each.id, each.impacts) for each in exported)
    scores = {
        each: {hit.id: hit.score for hit in exact.search(query, 300)}
        for each, query in enumerate(impact_queries)
        if query
    }
    with open_export(tmp_path / "out") as engine:
        assert engine.documents == sum(bool(each.impacts) for each in exported)
        # As it is, most of them; where no block is passed over, all.
        for factor, least_share in ((seismic.HEAP_FACTOR, 0.8), (0.0, 1.0)):
            monkeypatch.setattr(seismic, "HEAP_FACTOR", factor)
            shared = wanted = 0
            for place, (query, hits) in enumerate(zip(impact_queries, our_hits[10], strict=True)):
                found = engine.search(query, 10)
                assert all(hit.score == scores[place][hit.id] for hit in found)
                # Of equal scores, any may be among the ten.
                shared += sum(hit.score >= hits[-1][1] for hit in found) if hits else 0
                wanted += len(hits)
            assert shared >= least_share * wanted


def test_seismic_says_what_it_rounds(made_index, tmp_path, silence, monkeypatch):
    pytest.importorskip("seismic")
    said = []
    reporter = progress.SilentReporter()
    reporter.note = said.append
    progress.set_reporter(reporter)
    monkeypatch.setattr(seismic, "EXACT", 10)
    export_index(made_index, "seismic", tmp_path / "out")
    assert any(re.search("rounds impacts above 10 .* of 2", each) for each in said)


def test_an_export_is_replaced_when_asked_and_nothing_else(made_index, tmp_path):
    export_index(made_index, "npz", tmp_path / "out")
    with pytest.raises(ConfigError, match="--overwrite"):
        export_index(made_index, "npz", tmp_path / "out")
    export_index(made_index, "npz", tmp_path / "out", overwrite=True)
    with pytest.raises(ConfigError, match=r"vectors\.npz.*no export to ciff"):
        export_index(made_index, "ciff", tmp_path / "out", overwrite=True)
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(ConfigError, match=r"mine\.txt"):
        export_index(made_index, "npz", tmp_path / "out", overwrite=True)
    with pytest.raises(ConfigError, match="other programs"):
        open_export(tmp_path / "out")
    with pytest.raises(DataError, match=r"export\.json"):
        open_export(tmp_path)
    with pytest.raises(ConfigError, match="--gzip"):
        export_index(made_index, "npz", tmp_path / "new", gzip=True)


@pytest.mark.parametrize(
    ("form", "module", "package", "line"),
    [
        ("huggingface", "pyarrow", "pyarrow", "files"),
        ("qdrant", "qdrant_client", "qdrant-client", "qdrant"),
        ("qdrant-edge", "qdrant_edge", "qdrant-edge-py", "qdrant-edge"),
        ("milvus", "pymilvus", "pymilvus", "milvus"),
        ("seismic", "seismic", "pyseismic-lsr", "seismic"),
        ("pgvector", "psycopg", "psycopg", "pgvector"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_extra(
    made_index, form, module, package, line, tmp_path, monkeypatch
):
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    where = {"url": "postgresql://localhost"} if form == "pgvector" else {"out": tmp_path / "out"}
    with pytest.raises(ConfigError, match=rf'needs the package {package}[, ].*pip install "sparseembed\[{line}\]"'):
        export_index(made_index, form, **where)
    assert list(tmp_path.iterdir()) == []  # nothing that would pass for an export


def test_every_format_says_what_it_is():
    assert all(form.help and "\n" not in form.help and len(form.help) < 96 for form in SINKS.values())


def test_the_help_names_each_key_once_with_all_that_take_it(capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    told = capsys.readouterr().out.partition("environment:")[2].partition("\n\n")[0].strip().splitlines()
    keys = {}
    for line in told:
        key, names = line.split(" key for ")
        keys[key.strip()] = names.split(" and ")
    assert len(keys) == len(told)
    assert keys == {
        form.key: [name for name, other in SINKS.items() if other.key == form.key]
        for form in SINKS.values()
        if form.key
    }
