"""A made collection with many ties, odd ids and metadata, its index, 300 queries, and what we find for them."""

import numpy as np
import pytest

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.metadata import metadata_of
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder

FIRST = (
    "cat dog whale river water sand light sun earth green plant sugar milk fish stone house wind fire tree road bread"
)
LAST = (
    "snow star wood iron glass salt bird horse sheep field hill lake cloud rain grass leaf root seed corn 猫 Ærø naïve"
)
WORDS = f"{FIRST} {LAST}".split()
KS = {10: 300, 1: 40, 40: 40}
"""Hits wanted: how many of the queries are asked for that many."""


def made_documents():
    """Make 300 documents; every third has the text of another, some are blank."""
    rng = np.random.default_rng(5)
    weights = 1 / np.arange(1, len(WORDS) + 1)
    texts = []
    for number in range(300):
        size = int(rng.integers(3, 40))
        text = " ".join(rng.choice(WORDS, size, p=weights / weights.sum()).tolist())
        texts.append("" if number % 90 == 7 else texts[number // 2] if number % 3 == 1 else text)
    ids = [f"{['doc', '😀', chr(0xFFFD), 'a/b:c'][n % 4]}{(n * 37) % 300}" for n in range(300)]
    return [
        Document(doc_id, "", text, metadata_of({"year": 1990 + n % 30, "tags": ["x", str(n % 4)]} if n % 2 else {}))
        for n, (doc_id, text) in enumerate(zip(ids, texts, strict=True))
    ]


@pytest.fixture(scope="session")
def made_index(tiny_model, tmp_path_factory):
    """The folder of the index; not to be changed."""
    embedder = TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
    folder = tmp_path_factory.mktemp("made") / "index"
    return build_index(
        Corpus(made_documents(), "made"), folder, embedder, k=30, embeddings=folder.parent / "embeddings"
    ).path


@pytest.fixture(scope="session")
def impact_queries(made_index):
    """300 queries as an index's searcher encodes them, some with weights of their own, some without any known term."""
    rng = np.random.default_rng(6)
    texts = [" ".join(rng.choice([*WORDS, "unknown"], int(rng.integers(1, 9))).tolist()) for _ in range(299)]
    with Searcher.open(made_index) as searcher:
        queries = [searcher.encode_query(text) for text in [*texts, "nothing known"]]
    return [
        query if n % 2 else {term: weight * int(rng.integers(1, 200)) for term, weight in query.items()}
        for n, query in enumerate(queries)
    ]


@pytest.fixture(scope="session")
def our_hits(made_index, impact_queries):
    """What we find: for each k, for each query that is asked for as many, pairs of id and score."""
    with Searcher.open(made_index) as searcher:
        found = {k: searcher.engine.search_batch(impact_queries[:count], k) for k, count in KS.items()}
    assert sum(map(len, found[10])) > 2000
    return {k: [[(hit.id, hit.score) for hit in hits] for hits in lists] for k, lists in found.items()}


@pytest.fixture
def agrees(impact_queries, our_hits):
    """Return what holds an engine's hits, scores and order against ours."""

    def check(engine):
        for k, expected in our_hits.items():
            for query, hits in zip(impact_queries, expected, strict=False):
                found = engine.search(query, k)
                assert [(hit.id, hit.score) for hit in found] == hits
                assert [hit.rank for hit in found] == list(range(1, len(hits) + 1))

    return check
