"""Search a collection of Qdrant that `sparseembed export INDEX --to qdrant --out FOLDER` has filled.

    python examples/search_qdrant.py INDEX FOLDER "a query"

INDEX makes the query's terms and weights, without a model; FOLDER says where the collection is, and the number of each
term. With `--url http://localhost:6333` beside `--out` the collection is a server's, and all else is the same.
"""

import sys
from pathlib import Path

from qdrant_client import QdrantClient
from qdrant_client.models import SparseVector

from sparseembed import Searcher
from sparseembed.errors import SparseEmbedError
from sparseembed.exports.kit import Kit, read_kit
from sparseembed.exports.terms import FILE, Terms


def open_client(folder: Path, kit: Kit) -> QdrantClient:
    """Open the collection's database."""
    return QdrantClient(url=kit.url) if kit.url else QdrantClient(path=str(folder / "qdrant"))


def search(client: QdrantClient, kit: Kit, numbers: dict[int, int], k: int = 10) -> list[tuple[str, float, str]]:
    """Return the k best documents: id, score, text."""
    body = SparseVector(indices=list(numbers), values=[float(weight) for weight in numbers.values()])
    found = client.query_points(kit.name, query=body, using="impacts", limit=k, with_payload=True)
    return [(each.payload["id"], each.score, each.payload["text"]) for each in found.points]


def main(index: str, folder: str, text: str) -> None:
    """Print the hits of a query."""
    place = Path(folder)
    kit, terms = read_kit(place), Terms.read(place / FILE)
    with Searcher.open(index) as searcher:
        query = searcher.encode_query(text)  # term -> weight
    client = open_client(place, kit)
    numbers = terms.numbered(query)
    for doc_id, score, contents in search(client, kit, numbers) if numbers else []:
        print(f"{score:8.0f}  {doc_id}  {contents[:60]}")
    client.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except SparseEmbedError as error:
        sys.exit(f"error: {error}")
