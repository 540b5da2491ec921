"""The harness end to end: every system on a small collection with a blank document, its report and its run files."""

import json

import pytest

from sparseembed.data.resolve import open_collection
from sparseembed.evaluation.harness import run_evaluation
from sparseembed.evaluation.systems import SYSTEMS

DOCUMENTS = {
    "cat": "The cat sat on the mat and the dog sat on the cat.",
    "plants": "Green plants make sugar from light, water and carbon dioxide.",
    "whale": "A whale is no fish: it breathes air and feeds its young with milk.",
    "rivers": "Rivers carry water from the mountains to the sea.",
    "sun": "The light of the sun takes eight minutes to reach the earth.",
    "blank": " \n",
}
QUERIES = {"q1": "where does a whale get its air", "q2": "water in the mountains", "q3": "zzz"}
JUDGED = {"q1": {"whale": 2}, "q2": {"rivers": 1, "plants": 1}, "q3": {"sun": 1}}


@pytest.fixture
def collection(tmp_path):
    folder = tmp_path / "small"
    (folder / "qrels").mkdir(parents=True)
    lines = [{"_id": key, "title": "", "text": text} for key, text in DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    lines = [{"_id": key, "text": text} for key, text in QUERIES.items()]
    (folder / "queries.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = [f"{query}\t{document}\t{grade}\n" for query, found in JUDGED.items() for document, grade in found.items()]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    return open_collection(str(folder))


@pytest.mark.jvm
def test_every_system_has_a_row_and_a_run_file_that_gives_its_figures(collection, tiny_embedder, tmp_path):
    import ir_measures

    report = run_evaluation(collection, embedder=tiny_embedder("tied"), indexes=tmp_path / "indexes")
    report.write_runs(tmp_path / "runs")
    content = json.loads(json.dumps(report.content))
    assert (content["dataset"], content["split"], content["queries"], content["documents"]) == ("small", "test", 3, 6)
    assert [(row["system"], row["variant"]) for row in content["rows"]] == [
        name
        for name in SYSTEMS
        if not name[1].endswith(("-small", "-static"))  # which take some dozens of texts to be fitted to
    ]
    for row in content["rows"]:
        run = list(ir_measures.read_trec_run(str(tmp_path / "runs" / f"small.{row['system']}-{row['variant']}.trec")))
        assert all(hit.doc_id != "blank" for hit in run)
        qrels = [ir_measures.Qrel(q, d, grade) for q, found in JUDGED.items() for d, grade in found.items()]
        for measure, value in row["measures"].items():
            (again,) = ir_measures.calc_aggregate([ir_measures.parse_measure(measure)], qrels, run).values()
            assert value == pytest.approx(again, abs=1e-9), (row["system"], row["variant"], measure)
        free = ("flat", "rm3", "rocchio", "aligned-inference-free", "one-index", "one-index-pieces")
        calls = 0 if row["variant"].removesuffix("-feedback") in free else 1
        assert row["query_model_calls"] == calls
    assert {test["baseline"] for test in content["significance"]} == {"bm25 flat", "dense centred", "fusion weighted"}
    assert "one-index" in report.table
