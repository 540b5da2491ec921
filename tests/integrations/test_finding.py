"""What all retrievers share: passages, documents that go, scores of given documents, filters that are joined."""

import shutil

import pytest

from sparseembed import Index, Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError
from sparseembed.index.filters import ANYTHING, Filter
from sparseembed.integrations.conditions import both, comparison, logic, of_mapping
from sparseembed.integrations.finding import find, folder_of, opened, scores_of

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]


@pytest.fixture(scope="module")
def split_index(small, made_embedder, tmp_path_factory):
    """An index of one document of twelve sentences, each a passage, and of the twelve documents beside it."""
    folder = tmp_path_factory.mktemp("split")
    long = Document("long", "", " ".join(each.text for each in small["documents"]()))
    corpus = Corpus([long, *small["documents"]()], "split")
    choices = {"k": 40, "passages": "sentences:12", "embeddings": folder / "e"}
    return build_index(corpus, folder / "index", made_embedder, **choices).path


def texts_of(name, index, query):
    """Search in a framework for passages; return id -> text."""
    if name == "langchain":
        from sparseembed.integrations.langchain import SparseEmbedRetriever

        found = SparseEmbedRetriever(index=str(index), k=13, passages=True).invoke(query)
        return {each.id: each.page_content for each in found}
    if name == "haystack":
        from sparseembed.integrations.haystack import SparseEmbedRetriever

        found = SparseEmbedRetriever(str(index), top_k=13, passages=True).run(query)["documents"]
        return {each.id: each.content for each in found}
    from sparseembed.integrations.llamaindex import SparseEmbedRetriever

    found = SparseEmbedRetriever(str(index), 13, passages=True).retrieve(query)
    return {each.node_id: each.text for each in found}


@pytest.mark.parametrize(
    ("name", "package"), [("langchain", "langchain_core"), ("haystack", "haystack"), ("llamaindex", "llama_index.core")]
)
def test_passages_in_place_of_whole_texts(split_index, name, package):
    pytest.importorskip(package)
    texts = texts_of(name, split_index, "milk")
    with Searcher.open(split_index) as searcher:
        hits = {hit.id: hit for hit in searcher.search("milk", 13)}
        assert texts.keys() == hits.keys()
        assert texts["long"] == hits["long"].passage.text
        assert "milk" in texts["long"]
        assert len(texts["long"]) < len(searcher.text("long")) / 4
        assert find(searcher, "milk", 13)[0].text == searcher.text(find(searcher, "milk", 13)[0].hit.id)


def test_a_document_that_has_gone_since_the_search_is_left_out(small_index, made_embedder, tmp_path, monkeypatch):
    folder = shutil.copytree(small_index, tmp_path / "index")
    with Searcher.open(folder) as searcher:
        before = [found.hit.id for found in find(searcher, "sun", 20)]
        search = searcher.search

        def search_and_reload(*given):
            hits = search(*given)
            Index(folder, made_embedder).delete([before[0]])
            searcher.reload()
            return hits

        monkeypatch.setattr(searcher, "search", search_and_reload)
        assert [found.hit.id for found in find(searcher, "sun", 20)] == before[1:]


def test_an_open_searcher_is_used_as_it_is(small_index):
    with Searcher.open(small_index) as searcher:
        assert opened(searcher, {"rescore": 3}) is searcher
        assert folder_of(searcher) == folder_of(small_index) == str(small_index)
    with pytest.raises(TypeError, match="rescores"):
        opened(small_index, {"rescores": 3})


def test_scores_of_given_documents_are_looked_for_deeper_and_deeper():
    hits, asked = [Hit(f"d{n}", 1000 - n, n + 1) for n in range(500)], []

    def search(k):
        asked.append(k)
        return hits[:k]

    assert scores_of(search, {"d3", "d7"}, 10) == {"d3": 997, "d7": 993}
    assert asked == [10]
    assert scores_of(search, {"d3", "d77"}, 10) == {"d3": 997, "d77": 923}
    assert scores_of(search, {"d3", "none"}, 10) == {"d3": 997}
    assert asked == [10, 10, 100, 10, 100, 1000]


def test_conditions():
    sky, year = Filter("topic", "=", "sky"), Filter("year", ">=", 2000)
    assert both(None, "year>=2000") is not None
    assert both(sky, None, [year]) == [sky, year]
    assert both(None, None) is None
    assert comparison("a", "all", ["x", "y"]) == [Filter("a", "=", "x"), Filter("a", "=", "y")]
    assert comparison("a", "is_empty", None) == comparison("a", "==", None) == [Filter("a", "!=", ANYTHING)]
    assert comparison("a", "ne", None) == [Filter("a", "=", ANYTHING)]
    assert logic("or", [sky], lambda each: [each]) == logic("and", [sky], lambda each: [each]) == [sky]
    assert logic("not", [sky], lambda each: [each]) == [Filter("topic", "!=", "sky")]
    for operator, parts in (("or", [sky, year]), ("not", [year]), ("not", [sky, sky]), ("or", [])):
        with pytest.raises(ConfigError, match=f"{operator.upper()} over {len(parts)} conditions"):
            logic(operator, parts, lambda each: [each])
    assert of_mapping({}) == []
    assert of_mapping("a=1") == "a=1"
    assert of_mapping(None) is None
    with pytest.raises(ConfigError, match="has no field or no value"):
        of_mapping({"a": {"$in": []}})
