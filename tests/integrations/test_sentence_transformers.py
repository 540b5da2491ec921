"""An index as a SparseEncoder: vectors and scores of the index, saving and loading, the evaluator, the example."""

import pytest
from lazily import Lazily, needs

from sparseembed import Searcher
from sparseembed.embedders.presets import DEFAULT
from sparseembed.errors import IndexFolderError
from sparseembed.evaluation.measures import evaluate

theirs = Lazily("sentence_transformers")
evaluation = Lazily("sentence_transformers.sparse_encoder.evaluation")
encoding = Lazily("sparseembed.integrations.sentence_transformers")
pytestmark = [needs("sentence_transformers"), pytest.mark.jvm, pytest.mark.usefixtures("silence")]


@pytest.fixture(scope="module")
def model(small_index, made_embedder):
    return encoding.sparse_encoder(small_index, made_embedder)


def labelled(searcher, vector):
    found = {}
    for term, weight in vector.items():
        found[searcher.label(term)] = weight
    return found


def test_documents_have_the_vectors_that_the_index_stores(model, small, small_index):
    documents = small["documents"]()
    encoded = model.encode_document([each.contents for each in documents])
    assert encoded.shape == (12, model.get_embedding_dimension())
    with Searcher.open(small_index) as searcher:
        for document, decoded in zip(documents, model.decode(encoded), strict=True):
            assert dict(decoded) == labelled(searcher, searcher.document(document.id).vector)
            assert [weight for _, weight in decoded] == sorted((weight for _, weight in decoded), reverse=True)


@pytest.mark.parametrize("expand", [0, 5])
def test_the_dot_product_is_the_score(small, small_index, made_embedder, expand):
    model = encoding.sparse_encoder(small_index, made_embedder, expand)
    documents = small["documents"]()
    queries = [*small["QUERIES"].values(), "zorblax", ""]
    scores = model.similarity(model.encode_query(queries), model.encode_document([each.contents for each in documents]))
    with Searcher.open(small_index, expand=expand, embedder=made_embedder) as searcher:
        for query, row in zip(queries, scores.tolist(), strict=True):
            hits = {hit.id: hit.score for hit in searcher.search(query, 20)}
            assert row == [hits.get(each.id, 0) for each in documents]


def test_the_rest_of_a_sparse_encoder(model, small_index):
    query, document = (
        model.encode_query("milk of the whale"),
        model.encode_document("A whale feeds its young with milk."),
    )
    assert query.is_sparse
    shared = dict(model.decode(model.intersection(query, document)))
    assert {"milk", "whale"} <= shared.keys()
    assert sum(shared.values()) == model.similarity(query, document).item()
    assert model.sparsity(query)["active_dims"] == len(model.decode(query)) == 2
    assert model.similarity_fn_name == "dot"
    texts = ["a whale", "the light of the sun"]
    assert (model.encode(texts).to_dense() == model.encode_document(texts).to_dense()).all()
    assert model.encode_document(texts, max_active_dims=3).to_dense().count_nonzero(1).tolist() == [3, 3]
    assert model.encode_query("milk", convert_to_sparse_tensor=False).sum() == 1


def test_it_can_be_saved_and_loaded(model, tmp_path):
    model.save_pretrained(str(tmp_path / "m"), create_model_card=False)
    again = theirs.SparseEncoder(str(tmp_path / "m"), trust_remote_code=True, device="cpu")
    texts = ["a whale", "the light of the sun"]
    assert (again.encode_document(texts).to_dense() == model.encode_document(texts).to_dense()).all()
    assert again.similarity_fn_name == "dot"
    with pytest.raises(ValueError, match="trust_remote_code"):
        theirs.SparseEncoder(str(tmp_path / "m"), device="cpu")


def test_its_evaluator_measures_what_we_do(model, small, small_index):
    queries = small["QUERIES"]
    qrels = {query: {doc: 1 for doc, grade in judged.items() if grade} for query, judged in small["QRELS"].items()}
    evaluator = evaluation.SparseInformationRetrievalEvaluator(
        queries=queries,
        corpus={each.id: each.contents for each in small["documents"]()},
        relevant_docs={query: set(judged) for query, judged in qrels.items()},
        ndcg_at_k=[3],
        mrr_at_k=[3],
        name="made",
        write_csv=False,
    )
    measured = evaluator(model)
    with Searcher.open(small_index) as searcher:
        means = evaluate({query: searcher.search(text, 12) for query, text in queries.items()}, qrels, ["nDCG@3"]).means
    assert measured["made_dot_ndcg@3"] == pytest.approx(means["nDCG@3"], abs=1e-9)
    assert measured["made_query_active_dims"] == pytest.approx(
        sum(len(model.decode(model.encode_query(text))) for text in queries.values()) / len(queries)
    )


def test_another_embedder_is_refused(small_index, tiny_embedder):
    with pytest.raises(IndexFolderError, match="not the one that made this index"):
        encoding.sparse_encoder(small_index, tiny_embedder("untied"))


def test_the_example(run_example):
    names, out = run_example("sentence_transformers_evaluator.py")
    assert "what they share: [(" in out
    assert names["measured"]["small_dot_ndcg@10"] > 0.3


@pytest.mark.model
def test_the_example_with_the_default_embedder(run_example):
    names, _ = run_example("sentence_transformers_evaluator.py", tiny=False)
    assert names["model"][0].embedder == DEFAULT
    assert names["measured"]["small_dot_ndcg@10"] > 0.8
