"""A Haystack pipeline: our retriever and BM25 of Haystack's own, joined, and a prompt made of what they found.

pip install "sparseembed[haystack]"
python examples/haystack_pipeline.py [EMBEDDER]
"""

import tempfile

from haystack import Document, Pipeline
from haystack.components.builders import PromptBuilder
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from small_collection import documents, index

from sparseembed.integrations.haystack import SparseEmbedRetriever

TEMPLATE = """Answer from these texts:
{% for document in documents %}[{{ document.id }}] {{ document.content }}
{% endfor %}
Question: {{ question }}"""

with tempfile.TemporaryDirectory() as folder:
    store = InMemoryDocumentStore()
    store.write_documents(
        [Document(id=each.id, content=each.contents, meta=dict(each.metadata)) for each in documents()]
    )
    pipeline = Pipeline()
    pipeline.add_component("sparse", SparseEmbedRetriever(str(index(folder)), top_k=5))
    pipeline.add_component("bm25", InMemoryBM25Retriever(store, top_k=5))
    pipeline.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=3))
    pipeline.add_component("prompt", PromptBuilder(TEMPLATE, required_variables=["documents", "question"]))
    pipeline.connect("sparse.documents", "joiner.documents")
    pipeline.connect("bm25.documents", "joiner.documents")
    pipeline.connect("joiner.documents", "prompt.documents")

    # The whole pipeline as YAML, and back: Haystack wants modules that are not its own to be named
    pipeline = Pipeline.loads(pipeline.dumps(), allowed_modules=["sparseembed.integrations.haystack"])
    question = "which animal gives milk to its young"
    filters = {"field": "meta.topic", "operator": "==", "value": "animals"}
    result = pipeline.run(
        {
            "sparse": {"query": question, "filters": filters},
            "bm25": {"query": question, "filters": filters},
            "prompt": {"question": question},
        }
    )
    print(result["prompt"]["prompt"])
