"""The small query encoder of an index, fitted to the collection's own titles and sentences."""

from typing import NamedTuple

from sparseembed.data.corpus import Document
from sparseembed.data.sampling import even_places
from sparseembed.embedders.early import DEPTH, EarlyHead, Fidelity, fit_early_head, measure_fidelity
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import EmbedderError
from sparseembed.files import digest
from sparseembed.indexing.sample import Sample
from sparseembed.progress import note
from sparseembed.pseudo.sentences import split_sentences

TEXTS = 2048  # texts that a head is fitted to, at most
LEAST_TEXTS = 64  # fewer tell nothing
WORDS = 32  # of a text, at most


class FittedEarly(NamedTuple):
    """A head and how near it comes to the whole model."""

    head: EarlyHead
    fidelity: Fidelity


def fit_query_encoder(
    name: str, sample: Sample, store: EmbeddingStore, embedder: TransformerEmbedder
) -> FittedEarly | None:
    """Fit a small query encoder.

    :param name: What the collection is called.
    :param sample: Some of its documents.
    :param store: The collection's embeddings; those of the texts are kept beside them.
    :param embedder: What made them.
    :return: The head; None where the collection has too few texts, or the embedder cannot be run in part.
    """
    texts = query_texts([sample.documents[place] for place in even_places(len(sample.documents), TEXTS).tolist()])
    if len(texts) < LEAST_TEXTS:
        return None
    try:
        features = embedder.early(texts, DEPTH)
    except EmbedderError as error:
        note(f"no small query encoder: {error}")
        return None
    given = Texts(f"{name}, titles and sentences", digest(texts), [str(row) for row in range(len(texts))], texts)
    wanted = encode_to_store(store.folder.parent / "titles", given, embedder, "query", redo=True).matrix()
    fidelity = measure_fidelity(features, wanted, DEPTH)
    note(
        f"small query encoder: {DEPTH} layers, fitted to {len(texts):,} titles and sentences; mean cosine with the "
        f"whole model's {fidelity.cosine:.2f} on others"
    )
    return FittedEarly(fit_early_head(features, wanted, DEPTH), fidelity)


def query_texts(documents: list[Document]) -> list[str]:
    """Return texts that look like queries, one a document: titles of every other, sentences of the rest.

    :param documents: The documents.
    :return: At most as many texts, each of at most 32 words, none blank.
    """
    texts = []
    for number, document in enumerate(documents):
        title, sentences = document.title.strip(), split_sentences(document.text)
        sentence = sentences[number // 2 % len(sentences)] if sentences else ""
        chosen = (title or sentence) if number % 2 == 0 else (sentence or title)
        texts.append(" ".join(chosen.split()[:WORDS]))
    return [text for text in texts if text]
