"""Search a collection of Milvus that `sparseembed export INDEX --to milvus --out FOLDER` has filled.

    python examples/search_milvus.py INDEX FOLDER "a query"

INDEX makes the query's terms and weights, without a model; FOLDER says where the collection is, and the number of each
term. With `--url http://localhost:19530` beside `--out` the collection is a server's, and all else is the same.
"""

import sys
from pathlib import Path

from pymilvus import MilvusClient

from sparseembed import Searcher
from sparseembed.errors import SparseEmbedError
from sparseembed.exports.kit import Kit, read_kit
from sparseembed.exports.terms import FILE, Terms


def open_client(folder: Path, kit: Kit) -> MilvusClient:
    """Open the collection's database."""
    client = MilvusClient(uri=kit.url or str(folder / "milvus.db"))
    client.load_collection(kit.name)
    return client


def search(client: MilvusClient, kit: Kit, numbers: dict[int, int], k: int = 10) -> list[tuple[str, float, str]]:
    """Return the k best documents: id, score, text."""
    body = {number: float(weight) for number, weight in numbers.items()}
    found = client.search(
        kit.name, [body], anns_field="impacts", limit=k, search_params={"metric_type": "IP"}, output_fields=["text"]
    )
    return [(each["id"], each["distance"], each["entity"]["text"]) for each in found[0]]


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
