"""Sparse retrieval whose inverted index is filled by an LLM's text embeddings.

Importing the package loads neither torch nor a JVM: each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparseembed.alignment.general import general_adjustment
    from sparseembed.api import decode, encode_document, encode_query
    from sparseembed.errors import SparseEmbedError
    from sparseembed.indexing.build import build_index
    from sparseembed.indexing.update import Index
    from sparseembed.retrieval.searcher import Searcher

__version__ = "0.1.0"
__all__ = [
    "Index",
    "Searcher",
    "SparseEmbedError",
    "build_index",
    "decode",
    "encode_document",
    "encode_query",
    "general_adjustment",
]

_HOME = {
    "Index": "sparseembed.indexing.update",
    "Searcher": "sparseembed.retrieval.searcher",
    "SparseEmbedError": "sparseembed.errors",
    "build_index": "sparseembed.indexing.build",
    "decode": "sparseembed.api",
    "encode_document": "sparseembed.api",
    "encode_query": "sparseembed.api",
    "general_adjustment": "sparseembed.alignment.general",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sparseembed' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
