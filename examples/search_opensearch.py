"""Search an index that `sparseembed export INDEX --to opensearch --url URL` has filled.

OpenSearch analyses the text by itself: no model, and of this package only the body of the query. With --folder the
query comes from the index folder as weighted terms: for indexes with pieces, and for expanded queries (--expand).
"""

import argparse
import os

from opensearchpy import OpenSearch

from sparseembed import Searcher
from sparseembed.exports.opensearch.queries import query_body


def main() -> None:
    """Search, and print the hits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", help="the query")
    parser.add_argument("--url", default="http://localhost:9200", help="default: %(default)s")
    parser.add_argument("--index", required=True, help="name of the index there")
    parser.add_argument("--folder", help="the index folder that was exported")
    parser.add_argument("--expand", type=int, default=0, metavar="M", help="aligned terms that a model adds")
    parser.add_argument("-k", type=int, default=10, help="hits")
    options = parser.parse_args()

    if options.folder:
        with Searcher.open(options.folder, expand=options.expand) as searcher:
            body = query_body("opensearch", searcher.encode_query(options.text), options.k)
    else:
        body = query_body("opensearch", options.text, options.k)

    password = os.environ.get("OPENSEARCH_PASSWORD")
    user = (os.environ.get("OPENSEARCH_USER", "admin"), password) if password else None
    client = OpenSearch([options.url], http_auth=user)
    for rank, hit in enumerate(client.search(index=options.index, body=body)["hits"]["hits"], 1):
        document = hit["_source"]
        print(f"{rank:3} {hit['_score']:8.0f}  {document['id']}  {document.get('text', '')[:80]!r}")


if __name__ == "__main__":
    main()
