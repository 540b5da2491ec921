"""Dense vectors in fewer bytes: 8 bits a number, fewer dimensions."""

import numpy as np

from sparseembed.alignment.decoding import Vectors
from sparseembed.evaluation.bench import Bench, as_run
from sparseembed.evaluation.dense import DenseIndex
from sparseembed.evaluation.measures import evaluate
from sparseembed.progress import track

from .meter import Row
from .space import DEPTH, MEASURES, Task

DIMENSIONS = (256, 128, 64)
SCALE_BYTES = 4  # of each document's scale, in 8 bits


def to_8_bits(vectors: Vectors) -> Vectors:
    """Round each vector's numbers to 255 steps, from -127 to 127, its largest becoming 127 or -127.

    :param vectors: Shape (n, d).
    :return: What is read back, up to each vector's length; shape (n, d), float32.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    steps: Vectors = np.rint(vectors / np.where(largest > 0, largest, 1.0) * 127).astype(np.float32)
    return steps


def principal(vectors: Vectors) -> Vectors:
    """Return the principal directions of centred vectors, as columns, the largest spread first; shape (d, d)."""
    wide = vectors.astype(np.float64)
    directions: Vectors = np.linalg.eigh(wide.T @ wide)[1][:, ::-1].astype(np.float32)
    return directions


def measure_dense(bench: Bench, task: Task) -> list[Row]:
    """Measure centred dense vectors: whole, of fewer principal components, of their leading numbers, in 8 bits."""
    documents = bench.adjustment("centred", "document").apply(bench.encoded.documents.matrix())
    known = bench.query_vectors(task.label, task.queries)
    queries = bench.adjustment("centred", "query").apply(np.stack([known[query] for query in task.queries]))
    directions = principal(documents)
    forms = [("dense", documents, queries)]
    for count in (each for each in DIMENSIONS if each < documents.shape[1]):
        onto = directions[:, :count]
        forms.append(("dense, principal components", documents @ onto, queries @ onto))
        forms.append(("dense, leading numbers", documents[:, :count], queries[:, :count]))
    rows = []
    with track("dense vectors", 2 * len(forms), "variants") as bar:
        for name, stored, asked in forms:
            width = stored.shape[1]
            for kind, made, size in (("float32", stored, 4 * width), ("int8", to_8_bits(stored), width + SCALE_BYTES)):
                hits = DenseIndex.build(made, bench.corpus.ids).search(asked, DEPTH + 1)
                means = evaluate(as_run(task.queries, hits), task.qrels, MEASURES).means
                about = {"dimensions": width, "type": kind, "kind": name}
                title = f"{name}, {width} x {kind}"
                rows.append(Row("dense", kind, title, about, means["nDCG@10"], means["R@100"], width, size))
                bar.update(1, f"nDCG@10 {rows[-1].ndcg:.4f}")
    return rows
