"""A PyTerrier experiment: our index beside BM25, and pipelines of the two. Terrier is not started.

pip install "sparseembed[pyterrier]"
python examples/pyterrier_experiment.py [EMBEDDER]
"""

import tempfile
from pathlib import Path

import pandas as pd
import pyterrier as pt
from small_collection import QRELS, QUERIES, documents, embedder

from sparseembed.engines.bm25 import Bm25Engine, Bm25Index
from sparseembed.integrations.pyterrier import SearchTransformer, SparseEmbedIndexer

topics = pd.DataFrame(QUERIES.items(), columns=["qid", "query"])
qrels = pd.DataFrame(
    [(query, document, grade) for query, judged in QRELS.items() for document, grade in judged.items()],
    columns=["qid", "docno", "label"],
)

with tempfile.TemporaryDirectory() as folder:
    indexer = SparseEmbedIndexer(Path(folder) / "sparse", embedder=embedder(), k=256)
    sparse = indexer.index({"docno": each.id, "text": each.contents} for each in documents())
    Bm25Index.build(Path(folder) / "bm25", ((each.id, each.contents) for each in documents()))
    with Bm25Engine(Path(folder) / "bm25") as engine:
        bm25 = SearchTransformer(engine, name="BM25")
        table = pt.Experiment(
            [bm25, sparse, bm25 % 5 >> sparse, 0.5 * bm25 + 0.01 * sparse],
            topics,
            qrels,
            eval_metrics=["ndcg_cut_10", "recip_rank"],
            names=["BM25", "one index", "BM25's first five, scored anew", "sum"],
        )
        print(table.round(4).to_string(index=False))
    sparse.searcher.close()
