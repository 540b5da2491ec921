"""Row 4b: a query with feedback, beside the same query without it."""

from functools import partial

from efficiency_rows.measure import each
from efficiency_rows.row import Row
from efficiency_rows.workplace import Workplace
from sparseembed.progress import note
from sparseembed.retrieval.searcher import Searcher

DOCUMENTS = 50_000
WANTED = 2.0  # ms
WEIGHT = 0.3  # the stub's embeddings know nothing, so that the index has none
K = 10


def measure(place: Workplace) -> list[Row]:
    """Measure the row."""
    documents = 300 if place.quick else DOCUMENTS
    path = place.index(documents)
    note("searching with feedback")
    with Searcher.open(path) as plain, Searcher.open(path, feedback=True) as fed:
        rescorer = fed.rescorer
        if rescorer is None:
            raise RuntimeError("the index carries no embeddings")
        rescorer.feedback = WEIGHT
        rescorer.load()  # as a searcher does in the background
        plain.search_batch(place.queries, k=K)
        took = each({"feedback": partial(fed.search, k=K), "plain": partial(plain.search, k=K)}, place.queries,
                    place.repeats)  # fmt: skip
        candidates = rescorer.candidates
    found = {name: one.times(1000) for name, one in took.items()}
    return [
        Row(
            "feedback", f"p50 of a query with feedback from {candidates} hits, {documents:,} documents, k = {K}",
            found["feedback"], "the same query without it", found["plain"], "ms", f"{WANTED} ms",
            found["feedback"].median <= WANTED, {},
        )
    ]  # fmt: skip
