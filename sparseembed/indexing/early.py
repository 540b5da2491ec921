"""The small query encoder of an index, fitted to the collection's own titles and sentences."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sparseembed.arrays import Vectors
from sparseembed.data.sampling import even_places
from sparseembed.embedders.early import DEPTH, EarlyHead, Fidelity, fit_early_head, measure_fidelity
from sparseembed.embedders.query_head import general_head
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import EmbedderError
from sparseembed.files import digest
from sparseembed.indexing.sample import Sample
from sparseembed.progress import note
from sparseembed.pseudo.query_like import any_sentence, query_like

TEXTS = 2048  # texts that a head is fitted to, at most
LEAST_TEXTS = 64  # fewer tell nothing


class FittedEarly(NamedTuple):
    """A head, how near it comes to the whole model, and the texts that it was fitted to."""

    head: EarlyHead
    fidelity: Fidelity
    texts: Sequence[str]


def fit_to_sample(
    name: str, sample: Sample, store: EmbeddingStore, embedder: TransformerEmbedder
) -> FittedEarly | None:
    """Fit a small query encoder to a collection.

    :param name: What the collection is called.
    :param sample: Some of its documents.
    :param store: The collection's embeddings; those of the texts are kept beside them.
    :param embedder: What made them.
    :return: The head; None where the collection has too few texts, or the embedder cannot be run in part.
    """
    texts = sample_texts(sample)
    if len(texts) < LEAST_TEXTS:
        return None
    try:
        features = embedder.early(texts, DEPTH)
    except EmbedderError as error:
        note(f"no small query encoder: {error}")
        return None
    return fit_query_encoder(name, texts, features, DEPTH, store.folder.parent / "titles", embedder)


def fit_query_encoder(
    name: str, texts: Sequence[str], features: Vectors, depth: int, folder: Path, embedder: TransformerEmbedder
) -> FittedEarly:
    """Fit a small query encoder to texts.

    :param name: What the texts' collection is called.
    :param texts: The texts, none blank.
    :param features: What the first layers make of them, shape (n, f), by `TransformerEmbedder.early`.
    :param depth: How many layers made them.
    :param folder: Where the texts' embeddings by the whole model are kept.
    :param embedder: The whole model.
    :return: The head.
    """
    given = Texts(f"{name}, titles and sentences", digest(texts), [str(row) for row in range(len(texts))], texts)
    wanted = encode_to_store(folder, given, embedder, "query", redo=True).matrix()
    general = general_head(embedder, depth)
    fidelity = measure_fidelity(features, wanted, depth, general)
    note(
        f"small query encoder: {depth} layers, fitted to {len(texts):,} texts; mean cosine with the whole model's "
        f"{fidelity.cosine:.2f} on others"
    )
    return FittedEarly(fit_early_head(features, wanted, depth, general=general), fidelity, texts)


def sample_texts(sample: Sample) -> list[str]:
    """Return titles and sentences of a sample's documents, at most 2,048, none blank."""
    places = even_places(len(sample.documents), TEXTS).tolist()
    return [text for _, text in query_like((sample.documents[place] for place in places), any_sentence)]
