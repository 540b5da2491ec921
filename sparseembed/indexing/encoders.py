"""The query encoders of an index that are fitted to the collection's own titles and sentences: static and small."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from sparseembed.alignment.static import StaticEncoder, static_features, token_idf, token_rows, tokens_of
from sparseembed.arrays import Vectors
from sparseembed.data.sampling import even_places
from sparseembed.embedders.early import (
    DEPTH,
    EarlyEncoder,
    EarlyHead,
    Fidelity,
    StaticHead,
    fit_early_head,
    measure_fidelity,
)
from sparseembed.embedders.query_head import general_head
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import EmbedderError
from sparseembed.files import digest
from sparseembed.indexing.sample import Sample
from sparseembed.progress import note
from sparseembed.pseudo.query_like import any_sentence, query_like
from sparseembed.retrieval.rescoring import SMALL, STATIC

TEXTS = 2048  # texts that a head is fitted to, at most
LEAST_TEXTS = 64  # fewer tell nothing
_NOTHING: Mapping[str, Fidelity] = MappingProxyType({})


class Fitted(NamedTuple):
    """What was fitted to texts.

    :param texts: The texts.
    :param static: The static encoder's head; None where there is none.
    :param small: The small encoder's; None where there is none, as where the embedder cannot be run in part.
    :param fidelity: Encoder -> how near it comes to the whole model.
    """

    texts: Sequence[str] = ()
    static: StaticHead | None = None
    small: EarlyHead | None = None
    fidelity: Mapping[str, Fidelity] = _NOTHING

    def encoders(self, embedder: TransformerEmbedder) -> dict[str, StaticEncoder | EarlyEncoder]:
        """Return the encoders by their names.

        :param embedder: The embedder that they were fitted to.
        """
        found: dict[str, StaticEncoder | EarlyEncoder] = {}
        if self.static is not None:
            found[STATIC] = StaticEncoder(embedder, self.static)
        if self.small is not None:
            found[SMALL] = EarlyEncoder(embedder, self.small)
        return found

    def depth(self, encoder: str) -> int:
        """Return how many layers of the embedder an encoder runs."""
        return self.small.depth if encoder == SMALL and self.small is not None else 0


def fit_to_sample(name: str, sample: Sample, store: EmbeddingStore, embedder: TransformerEmbedder) -> Fitted:
    """Fit query encoders to a collection.

    :param name: What the collection is called.
    :param sample: Some of its documents.
    :param store: The collection's embeddings; those of the texts are kept beside them.
    :param embedder: What made them.
    :return: What was fitted: nothing where the collection has too few texts.
    """
    texts = sample_texts(sample)
    if len(texts) < LEAST_TEXTS:
        return Fitted()
    return fit_query_encoders(name, texts, DEPTH, store.folder.parent / "titles", sample, embedder)


def fit_query_encoders(
    name: str,
    texts: Sequence[str],
    depth: int,
    folder: Path,
    sample: Sample,
    embedder: TransformerEmbedder,
) -> Fitted:
    """Fit query encoders to texts.

    :param name: What the texts' collection is called.
    :param texts: The texts, none blank.
    :param depth: How many layers the small encoder runs; all of a model that has fewer. There is none where the
        embedder cannot be run in part.
    :param folder: Where the texts' embeddings by the whole model are kept.
    :param sample: Documents that the idf of tokens is counted in.
    :param embedder: The whole model.
    :return: What was fitted.
    """
    given = Texts(f"{name}, titles and sentences", digest(texts), [str(row) for row in range(len(texts))], texts)
    wanted = encode_to_store(folder, given, embedder, "query", redo=True).matrix()
    static, near = _fit_static(texts, wanted, sample, embedder)
    fidelity, told, small = {STATIC: near}, f"static {near.cosine:.2f}", None
    try:
        features, depth = embedder.early(texts, depth), min(depth, embedder.layers)
    except EmbedderError as error:
        note(f"no small query encoder: {error}")
    else:
        general = general_head(embedder, depth)
        near = measure_fidelity(features, wanted, depth, general)
        small = fit_early_head(features, wanted, depth, general=general)
        fidelity[SMALL], told = near, f"{told}, small ({depth} layers) {near.cosine:.2f}"
    note(f"query encoders fitted to {len(texts):,} texts; mean cosine with the whole model's on others: {told}")
    return Fitted(texts, static, small, fidelity)


def _fit_static(
    texts: Sequence[str], wanted: Vectors, sample: Sample, embedder: TransformerEmbedder
) -> tuple[StaticHead, Fidelity]:
    """Fit a static query encoder; also say how near it comes."""
    rows = token_rows(embedder)
    idf = token_idf(embedder.tokenizer, [document.contents for document in sample.documents], rows.shape[0])
    features = static_features(tokens_of(embedder.tokenizer, texts), rows, idf)
    return StaticHead(idf, fit_early_head(features, wanted, 0)), measure_fidelity(features, wanted, 0)


def sample_texts(sample: Sample) -> list[str]:
    """Return titles and sentences of a sample's documents, at most 2,048, none blank."""
    places = even_places(len(sample.documents), TEXTS).tolist()
    return [text for _, text in query_like((sample.documents[place] for place in places), any_sentence)]
