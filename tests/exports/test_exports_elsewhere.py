"""Exports that whole programs index: Anserini's IndexCollection on JSONL, PISA on CIFF."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from sparseembed.exports.asking import settled
from sparseembed.exports.registry import export_index

pytestmark = pytest.mark.jvm


@pytest.mark.pyserini
@pytest.mark.parametrize("gzip", [False, True])
def test_anserini_indexes_the_vectors_and_finds_our_hits(made_index, tmp_path, impact_queries, our_hits, gzip):
    from sparseembed.java.jvm import java

    export_index(made_index, "jsonl", tmp_path / "out", gzip=gzip)
    assert [each.suffix for each in (tmp_path / "out").iterdir()] == [".gz" if gzip else ".jsonl"]
    arguments = {
        "-collection": "JsonVectorCollection",
        "-input": str(tmp_path / "out"),
        "-index": str(tmp_path / "index"),
        "-generator": "DefaultLuceneDocumentGenerator",
        "-threads": "1",
        "-memoryBuffer": "64",
    }
    words = [word for pair in arguments.items() for word in pair]
    java("io.anserini.index.IndexCollection").main([*words, "-impact", "-pretokenized"])
    stock = java("io.anserini.search.SimpleImpactSearcher")(str(tmp_path / "index"))

    def asked(query):
        weights = java("java.util.HashMap")()
        for term, weight in query.items():
            weights.put(term, java("java.lang.Integer")(weight))
        # Scores are lowered a little where they are tied.
        return lambda limit: [(hit.docid, round(hit.score)) for hit in stock.search(weights, limit)]

    for query, hits in zip(impact_queries, our_hits[10], strict=True):
        found = settled(asked(query), 10) if query else []
        assert [(hit.id, hit.score) for hit in found] == hits


def ciff_to_pisa(source, prefix):
    """Write PISA's own files of a CIFF file, as pyciff's function of that name does."""
    from ciff_toolkit.read import CiffReader

    def sequence(handle, values):
        np.array([len(values), *values], dtype="<u4").tofile(handle)

    with CiffReader(source) as reader:
        documents = reader.header.num_docs
        with Path(f"{prefix}.docs").open("wb") as docs, Path(f"{prefix}.freqs").open("wb") as freqs:
            sequence(docs, [documents])
            terms = []
            for each in reader.read_postings_lists():
                terms.append(each.term)
                sequence(docs, np.cumsum([posting.docid for posting in each.postings]).tolist())
                sequence(freqs, [posting.tf for posting in each.postings])
        records = list(reader.read_documents())
    with Path(f"{prefix}.sizes").open("wb") as sizes:
        sequence(sizes, [each.doclength for each in records])
    for name, lines in (("terms", terms), ("documents", [each.collection_docid for each in records])):
        with Path(f"{prefix}.{name}").open("w", encoding="utf-8") as handle:
            handle.writelines(line + "\n" for line in lines)


def test_pisa_searches_the_ciff_file(made_index, tmp_path, impact_queries, our_hits, monkeypatch):
    pisa, pandas = pytest.importorskip("pyterrier_pisa"), pytest.importorskip("pandas")
    pytest.importorskip("ciff_toolkit.read")
    export_index(made_index, "ciff", tmp_path / "out")
    # pyciff is a Rust package without wheels: its one function that is needed is written above.
    monkeypatch.setitem(sys.modules, "pyciff", types.SimpleNamespace(ciff_to_pisa=ciff_to_pisa))
    with pytest.warns(UserWarning, match="stemmer"):
        index = pisa.PisaIndex.from_ciff(str(tmp_path / "out" / "index.ciff"), str(tmp_path / "pisa"), stemmer="none")
    # PISA repeats a term as often as it weighs: plain queries alone.
    plain = {str(n): (query, our_hits[10][n]) for n, query in enumerate(impact_queries) if query and n % 2}
    frame = pandas.DataFrame({"qid": list(plain), "query_toks": [query for query, _ in plain.values()]})
    found = index.quantized(num_results=300, toks_scale=1.0, query_algorithm="ranked_or").transform(frame)
    assert len(plain) > 140
    for qid, (_, hits) in plain.items():
        rows = found[found.qid == qid]
        ranked = list(zip(rows.docno, rows.score.tolist(), strict=True))
        assert [(hit.id, hit.score) for hit in settled(lambda limit, all=ranked: all[:limit], 10)] == hits
