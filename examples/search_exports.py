"""Search any export that can be asked (qdrant, qdrant-edge, milvus, pgvector, seismic) in the same way.

    python examples/search_exports.py INDEX FOLDER "a query" [URL]

`open_export` reads from the folder which engine it is, and gives our hits in our order.
"""

import sys

from sparseembed import Searcher
from sparseembed.errors import SparseEmbedError
from sparseembed.exports.registry import open_export


def main(index: str, folder: str, text: str, url: str | None = None) -> None:
    """Print the hits of a query."""
    with Searcher.open(index) as searcher, open_export(folder, url=url) as engine:
        for hit in engine.search(searcher.encode_query(text), k=10):
            print(f"{hit.score:8.0f}  {hit.id}  {searcher.text(hit.id)[:60]}")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except SparseEmbedError as error:
        sys.exit(f"error: {error}")
