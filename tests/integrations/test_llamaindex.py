"""The LlamaIndex retriever: the searcher's hits as nodes, filters, a query engine, and the example."""

import asyncio
import copy
import pickle

import pytest

pytest.importorskip("llama_index.core")

from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.vector_stores import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from sparseembed import Searcher
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.integrations.llamaindex import SparseEmbedRetriever

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
QUERY = "the light of the sun and the sea"


def test_nodes_are_the_searchers_hits(small_index):
    retriever = SparseEmbedRetriever(small_index, similarity_top_k=5)
    nodes = retriever.retrieve(QUERY)
    with Searcher.open(small_index) as searcher:
        hits = searcher.search(QUERY, 5)
        assert [(each.node_id, each.score, each.metadata) for each in nodes] == [
            (hit.id, hit.score, hit.metadata) for hit in hits
        ]
        assert [each.text for each in nodes] == [searcher.text(hit.id) for hit in hits]
    assert asyncio.run(retriever.aretrieve(QUERY)) == nodes
    assert retriever.retrieve("") == []


def metadata(key, value, operator=FilterOperator.EQ):
    return MetadataFilter(key=key, value=value, operator=operator)


@pytest.mark.parametrize(
    ("filters", "same"),
    [
        (MetadataFilters(filters=[metadata("topic", "sky")]), "topic=sky"),
        (MetadataFilters(filters=[metadata("topic", ["sky", "earth"], FilterOperator.IN)]), "topic=sky|earth"),
        (MetadataFilters(filters=[metadata("topic", ["sky", "earth"], FilterOperator.NIN)]), "topic!=sky|earth"),
        (
            MetadataFilters(filters=[metadata("topic", "sky"), metadata("year", 2010, FilterOperator.GTE)]),
            ["topic=sky", "year>=2010"],
        ),
        (
            MetadataFilters(
                filters=[metadata("topic", "sky"), metadata("topic", "earth")], condition=FilterCondition.OR
            ),
            "topic=sky|earth",
        ),
        (
            MetadataFilters(
                filters=[
                    MetadataFilters(filters=[metadata("topic", "sky")], condition=FilterCondition.NOT),
                    metadata("year", None, FilterOperator.NE),
                ]
            ),
            ["topic!=sky", "year=*"],
        ),
        (["topic=sky"], "topic=sky"),
    ],
)
def test_filters(small_index, filters, same):
    nodes = SparseEmbedRetriever(small_index, 12, filters).retrieve(QUERY)
    with Searcher.open(small_index) as searcher:
        assert [each.node_id for each in nodes] == [hit.id for hit in searcher.search(QUERY, 12, same)]
        assert 0 < len(nodes) < len(searcher.search(QUERY, 12))


def test_filters_that_cannot_be_searched_with(small_index):
    either = MetadataFilters(filters=[metadata("topic", "sky"), metadata("year", 2014)], condition=FilterCondition.OR)
    with pytest.raises(ConfigError, match="OR over 2 conditions"):
        SparseEmbedRetriever(small_index, filters=either)
    with pytest.raises(ConfigError, match="text_match"):
        SparseEmbedRetriever(
            small_index, filters=MetadataFilters(filters=[metadata("topic", "s", FilterOperator.TEXT_MATCH)])
        )


def test_it_feeds_a_query_engine(small_index):
    engine = RetrieverQueryEngine.from_args(SparseEmbedRetriever(small_index, 2), llm=MockLLM())
    response = engine.query("which animal gives milk to its young")
    assert "whale" in [node.node_id for node in response.source_nodes]
    assert "feeds its young with milk" in str(response)  # the model that repeats its prompt saw the text


def test_it_can_be_pickled_and_copied(small_index):
    retriever = SparseEmbedRetriever(str(small_index), 3, filters="year>=2000")

    def found(each):
        return [node.node_id for node in each.retrieve("light")]

    assert found(retriever)
    for other in (pickle.loads(pickle.dumps(retriever)), copy.copy(retriever), copy.deepcopy(retriever)):
        assert found(other) == found(retriever)


def test_no_index(tmp_path):
    with pytest.raises(IndexFolderError, match="no index"):
        SparseEmbedRetriever(str(tmp_path))


def test_the_example(run_example):
    names, _ = run_example("llamaindex_hybrid.py")
    assert len(names["answer"].source_nodes) == 3
    assert "whale" in [node.node_id for node in names["answer"].source_nodes]
