"""Search a table that `sparseembed export INDEX --to pgvector --url URL --name NAME` has filled, with plain SQL.

    python examples/search_pgvector.py INDEX postgresql://me@localhost/mine NAME "a query"

INDEX makes the query's terms and weights, without a model; the table NAME_terms says which dimension a term is. Equal
scores are ordered by id, as everywhere in sparseembed.
"""

import sys

import psycopg
from psycopg import sql

from sparseembed import Searcher
from sparseembed.errors import SparseEmbedError

SEARCH = """
WITH query AS (
    SELECT ('{' || string_agg(number || ':' || weight, ',') || '}/' || (SELECT greatest(count(*), 1) FROM {terms}))
           ::sparsevec AS vector
    FROM unnest(%(terms)s::text[], %(weights)s::int[]) AS asked (term, weight)
    JOIN {terms} USING (term)
)
SELECT id, -(impacts <#> vector) AS score, contents
FROM {table}, query
WHERE impacts <#> vector < 0
ORDER BY impacts <#> vector, id COLLATE "C"
LIMIT %(k)s
"""


def search(connection: psycopg.Connection, name: str, query: dict[str, int], k: int = 10) -> list[tuple]:
    """Return the k best documents: id, score, text."""
    # Braces of the vector's own form are doubled for psycopg's templates.
    template = SEARCH.replace("'{'", "'{{'").replace("'}/'", "'}}/'")
    statement = sql.SQL(template).format(table=sql.Identifier(name), terms=sql.Identifier(f"{name}_terms"))
    return connection.execute(statement, {"terms": list(query), "weights": list(query.values()), "k": k}).fetchall()


def main(index: str, url: str, name: str, text: str) -> None:
    """Print the hits of a query."""
    with Searcher.open(index) as searcher:
        query = searcher.encode_query(text)  # term -> weight
    with psycopg.connect(url) as connection:
        for doc_id, score, contents in search(connection, name, query):
            print(f"{score:8.0f}  {doc_id}  {contents[:60]}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except SparseEmbedError as error:
        sys.exit(f"error: {error}")
