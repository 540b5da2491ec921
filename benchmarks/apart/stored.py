"""What an ablation starts from: embeddings that are there already, and the splits to tune on and to report."""

from sparseembed.data.collection import Collection
from sparseembed.data.sampling import even_sample
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.errors import ConfigError, DataError
from sparseembed.evaluation.bench import TUNING_SPLITS, Bench
from sparseembed.indexing.encoding import embeddings_folder

from .space import Task


def check_stored(bench: Bench, dataset: str, embedder: str | None) -> None:
    """Make sure that the documents' embeddings are stored, so that no hours of encoding begin unasked.

    Queries, and the few texts that look like them, are short: they are encoded where need be.

    :raises DataError: They are not.
    """
    corpus = bench.corpus
    try:
        EmbeddingStore(embeddings_folder(corpus, bench.embedder) / "documents")
    except DataError:
        option = f" --embedder {embedder}" if embedder else ""
        raise DataError(
            f"no embeddings of {corpus.name} by {bench.embedder.spec.name} are stored: run `sparseembed encode "
            f"{dataset}{option}` first, or pass --encode to do it here, which may take hours"
        ) from None


def tuning_split(collection: Collection, asked: str | None) -> str:
    """Return the split to tune on.

    :param asked: What the user names; the first of train, dev and validation that there is when None.
    :raises ConfigError: The user names test.
    :raises DataError: There is none.
    """
    if asked == "test":
        raise ConfigError("nothing is tuned on the split test: name train or dev with --split")
    if asked is not None:
        collection.qrels(asked)
        return asked
    for name in TUNING_SPLITS:
        if name in collection.splits:
            return name
    raise DataError(
        f"collection {collection.corpus.name} has no split to tune on (none of {', '.join(TUNING_SPLITS)}; it has "
        f"{', '.join(collection.splits) or 'no judgements'}): name a collection that has, or add qrels/train.tsv"
    )


def task_of(collection: Collection, split: str, most: int | None = None) -> Task:
    """Return the judged queries of a split, or an even sample of them.

    :param most: Queries, at most; None for all.
    """
    queries = collection.queries(split)
    chosen = queries if most is None else even_sample(queries, most)
    # Embeddings of a sample are kept under a name of their own.
    label = split if len(chosen) == len(queries) else f"{split}-{len(chosen)}"
    qrels = collection.qrels(split)
    return Task(label, chosen, {query: qrels[query] for query in chosen})
