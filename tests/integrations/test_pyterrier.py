"""The PyTerrier transformer: PyTerrier's own test case, the searcher's hits, operators, an experiment, the indexer."""

import pytest

pytest.importorskip("pyterrier")

import ir_measures
import pandas as pd
import pyterrier as pt
from pyterrier import testing

from sparseembed import Searcher
from sparseembed.errors import ConfigError, DataError, IndexFolderError
from sparseembed.evaluation.measures import evaluate
from sparseembed.integrations.pyterrier import SearchTransformer, SparseEmbedIndexer, SparseEmbedRetriever

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]


@pytest.fixture
def retriever(small_index):
    return SparseEmbedRetriever(small_index)


@pytest.fixture
def topics(small):
    return pd.DataFrame([*small["QUERIES"].items(), ("none", "zorblax")], columns=["qid", "query"])


class TestStandard(testing.TransformerTestCase):
    @pytest.fixture(autouse=True)
    def _index(self, small_index):
        self.transformer = SparseEmbedRetriever(small_index)

    @staticmethod
    def get_transformer():
        return None


def ids_by_query(frame):
    ranked = frame.sort_values(["qid", "rank"])
    return {qid: group["docno"].tolist() for qid, group in ranked.groupby("qid")}


def hits_of(small_index, topics, k):
    with Searcher.open(small_index) as searcher:
        return {row.qid: searcher.search(row.query, k) for row in topics.itertuples()}


def test_results_are_the_searchers_hits(retriever, topics, small_index):
    frame = retriever(topics.assign(qextra=7))
    hits = hits_of(small_index, topics, 1000)
    assert list(frame.columns) == ["qid", "query", "qextra", "docno", "score", "rank"]
    wanted = [(qid, hit.id, hit.rank - 1) for qid, found in hits.items() for hit in found]
    assert list(frame[["qid", "docno", "rank"]].itertuples(index=False, name=None)) == wanted
    scores = [hit.score for found in hits.values() for hit in found]
    assert frame["score"].tolist() == pytest.approx(scores, rel=1e-6)
    assert (frame.groupby("qid")["score"].diff().dropna() < 0).all()
    assert set(frame["qextra"]) == {7}
    assert "none" not in set(frame["qid"])
    assert retriever.search("zorblax").empty
    assert retriever(topics.iloc[:0]).empty
    assert retriever([{"qid": "1", "query": "moon"}])[0]["docno"] == retriever.search("moon").iloc[0]["docno"]


def test_operators(retriever, topics, small_index):
    hits = hits_of(small_index, topics, 1000)
    three = {qid: [hit.id for hit in found[:3]] for qid, found in hits.items() if found}
    assert ids_by_query((retriever % 3)(topics)) == three
    fused = (retriever % 3).compile()
    assert isinstance(fused, SparseEmbedRetriever)
    assert (fused.num_results, retriever.num_results) == (3, 1000)
    assert ids_by_query(fused(topics)) == three
    assert ids_by_query((retriever % 3 >> retriever)(topics)) == three
    twice = (retriever + retriever)(topics)
    scores = {(row.qid, row.docno): row.score for row in twice.itertuples()}
    wanted = {(qid, hit.id): 2 * hit.score for qid, found in hits.items() for hit in found}
    assert scores == pytest.approx(wanted, rel=1e-6)
    features = (retriever % 3 >> (pt.Transformer.identity() ** retriever))(topics)
    assert len(features) == sum(map(len, three.values()))
    for row in features.itertuples():
        assert list(row.features) == pytest.approx([row.score, row.score], rel=1e-6)
    assert ids_by_query((retriever % 3 | retriever % 2)(topics).assign(rank=0)).keys() == three.keys()


def test_documents_that_are_given_are_scored(retriever, small_index):
    given = pd.DataFrame(
        [("1", "moon", "oak"), ("1", "moon", "tide"), ("1", "moon", "nothing")], columns=["qid", "query", "docno"]
    )
    with Searcher.open(small_index) as searcher:
        scores = {hit.id: hit.score for hit in searcher.search("moon", 20)}
    assert retriever(given)["score"].tolist() == [scores.get("oak", 0), scores["tide"], 0]


def test_an_experiment(retriever, topics, small, small_index):
    qrels = pd.DataFrame(
        [(q, d, grade) for q, judged in small["QRELS"].items() for d, grade in judged.items()],
        columns=["qid", "docno", "label"],
    )
    table = pt.Experiment(
        [retriever, retriever % 1],
        topics,
        qrels,
        eval_metrics=[ir_measures.nDCG @ 10, ir_measures.RR @ 10],
        names=["all", "one"],
    )
    hits = hits_of(small_index, topics, 1000)
    for row, run in (("all", hits), ("one", {qid: found[:1] for qid, found in hits.items()})):
        means = evaluate(run, small["QRELS"], ["nDCG@10", "RR@10"]).means
        found = table.set_index("name").loc[row]
        assert [found["nDCG@10"], found["RR@10"]] == pytest.approx([means["nDCG@10"], means["RR@10"]], abs=1e-9)


def test_the_indexer(small, made_embedder, tmp_path):
    documents = [
        {"docno": each.id, "title": each.title, "text": each.text, "year": each.metadata["year"]}
        for each in small["documents"]()
    ]
    indexer = SparseEmbedIndexer(tmp_path / "made", ("title", "text"), made_embedder, k=40)
    retriever = indexer.index(iter(documents))
    assert retriever.search("milk").iloc[0]["docno"] == "whale"
    assert retriever.searcher.metadata("whale") == {"year": 2019}
    assert retriever.searcher.text("oak") == next(each.contents for each in small["documents"]() if each.id == "oak")
    with pytest.raises(IndexFolderError, match="--overwrite"):
        indexer.index(documents[:3])
    indexer.overwrite = True
    assert (
        len((pt.apply.text(lambda row: row["text"] + " zorblax") >> indexer).index(documents[:3]).search("zorblax"))
        == 3
    )
    twins = [{"docno": docno, "title": "", "text": "whale milk"} for docno in "abc"]
    qrels = pd.DataFrame([("1", "a", 1)], columns=["qid", "docno", "label"])
    topics = pd.DataFrame([("1", "milk")], columns=["qid", "query"])
    table = pt.Experiment([indexer.index(twins)], topics, qrels, eval_metrics=[ir_measures.RR])
    assert table["RR"].tolist() == [1]  # tied, and first by id
    with pytest.raises(ConfigError, match="has no title"):
        indexer.index([{"docno": "1", "text": "a"}])
    with pytest.raises(DataError, match="twice"):
        indexer.index([documents[0], documents[0]])


def test_a_cutoff_below_one_and_no_index(small_index, tmp_path):
    with Searcher.open(small_index) as searcher, pytest.raises(ConfigError, match="num_results is 0"):
        SearchTransformer(searcher, 0)
    with pytest.raises(IndexFolderError, match="no index"):
        SparseEmbedRetriever(tmp_path)


def test_the_example(run_example):
    names, out = run_example("pyterrier_experiment.py")
    assert list(names["table"]["name"]) == ["BM25", "one index", "BM25's first five, scored anew", "sum"]
    assert names["table"]["ndcg_cut_10"].min() > 0.3
    assert "one index" in out
