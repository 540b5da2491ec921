"""Hybrid retrieval with LlamaIndex: our sparse retriever and a dense one of the same embedder, fused.

pip install "sparseembed[llamaindex]"
python examples/llamaindex_hybrid.py [EMBEDDER]
"""

import tempfile
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import TextNode
from small_collection import documents, embedder, index

from sparseembed.integrations.llamaindex import SparseEmbedRetriever


class SameEmbedder(BaseEmbedding):
    """The embedder that the index is made with, for the dense side."""

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = embedder().encode([query], "query")[0].tolist()
        return vector

    def _get_text_embedding(self, text: str) -> list[float]:
        vector: list[float] = embedder().encode([text], "document")[0].tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def dense() -> Any:
    """Return a retriever by embeddings alone."""
    # Metadata would be embedded with the text.
    nodes = [
        TextNode(
            id_=each.id,
            text=each.contents,
            metadata=dict(each.metadata),
            excluded_embed_metadata_keys=list(each.metadata),
        )
        for each in documents()
    ]
    return VectorStoreIndex(nodes, embed_model=SameEmbedder()).as_retriever(similarity_top_k=5)


with tempfile.TemporaryDirectory() as folder:
    llm = MockLLM()  # put your model in its place
    sparse = SparseEmbedRetriever(str(index(folder)), similarity_top_k=5)
    hybrid = QueryFusionRetriever(
        [sparse, dense()], llm=llm, mode="reciprocal_rerank", num_queries=1, similarity_top_k=3, use_async=False
    )
    for node in hybrid.retrieve("which animal gives milk to its young"):
        print(f"{node.score:.4f}", node.node.node_id, node.node.metadata)
    answer = RetrieverQueryEngine.from_args(hybrid, llm=llm).query("which animal gives milk to its young")
    print([node.node.node_id for node in answer.source_nodes])
    sparse.searcher.close()
