"""MTEB's evaluator over an index, and over an embedder's sparse form, on a collection of one's own.

    pip install "sparseembed[mteb,eval]"    # eval for our own figure beside MTEB's
    python examples/mteb_task.py [EMBEDDER]

For tasks of MTEB: `mteb.evaluate(EmbedderSearch(), mteb.get_tasks(tasks=["NFCorpus"]))`.
"""

import tempfile

import mteb
from small_collection import QRELS, QUERIES, documents, embedder, index

from sparseembed import Searcher
from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus
from sparseembed.evaluation.measures import evaluate
from sparseembed.integrations.mteb import EmbedderSearch, IndexSearch, collection_task

# A folder in BEIR's layout: sparseembed.data.resolve.open_collection("path/to/scifact")
collection = Collection.in_memory(Corpus(documents(), "small"), QUERIES, {"test": QRELS})

with tempfile.TemporaryDirectory() as folder:
    place = index(folder)
    models = [IndexSearch(place), EmbedderSearch(embedder(), folder=folder, k=256)]
    found = [
        mteb.evaluate(model, collection_task(collection), cache=None, show_progress_bar=False).task_results[0]
        for model in models
    ]
    theirs = [result.get_score() for result in found]
    with Searcher.open(place) as searcher:
        run = {query: searcher.search(text, 1000) for query, text in QUERIES.items()}
    ours = evaluate(run, QRELS).means["nDCG@10"]
    print(f"nDCG@10: MTEB says {theirs[0]:.4f} of the index and {theirs[1]:.4f} of the embedder, we say {ours:.4f}")
