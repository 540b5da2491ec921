"""The Haystack retriever: in a pipeline, as YAML and back, filters, both policies, and the example."""

import asyncio
import copy
import pickle

import pytest

pytest.importorskip("haystack")

from haystack import Pipeline
from haystack.core.serialization import component_from_dict, component_to_dict
from haystack.document_stores.in_memory import InMemoryDocumentStore

from sparseembed import Searcher
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.integrations.haystack import SparseEmbedRetriever

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
QUERY = "the light of the sun and the sea"


def topic(value, operator="=="):
    return {"field": "meta.topic", "operator": operator, "value": value}


def year(operator, value):
    return {"field": "meta.year", "operator": operator, "value": value}


def test_documents_are_the_searchers_hits(small_index):
    retriever = SparseEmbedRetriever(small_index, top_k=5)
    found = retriever.run(QUERY)["documents"]
    with Searcher.open(small_index) as searcher:
        hits = searcher.search(QUERY, 5)
        assert [(each.id, each.score, each.meta) for each in found] == [
            (hit.id, hit.score, hit.metadata) for hit in hits
        ]
        assert [each.content for each in found] == [searcher.text(hit.id) for hit in hits]
    assert asyncio.run(retriever.run_async(QUERY))["documents"] == found
    assert retriever.run(QUERY, top_k=2)["documents"] == found[:2]
    assert retriever.run("")["documents"] == []


def test_it_goes_into_a_pipeline_and_out_of_yaml(small_index):
    pipeline = Pipeline()
    made = SparseEmbedRetriever(str(small_index), topic("sky"), 4, True, "merge", {"engine": "exact"})
    pipeline.add_component("retriever", made)
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=[SparseEmbedRetriever.__module__])
    assert again.get_component("retriever").to_dict() == made.to_dict()
    assert made.to_dict()["init_parameters"] == {
        "index": str(small_index),
        "filters": topic("sky"),
        "top_k": 4,
        "passages": True,
        "filter_policy": "merge",
        "options": {"engine": "exact"},
    }
    found = again.run({"retriever": {"query": QUERY}})["retriever"]["documents"]
    assert found == made.run(QUERY)["documents"]
    assert {each.meta["topic"] for each in found} == {"sky"}
    with Searcher.open(small_index) as searcher:
        opened = SparseEmbedRetriever(searcher)
        assert component_from_dict(SparseEmbedRetriever, component_to_dict(opened, "r"), "r").run(QUERY) == opened.run(
            QUERY
        )


@pytest.mark.parametrize(
    "filters",
    [
        topic("sky"),
        topic(["sky", "earth"], "in"),
        topic(["sky", "earth"], "not in"),
        topic("sky", "!="),
        year(">", 2014),
        {"operator": "AND", "conditions": [topic("sky"), year("<=", 2014)]},
        {"operator": "OR", "conditions": [topic("sky"), topic("earth")]},
        {"operator": "NOT", "conditions": [topic("sky")]},
        {"operator": "AND", "conditions": [{"operator": "NOT", "conditions": [topic(["sky"], "in")]}, year("<", 2018)]},
    ],
)
def test_filters_mean_what_they_mean_in_haystacks_own_store(small, small_index, filters):
    from haystack import Document

    store = InMemoryDocumentStore()
    store.write_documents([Document(id=each.id, meta=dict(each.metadata)) for each in small["documents"]()])
    wanted = {each.id for each in store.filter_documents(filters)}
    retriever = SparseEmbedRetriever(small_index, top_k=12)
    everything = {each.id for each in retriever.run(QUERY)["documents"]}
    assert {each.id for each in retriever.run(QUERY, filters)["documents"]} == wanted & everything
    assert 0 < len(wanted & everything) < len(everything)


def test_policies(small_index):
    for policy, topics in (("replace", {"earth", "sky", "animals", "plants"}), ("merge", {"sky"})):
        retriever = SparseEmbedRetriever(small_index, topic("sky"), 12, filter_policy=policy)
        found = retriever.run(QUERY, year(">=", 2000))["documents"]
        assert {each.meta["topic"] for each in found} <= topics
        assert (len({each.meta["topic"] for each in found}) == 1) == (policy == "merge")
        assert {each.meta["topic"] for each in retriever.run(QUERY)["documents"]} == {"sky"}


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"operator": "OR", "conditions": [topic("sky"), year("==", 2014)]}, "OR over 2 conditions"),
        ({"operator": "NOT", "conditions": [topic("sky"), year("==", 2014)]}, "NOT over 2 conditions"),
        ({"operator": "XOR", "conditions": []}, "AND, OR and NOT"),
        ({"field": "meta.topic", "value": 1}, "has no operator"),
        (topic("s", "startswith"), "operators are"),
    ],
)
def test_filters_that_cannot_be_searched_with(small_index, filters, message):
    with pytest.raises(ConfigError, match=message):
        SparseEmbedRetriever(small_index).run(QUERY, filters)


def test_it_can_be_pickled_and_copied(small_index):
    retriever = SparseEmbedRetriever(str(small_index), top_k=3)

    def found(each):
        return [document.id for document in each.run("light")["documents"]]

    assert found(retriever)
    for other in (pickle.loads(pickle.dumps(retriever)), copy.copy(retriever), copy.deepcopy(retriever)):
        assert found(other) == found(retriever)


def test_no_index(tmp_path):
    with pytest.raises(IndexFolderError, match="no index"):
        SparseEmbedRetriever(str(tmp_path)).warm_up()


def test_the_example(run_example):
    _, out = run_example("haystack_pipeline.py")
    assert "[whale]" in out
    assert "[sun]" not in out
    assert "Question: which animal gives milk to its young" in out
