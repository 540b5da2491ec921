"""What is measured on, whole or a small part of a collection: judged documents, embeddings and nDCG@10."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.decoding import Vectors
from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus
from sparseembed.data.sampling import even_places
from sparseembed.embedders.store import Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.engines.base import Hit
from sparseembed.evaluation.measures import evaluate
from sparseembed.files import cache_folder, digest

DEPTH = 10
SIDES = {"document": "documents", "query": "queries"}


class Judged(NamedTuple):
    """What retrieval is measured on.

    :param corpus: The documents.
    :param queries: id -> text.
    :param qrels: Query id -> document id -> grade.
    """

    corpus: Corpus
    queries: dict[str, str]
    qrels: Mapping[str, Mapping[str, int]]


def judged_part(collection: Collection, split: str, size: int) -> Judged:
    """Return a collection's judged documents and an even sample of the others, `size` in all where they suffice."""
    corpus, qrels = collection.corpus, collection.qrels(split)
    wanted = {corpus.index_of(id) for judged in qrels.values() for id in judged if corpus.has_id(id)}
    others = [row for row in range(len(corpus)) if row not in wanted]
    room = min(len(others), max(0, size - len(wanted)))
    wanted |= {others[int(place)] for place in even_places(len(others), room)}
    part = Corpus([corpus[row] for row in sorted(wanted)], corpus.name, f"{corpus.identity}, {len(wanted)} for {split}")
    return Judged(part, collection.queries(split), qrels)


def embed(embedder: TransformerEmbedder, name: str, texts: Sequence[str], side: str = "document") -> Vectors:
    """Return the embeddings of texts, from the cache where they are there.

    :param name: What the texts are called.
    :param side: Whose prompt: `document` or `query`.
    """
    fingerprint, identity = digest(list(texts)), digest(embedder.identity(side))
    folder = cache_folder("alignment", f"{name}-{fingerprint[:10]}", identity[:10], SIDES[side])
    ids = [str(row) for row in range(len(texts))]
    label = f"{name} by {embedder.spec.name} ({embedder.spec.pooling})"
    return encode_to_store(folder, Texts(label, fingerprint, ids, texts), embedder, side).matrix()


def ndcg_of(scores: npt.NDArray[np.float64], judged: Judged) -> float:
    """Return the mean nDCG@10 of scores, equal ones by document id; what scores 0 is not found.

    :param scores: Shape (queries, documents).
    """
    ids = judged.corpus.ids
    order = np.argsort(np.asarray(ids), kind="stable")
    run = {}
    for query, row in zip(judged.queries, scores[:, order], strict=True):
        best = np.argsort(-row, kind="stable")[:DEPTH]
        run[query] = [Hit(ids[order[at]], float(row[at]), rank) for rank, at in enumerate(best, 1) if row[at]]
    return evaluate(run, judged.qrels, ["nDCG@10"]).means["nDCG@10"]


def units(vectors: Vectors) -> Vectors:
    """Return vectors at length 1, rows of zeros as they are; shape (n, d)."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Vectors = (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return result
