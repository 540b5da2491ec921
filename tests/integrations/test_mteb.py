"""MTEB over an index and over an embedder: its evaluator's nDCG@10 is ours, also with ties and queries without hits."""

import random

import pytest
from lazily import Lazily, needs

from sparseembed import Searcher, build_index
from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, DataError
from sparseembed.evaluation.measures import evaluate
from sparseembed.evaluation.runs import drop_self

mteb, searching = Lazily("mteb"), Lazily("sparseembed.integrations.mteb")
pytestmark = [needs("mteb"), pytest.mark.jvm, pytest.mark.usefixtures("silence")]
WORDS = "cat dog mat whale fish air milk river water sea sand light sun earth book green plant sugar mountain"


@pytest.fixture(scope="module")
def collection():
    """Forty texts, each of two documents: half of all hits are tied, and the first by id is relevant."""
    rng = random.Random(3)
    texts = [" ".join(rng.choices(WORDS.split(), k=9)) for _ in range(40)]
    documents = [Document(f"{side}{n:02}", f"T{n}", text) for side in "ab" for n, text in enumerate(texts)]
    queries = {f"q{n}": " ".join(rng.sample(WORDS.split(), 3)) for n in range(12)} | {
        "none": "zorblax",
        "a07": texts[7],
    }
    qrels = {query: {f"a{n:02}": rng.randint(0, 2) for n in rng.sample(range(40), 12)} for query in queries}
    return Collection.in_memory(Corpus(documents, "made"), queries, {"test": qrels})


@pytest.fixture(scope="module")
def made_index(collection, made_embedder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mteb")
    return build_index(collection.corpus, folder / "i", made_embedder, k=20, embeddings=folder / "e").path


def scores_of(model, task):
    result = mteb.evaluate(model, task, cache=None, show_progress_bar=False).task_results[0]
    return {name: result.scores["test"][0][name] for name in ("ndcg_at_10", "recall_at_100", "mrr_at_10")}


def ours(collection, index, **options):
    queries = collection.queries("test")
    with Searcher.open(index, **options) as searcher:
        run = {query: searcher.search(text, 1000) for query, text in queries.items()}
    means = evaluate(drop_self(run), collection.qrels("test"), ["nDCG@10", "R@100", "RR@10"]).means
    return pytest.approx(dict(zip(("ndcg_at_10", "recall_at_100", "mrr_at_10"), means.values(), strict=True)), abs=6e-6)


def test_its_figures_are_ours(collection, made_index, made_embedder, tmp_path):
    task = searching.collection_task(collection)
    index, embedder = searching.IndexSearch(made_index), searching.EmbedderSearch(made_embedder, folder=tmp_path, k=20)
    assert isinstance(index, mteb.models.SearchProtocol)
    assert isinstance(embedder, mteb.models.SearchProtocol)
    wanted = ours(collection, made_index)
    assert scores_of(index, task) == wanted
    assert scores_of(embedder, task) == wanted
    options = {"rescore": 20, "embedder": made_embedder}
    rescored = searching.IndexSearch(made_index, options)
    assert scores_of(rescored, task) == ours(collection, made_index, **options)
    revisions = {each.mteb_model_meta.revision for each in (index, embedder, rescored)}
    assert len(revisions) == 3
    assert searching.EmbedderSearch(made_embedder, k=20).mteb_model_meta == embedder.mteb_model_meta
    assert searching.EmbedderSearch(made_embedder, k=21).mteb_model_meta.revision not in revisions


def rows(**texts):
    return [{"id": query, "text": text} for query, text in texts.items()]


def test_documents_that_are_to_be_ranked_are_all_ranked(made_index):
    search = searching.IndexSearch(made_index)
    with Searcher.open(made_index) as searcher:
        hits = searcher.search("cat river", 80)
    found, missing = [hit.id for hit in hits[3:6]], [f"x{n}" for n in range(2)]
    ranked = search.search(rows(q="cat river", z="zorblax"), top_k=1, top_ranked={"q": missing + found, "z": missing})
    assert sorted(ranked["q"], key=ranked["q"].get, reverse=True) == found + missing
    assert sorted(ranked["z"], key=ranked["z"].get, reverse=True) == missing


def test_instructions_are_part_of_the_query(made_index):
    search = searching.IndexSearch(made_index)
    row = {"id": "q", "text": "cat", "instruction": "river"}
    assert search.search([row], top_k=9) == search.search(rows(q="cat river"), top_k=9)
    assert search.search([row | {"instruction": None}], top_k=9) == search.search(rows(q="cat"), top_k=9)
    with pytest.raises(ConfigError, match="conversation"):
        search.search([{"id": "q", "text": [{"role": "user", "content": "cat"}]}], top_k=9)


def test_an_index_of_other_documents_is_refused(made_index, small_index, collection, made_embedder):
    with pytest.raises(DataError, match="no document 'a00'"):
        mteb.evaluate(searching.IndexSearch(small_index), searching.collection_task(collection), cache=None)
    with pytest.raises(DataError, match="holds 80 documents and the task has 1"):
        searching.IndexSearch(made_index).index(rows(a00="cat"))
    with pytest.raises(ConfigError, match="nothing is indexed"):
        searching.EmbedderSearch(made_embedder).search(rows(q="cat"), top_k=1)


def test_the_example(run_example):
    names, _ = run_example("mteb_task.py")
    assert names["theirs"] == pytest.approx([names["ours"]] * 2, abs=5e-5)
