"""The LangChain retriever: LangChain's standard tests, the searcher's hits, filters, and a chain."""

import asyncio
import copy
import pickle

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("langchain_tests")
pytest.importorskip("pytest_asyncio")

from langchain_core.runnables import ConfigurableField
from langchain_tests.integration_tests import RetrieversIntegrationTests

from sparseembed import Searcher
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.integrations.langchain import SparseEmbedRetriever

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
QUERY = "the light of the sun and the sea"


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore:.*is marked with.*asyncio")
class TestStandard(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _index(self, small_index):
        self.folder = small_index

    @property
    def retriever_constructor(self):
        return SparseEmbedRetriever

    @property
    def retriever_constructor_params(self):
        return {"index": str(self.folder)}

    @property
    def retriever_query_example(self):
        return QUERY


def test_documents_are_the_searchers_hits(small_index):
    retriever = SparseEmbedRetriever(index=small_index, k=5)
    with Searcher.open(small_index) as searcher:
        hits = searcher.search(QUERY, 5)
        found = retriever.invoke(QUERY)
        assert [(each.id, each.metadata["score"]) for each in found] == [(hit.id, hit.score) for hit in hits]
        assert [each.page_content for each in found] == [searcher.text(hit.id) for hit in hits]
        for each, hit in zip(found, hits, strict=True):
            assert each.metadata == {**hit.metadata, "score": hit.score}
        assert SparseEmbedRetriever(index=searcher, k=5, score_key=None).invoke(QUERY)[0].metadata == hits[0].metadata
        assert asyncio.run(retriever.ainvoke(QUERY)) == found
        assert retriever.batch([QUERY, ""]) == [found, []]
        assert asyncio.run(retriever.ainvoke(QUERY, k=2)) == found[:2]
        assert asyncio.run(retriever.abatch([QUERY] * 16)) == [found] * 16


def test_filters_in_both_forms(small_index):
    retriever = SparseEmbedRetriever(index=str(small_index), k=12)
    with Searcher.open(small_index) as searcher:
        wanted = [hit.id for hit in searcher.search(QUERY, 12, ["topic=sky|earth", "year>=2015"])]
    assert len(wanted) > 2
    for given in (
        {"topic": {"$in": ["sky", "earth"]}, "year": {"$gte": 2015}},
        {"$or": [{"topic": "sky"}, {"topic": "earth"}], "year": {"$gte": 2015}},
        {"$and": [{"$not": {"topic": {"$in": ["animals", "plants"]}}}, {"year": {"$gt": 2014}}]},
        ["topic=sky|earth", "year>=2015"],
    ):
        assert [each.id for each in retriever.invoke(QUERY, filter=given)] == wanted
        assert [
            each.id for each in SparseEmbedRetriever(index=str(small_index), k=12, filter=given).invoke(QUERY)
        ] == wanted
    assert not retriever.invoke(QUERY, filter={"year": None})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"$or": [{"topic": "sky"}, {"year": 2014}]}, "OR over 2 conditions cannot be searched with"),
        ({"$nor": []}, r"\$nor"),
        ({"year": {"$regex": "2.*"}}, "operators are"),
        ({"year": {"$gte": "yesterday"}}, "holds number"),
    ],
)
def test_filters_that_cannot_be_searched_with(small_index, given, message):
    with pytest.raises(ConfigError, match=message):
        SparseEmbedRetriever(index=str(small_index)).invoke(QUERY, filter=given)


def test_options_are_those_of_the_searcher(small_index, made_embedder):
    options = {"rescore": 12, "embedder": made_embedder}
    found = SparseEmbedRetriever(index=str(small_index), options=options).invoke(QUERY)
    with Searcher.open(small_index, **options) as searcher:
        hits = searcher.search(QUERY, 10)
    assert [(each.id, each.metadata["score"]) for each in found] == [(hit.id, hit.score) for hit in hits]


def test_k_can_be_configured(small_index):
    retriever = SparseEmbedRetriever(index=str(small_index)).configurable_fields(k=ConfigurableField(id="k"))
    assert len(retriever.invoke(QUERY, config={"configurable": {"k": 2}})) == 2


def test_it_can_be_pickled_and_copied(small_index):
    retriever = SparseEmbedRetriever(index=str(small_index), k=3, filter="year>=2000")

    def found(each):
        return [document.id for document in each.invoke("light")]

    assert found(retriever)
    for other in (pickle.loads(pickle.dumps(retriever)), copy.copy(retriever), copy.deepcopy(retriever)):
        assert found(other) == found(retriever)


def test_no_index(tmp_path):
    with pytest.raises(IndexFolderError, match="no index"):
        SparseEmbedRetriever(index=str(tmp_path))


def test_the_example(run_example):
    names, out = run_example("langchain_rag.py")
    assert names["answer"] == "See whale."
    assert "sun {'topic': 'sky', 'year': 2014, 'score': " in out
