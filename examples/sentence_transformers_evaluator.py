"""An index as a `SparseEncoder` of sentence-transformers, measured by its own evaluator.

pip install "sparseembed[sentence-transformers]"
python examples/sentence_transformers_evaluator.py [EMBEDDER]
"""

import tempfile
from pathlib import Path

from sentence_transformers import SparseEncoder
from sentence_transformers.sparse_encoder.evaluation import SparseInformationRetrievalEvaluator
from small_collection import QRELS, QUERIES, documents, embedder, index

from sparseembed.integrations.sentence_transformers import sparse_encoder

with tempfile.TemporaryDirectory() as folder:
    model = sparse_encoder(index(folder), embedder())
    query = model.encode_query("which animal gives milk to its young")
    document = model.encode_document("A whale feeds its young with milk.")
    print("terms of the query:", model.decode(query))
    print("terms of the document:", model.decode(document, top_k=8))
    print("what they share:", model.decode(model.intersection(query, document)))
    print("score:", model.similarity(query, document).item())
    print("sparsity:", model.sparsity(document))

    # What is saved names the index and the embedder; modules that are not their own must be trusted
    model.save_pretrained(str(Path(folder) / "model"), create_model_card=False)
    model = SparseEncoder(str(Path(folder) / "model"), trust_remote_code=True, device="cpu")
    evaluator = SparseInformationRetrievalEvaluator(
        queries=QUERIES,
        corpus={each.id: each.contents for each in documents()},
        relevant_docs={query: {doc for doc, grade in judged.items() if grade} for query, judged in QRELS.items()},
        name="small",
    )
    measured = evaluator(model)
    print({name: round(measured[name], 4) for name in (evaluator.primary_metric, "small_query_active_dims")})
