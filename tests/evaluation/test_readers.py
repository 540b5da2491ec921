"""Run and qrels files as the readers of other tools see them: the same ids, grades and ranking."""

import importlib.util
import json
import os
import subprocess
import sys

import ir_measures
import pytest

from sparseembed.data.qrels import read_qrels
from sparseembed.engines.base import Hit
from sparseembed.errors import DataError
from sparseembed.evaluation.measures import evaluate
from sparseembed.evaluation.runs import read_trec_run, write_trec_qrels, write_trec_run

RUN = {
    "q1": [Hit("a", 9.0, 1), Hit("ü", 9.0, 2), Hit("c-3", 9.0, 3), Hit("d", 2.0, 4)],
    "2": [Hit("x/1", 0.25, 1), Hit("a", -1.5, 2)],
}
QRELS = {"q1": {"a": 2, "d": 1, "c-3": 0}, "2": {"a": 1, "x/1": -1}}


@pytest.fixture
def files(tmp_path):
    write_trec_run(tmp_path / "run.txt", RUN, "ours")
    write_trec_qrels(tmp_path / "qrels.txt", QRELS)
    return tmp_path / "run.txt", tmp_path / "qrels.txt"


def ranking(scores):
    """Rank as trec_eval does: by score, ties by document id, descending."""
    return sorted(scores, key=lambda document: (scores[document], document), reverse=True)


WANTED = {query: [hit.id for hit in hits] for query, hits in RUN.items()}


def test_our_own_readers(files):
    assert {query: [hit.id for hit in hits] for query, hits in read_trec_run(files[0]).items()} == WANTED
    assert read_qrels(files[1]) == QRELS


def test_ir_measures(files):
    run, qrels = list(ir_measures.read_trec_run(str(files[0]))), list(ir_measures.read_trec_qrels(str(files[1])))
    assert [(each.query_id, each.doc_id, each.relevance) for each in qrels] == [
        (query, document, grade) for query, judged in QRELS.items() for document, grade in judged.items()
    ]
    measures = [ir_measures.nDCG @ 10, ir_measures.RR @ 10, ir_measures.R @ 100]
    theirs = ir_measures.calc_aggregate(measures, qrels, run)
    assert {str(measure): value for measure, value in theirs.items()} == pytest.approx(evaluate(RUN, QRELS).means)


def test_trec_eval(files):
    import pytrec_eval

    with files[0].open(encoding="utf-8") as run, files[1].open(encoding="utf-8") as qrels:
        scores, judged = pytrec_eval.parse_run(run), pytrec_eval.parse_qrel(qrels)
    assert {query: ranking(found) for query, found in scores.items()} == WANTED
    assert judged == QRELS
    found = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10"}).evaluate(scores)
    assert {query: each["ndcg_cut_10"] for query, each in found.items()} == evaluate(RUN, QRELS).per_query["nDCG@10"]


RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
run, qrels = Run.from_file(sys.argv[1], kind="trec"), Qrels.from_file(sys.argv[2], kind="trec")
print(json.dumps([run.to_dict(), qrels.to_dict(), evaluate(qrels, run, "ndcg@10")], default=float))
"""


def test_ranx(files):
    if importlib.util.find_spec("ranx") is None:
        pytest.skip("ranx is not installed")
    done = subprocess.run(
        [sys.executable, "-c", RANX, *map(str, files)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},  # compiling takes a minute
        capture_output=True,
        text=True,
        check=True,
    )
    run, qrels, mean = json.loads(done.stdout)
    assert {query: ranking(found) for query, found in run.items()} == WANTED
    assert qrels == QRELS
    assert mean == pytest.approx(evaluate(RUN, QRELS).means["nDCG@10"])


def test_ir_datasets(files):
    from ir_datasets.formats import TrecQrels, TrecScoredDocs
    from ir_datasets.util import LocalDownload

    qrels = TrecQrels(LocalDownload(files[1]), {2: "much", 1: "some", 0: "none", -1: "less"})
    assert [(each.query_id, each.doc_id, each.relevance) for each in qrels.qrels_iter()] == [
        (query, document, grade) for query, judged in QRELS.items() for document, grade in judged.items()
    ]
    scored: dict[str, dict[str, float]] = {}
    for each in TrecScoredDocs(LocalDownload(files[0])).scoreddocs_iter():
        scored.setdefault(each.query_id, {})[each.doc_id] = each.score
    assert {query: ranking(found) for query, found in scored.items()} == WANTED


@pytest.mark.parametrize(("query", "document"), [("q 1", "d"), ("q", ""), ("q", "a\tb")])
def test_ids_that_no_file_can_hold(tmp_path, query, document):
    with pytest.raises(DataError, match="judgements of query"):
        write_trec_qrels(tmp_path / "qrels.txt", {query: {document: 1}})
