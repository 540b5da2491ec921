"""Anserini's and Pyserini's own impact searchers on our index: same documents, same scores, same order."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from sparseembed.engines.exact import ExactEngine
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.engines.ties import run_scores
from sparseembed.index.block import Block
from sparseembed.index.lucene_writer import LuceneStore
from sparseembed.java.jvm import java

pytestmark = [pytest.mark.jvm, pytest.mark.pyserini]

# Pyserini's class imports encoders (torch, onnxruntime, openai, ...) that a lean install has not and searching needs
# not: each module that is missing is replaced by an empty one.
PYSERINI = """
import json, sys, types
from sparseembed.java.jvm import java
java("java.lang.Object")

class Empty(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})

sys.modules["pyserini.encode"] = Empty("pyserini.encode")
try:
    import pandas
except ImportError:
    sys.modules["pandas"] = Empty("pandas")
from pyserini.search.lucene import LuceneImpactSearcher

class Given:
    def encode(self, query):
        return json.loads(query)

folder, k = sys.argv[1], int(sys.argv[2])
searcher = LuceneImpactSearcher(folder, Given(), min_idf=-1)
queries = json.load(sys.stdin)
found = [[(hit.docid, hit.score) for hit in searcher.search(json.dumps(query), k)] for query in queries]
raws = {docid: searcher.doc(docid).raw() for hits in found for docid, _ in hits}
json.dump([searcher.num_docs, found, raws], sys.stdout)
"""


def term(number):
    """Name a term: every other one as a piece that stands beside words."""
    return f"{'#' if number % 2 else 't'}{number}"


@pytest.fixture
def collection():
    """500 documents with many ties, one term in all of them, ids that sort otherwise as UTF-16."""
    rng = np.random.default_rng(11)
    return {
        f"{'😀' if i % 3 else chr(0xFFFD)}{i}": {"all": 1}
        | {term(t): int(rng.integers(1, 1 + (255 if i % 2 else 2))) for t in rng.integers(0, 120, rng.integers(1, 30))}
        for i in range(500)
    } | {"empty": {}}


@pytest.fixture
def queries():
    rng = np.random.default_rng(12)
    return [{"all": 1} | {term(t): int(rng.integers(1, 9)) for t in rng.integers(0, 140, n)} for n in range(1, 41)]


def test_anserinis_searcher_agrees(impact_index, collection, queries):
    folder = impact_index(collection)
    stock, exact = (
        java("io.anserini.search.SimpleImpactSearcher")(str(folder)),
        ExactEngine.from_pairs(collection.items()),
    )
    with LuceneEngine(folder) as engine:
        for query in queries:
            weights = java("java.util.HashMap")()
            for term, weight in query.items():
                weights.put(term, java("java.lang.Integer")(weight))
            theirs = [(hit.docid, hit.score) for hit in stock.search(weights, 600)]
            ours = engine.search(query, 600)
            assert ours == exact.search(query, 600)
            assert [doc_id for doc_id, _ in theirs] == [hit.id for hit in ours]
            # Theirs are lowered a little where scores are tied.
            assert [score for _, score in theirs] == run_scores([hit.score for hit in ours])
            assert [round(score) for _, score in theirs] == [hit.score for hit in ours]


@pytest.fixture
def updated_index(tmp_path, collection):
    """The collection, written in a random order into several segments, one of them with deletions."""
    ids = np.random.default_rng(3).permutation(list(collection)).tolist()
    with LuceneStore.create(tmp_path / "updated") as store:
        for start in range(0, len(ids), 90):
            part = ids[start : start + 90]
            vectors = [collection[doc_id] for doc_id in part]
            extra = sorted({term for vector in vectors for term in vector} | {"all"})
            number = {term: place for place, term in enumerate(extra)}
            gone = [f"gone{n}" for n in range(20)]
            store.add(
                Block(
                    ids=[*part, *gone],
                    texts=[f"text of {doc_id}" for doc_id in [*part, *gone]],
                    indptr=np.cumsum([0, *map(len, vectors), *[1] * 20], dtype=np.int64),
                    terms=np.array(
                        [number[term] for vector in vectors for term in vector] + [number["all"]] * 20, dtype=np.int32
                    ),
                    impacts=np.array([w for vector in vectors for w in vector.values()] + [255] * 20, dtype=np.uint16),
                    vocabulary=(),
                    extra=extra,
                )
            )
            store.commit()
            store.delete(gone)
        store.commit()
        store.release()
    return tmp_path / "updated"


def test_anserinis_searcher_agrees_after_updates(updated_index, collection, queries):
    stock = java("io.anserini.search.SimpleImpactSearcher")(str(updated_index))
    exact = ExactEngine.from_pairs(collection.items())
    with LuceneEngine(updated_index) as engine:
        for query in queries:
            weights = java("java.util.HashMap")()
            for term, weight in query.items():
                weights.put(term, java("java.lang.Integer")(weight))
            for k in (7, 600):
                theirs = [(hit.docid, round(hit.score)) for hit in stock.search(weights, k)]
                ours = engine.search(query, k)
                assert ours == exact.search(query, k)
                assert theirs == [(hit.id, hit.score) for hit in ours]


def test_pyserinis_searcher_agrees_after_updates(updated_index, collection, queries):
    documents, found, raws = pyserini(updated_index, queries)
    assert documents >= len(collection)  # theirs counts the deleted ones that still lie in a segment
    with LuceneEngine(updated_index) as engine:
        ours = engine.search_batch(queries, 50)
    assert [[(doc_id, round(score)) for doc_id, score in hits] for hits in found] == [
        [(hit.id, hit.score) for hit in hits] for hits in ours
    ]
    assert len(raws) > 200
    assert raws == {doc_id: f"text of {doc_id}" for doc_id in raws}


def pyserini(folder, queries):
    """What stock Pyserini finds: number of documents, (id, score) of the 50 best for each query, texts by id."""
    done = subprocess.run(
        [sys.executable, "-c", PYSERINI, str(folder), "50"],
        input=json.dumps(queries),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pyserinis_searcher_agrees(impact_index, collection, queries):
    folder = impact_index(collection)
    documents, found, _ = pyserini(folder, queries)
    assert documents == len(collection)
    with LuceneEngine(folder) as engine:
        ours = engine.search_batch(queries, 50)
    assert [[doc_id for doc_id, _ in hits] for hits in found] == [[hit.id for hit in hits] for hits in ours]
    assert [[round(score) for _, score in hits] for hits in found] == [[hit.score for hit in hits] for hits in ours]
