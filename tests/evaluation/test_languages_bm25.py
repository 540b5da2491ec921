"""BM25 of each language against Anserini's own programs with `-language`: the same hits and the same scores."""

import json

import pytest
from made_languages import TEXTS, documents

from sparseembed.analyzers.languages import BY_LANGUAGE
from sparseembed.analyzers.lucene import knows_thai
from sparseembed.engines.bm25 import Bm25Engine, Bm25Index
from sparseembed.evaluation.anserini import FEEDBACK, FeedbackSearcher, index_with_terms
from sparseembed.java.jvm import java

pytestmark = pytest.mark.jvm
UNKNOWN = ("sw",)  # to Anserini's searcher, though its indexer knows it


def anserini(folder, language):
    """Index by Anserini's own program, and open its own searcher."""
    (folder / "texts").mkdir()
    lines = [json.dumps({"id": name, "contents": text}) for name, text in documents(language)]
    (folder / "texts" / "docs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    arguments = {
        "-collection": "JsonCollection",
        "-input": str(folder / "texts"),
        "-index": str(folder / "index"),
        "-generator": "DefaultLuceneDocumentGenerator",
        "-threads": "1",
        "-language": language,
    }
    java("org.apache.logging.log4j.core.config.Configurator").setLevel(
        "io.anserini", java("org.apache.logging.log4j.Level").WARN
    )
    java("io.anserini.index.IndexCollection").main([word for pair in arguments.items() for word in pair])
    searcher = java("io.anserini.search.SimpleSearcher")(str(folder / "index"))
    searcher.set_bm25(0.9, 0.4)
    if language in UNKNOWN:
        searcher.set_analyzer(java("org.apache.lucene.analysis.core.WhitespaceAnalyzer")())
    else:
        searcher.set_language(language)
    return searcher


@pytest.mark.parametrize("language", TEXTS)
def test_hits_and_scores_are_those_of_anserini(tmp_path, language):
    if language == "th" and not knows_thai():
        pytest.skip("this Java has no Thai dictionary")
    theirs, analyzer = anserini(tmp_path, language), BY_LANGUAGE[language]
    Bm25Index.build(tmp_path / "ours", documents(language), analyzer)
    found = 0
    with Bm25Engine(tmp_path / "ours", analyzer=analyzer) as ours:
        for query in [*TEXTS[language][1], *TEXTS[language][0]]:
            wanted = [(hit.docid, round(hit.score, 4)) for hit in theirs.search(query, 10)]
            got = [(hit.id, round(hit.score, 4)) for hit in ours.search(query, 10)]
            assert [name for name, _ in got] == [name for name, _ in wanted]
            assert [score for _, score in got] == pytest.approx([score for _, score in wanted], abs=1e-4)
            found += len(got)
    theirs.close()
    assert found > len(TEXTS[language][0])


@pytest.mark.parametrize("analyzer", ["lucene-russian", "lucene-german", "cjk", "unicode", "whitespace"])
def test_feedback_reads_the_same_words(tmp_path, analyzer):
    language = {"lucene-russian": "ru", "cjk": "ja", "whitespace": "sw"}.get(analyzer, "de")
    index_with_terms(tmp_path / "theirs", documents(language), analyzer)
    Bm25Index.build(tmp_path / "ours", documents(language), analyzer)
    query = TEXTS[language][1][0]
    plain = FeedbackSearcher(tmp_path / "theirs", None, analyzer)
    with Bm25Engine(tmp_path / "ours", analyzer=analyzer) as ours:
        wanted = ours.search(query, 10)
        got = plain.search(query, 10)
        assert [hit.id for hit in got] == [hit.id for hit in wanted]
        assert [hit.score for hit in got] == pytest.approx([hit.score for hit in wanted], abs=1e-4)
    plain.close()
    for kind in FEEDBACK:
        searcher = FeedbackSearcher(tmp_path / "theirs", kind, analyzer)
        assert searcher.search(query, 10)[0].id == wanted[0].id
        searcher.close()
