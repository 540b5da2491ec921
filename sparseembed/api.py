"""Texts to embeddings and embeddings to tokens, in one call each."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparseembed.arrays import Vectors
from sparseembed.embedders.load import EmbedderLike, load_embedder
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError

if TYPE_CHECKING:
    from sparseembed.alignment.adjustment import Adjustment
    from sparseembed.alignment.decoding import Decoder
    from sparseembed.sparse.pieces import PieceSpace


class AlignedToken(NamedTuple):
    """An aligned token of a text: the token for people, and its score E_g · h."""

    token: str
    score: float


def encode_document(texts: str | Sequence[str], embedder: EmbedderLike | None = None) -> Vectors:
    """Embed documents with the document prompt.

    :param texts: One text or several.
    :param embedder: Preset, path, Hugging Face id or embedder; the default preset when None.
    :return: Shape (d,) for one text, (n, d) for several, float32; zeros for a blank text.
    :raises EmbedderError: The embedder cannot be loaded, or gives NaN.
    """
    return _encode(texts, embedder, "document")


def encode_query(texts: str | Sequence[str], embedder: EmbedderLike | None = None) -> Vectors:
    """Embed queries with the query prompt.

    :param texts: One text or several.
    :param embedder: As in `encode_document`.
    :return: As in `encode_document`.
    :raises EmbedderError: As in `encode_document`.
    """
    return _encode(texts, embedder, "query")


def decode(
    embedding: Vectors,
    embedder: EmbedderLike | None = None,
    k: int = 20,
    terms: str = "folded",
    adjustment: "Adjustment | None" = None,
) -> list[AlignedToken]:
    """Return the tokens that an embedding scores highest: its aligned tokens.

    :param embedding: Shape (d,), from `encode_document` or `encode_query`.
    :param embedder: The embedder it came from; its backbone's LM head is used, of an encoder the whole MLM head.
    :param k: Tokens wanted.
    :param terms: `folded` (tokens that differ only in case and leading space count as one) or `token`.
    :param adjustment: What is done before the decoding matrix, such as an index's; nothing when None.
    :return: The tokens, best first.
    :raises ConfigError: Wrong shape, k < 1 or unknown `terms`.
    :raises EmbedderError: The model has no LM head.
    """
    if terms not in ("folded", "token"):
        raise ConfigError(f"terms must be folded or token to decode one embedding, not {terms!r}")
    if k < 1:
        raise ConfigError(f"k, the tokens wanted, must be at least 1, not {k}")
    chosen = load_embedder(embedder)
    space, decoder, inputs = _decoder(chosen, terms)
    vector = np.asarray(embedding, dtype=np.float32)
    if vector.shape != (chosen.dimension,):
        raise ConfigError(f"the embedding has the shape {vector.shape}, this embedder's have ({chosen.dimension},)")
    apply = inputs if adjustment is None else adjustment.after(inputs).apply
    aligned = decoder.top(apply(vector[None, :]), k)
    return [
        AlignedToken(space.labels[int(term)], float(score))
        for term, score in zip(aligned.terms[0], aligned.scores[0], strict=True)
    ]


def _encode(texts: str | Sequence[str], embedder: EmbedderLike | None, side: str) -> Vectors:
    chosen = load_embedder(embedder)
    if isinstance(texts, str):
        vector: Vectors = chosen.encode([texts], side)[0]
        return vector
    return chosen.encode(list(texts), side)


@lru_cache(maxsize=2)
def _decoder(embedder: TransformerEmbedder, terms: str) -> "tuple[PieceSpace, Decoder, Callable[[Vectors], Vectors]]":
    from sparseembed.alignment.decoding import Decoder
    from sparseembed.alignment.head import decoding_head
    from sparseembed.sparse.pieces import piece_rows, piece_space

    head = decoding_head(embedder)
    space = piece_space(terms, embedder.tokenizer, len(head.matrix))
    return space, Decoder(piece_rows(space, head.matrix), embedder.device), head.inputs
