"""A query encoder that runs no layer of the model: a query's embedding is made of vectors of its tokens.

The vectors are rows of the LM head's matrix, so that what decodes embeddings into tokens makes an embedding of tokens.
A row counts by its token's idf in the collection, rows are summed, and the sum is mapped to what the whole model makes
of such a text: by the same regression that fits a small query encoder (`embedders.early`), which is one of no layers.
Such vectors of tokens, fixed whatever stands beside them, are known as static embeddings (Tulkens and van Dongen,
Model2Vec, 2024). Rows are read from the model's file where they are asked for: neither torch nor the model is loaded,
unless weights are in PyTorch's own form, or config.json leaves open whether embeddings are tied.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparseembed.alignment.checkpoint import Checkpoint, WholeRows
from sparseembed.alignment.masked import find_layout, find_masked_matrix
from sparseembed.alignment.matrix import decoding_folder, find_matrix
from sparseembed.alignment.tensor_file import TensorRows
from sparseembed.arrays import Vectors
from sparseembed.embedders.early import StaticHead
from sparseembed.errors import EmbedderError
from sparseembed.progress import track
from sparseembed.text import PART, clean_text

if TYPE_CHECKING:
    from sparseembed.embedders.transformer import TransformerEmbedder

_TOGETHER = 64  # texts tokenized at once


class StaticEncoder:
    """Queries to embeddings by rows of their tokens and a map."""

    def __init__(self, embedder: "TransformerEmbedder", head: StaticHead) -> None:
        """Take the parts; nothing is read yet.

        :param embedder: The embedder that the head was fitted to.
        :param head: The head.
        """
        self._embedder, self._head = embedder, head
        self._rows: TensorRows | WholeRows | None = None

    def encode(self, texts: Sequence[str], side: str = "query") -> Vectors:
        """Embed texts.

        :param texts: The texts; one without tokens gets a zero vector.
        :param side: Of no effect, since no prompt is read.
        :return: Shape (n, d), float32.
        :raises EmbedderError: The model's folder lacks the matrix, or has another one than the head was fitted to.
        """
        if self._rows is None:
            self._rows = self._checked(token_rows(self._embedder))
        features = static_features(tokens_of(self._embedder.tokenizer, texts), self._rows, self._head.idf)
        found = self._head.head.apply(features)
        found[~features.any(axis=1)] = 0
        return found

    def _checked(self, rows: TensorRows | WholeRows) -> TensorRows | WholeRows:
        """Return rows, if the head was fitted to as many of that length."""
        if rows.shape != (len(self._head.idf), len(self._head.head.mean)):
            raise EmbedderError(
                f"the LM head of {self._embedder.spec.name} has {rows.shape[0]:,} rows of {rows.shape[1]:,} numbers, "
                f"and the index's static query encoder was fitted to {len(self._head.idf):,} of "
                f"{len(self._head.head.mean):,}: fit it anew with sparseembed fit-query-encoder"
            )
        return rows


def token_rows(embedder: "TransformerEmbedder") -> TensorRows | WholeRows:
    """Return the rows of the LM head's matrix, as the checkpoint has them: an adapter's change of them is left out.

    :param embedder: The embedder.
    :raises EmbedderError: There is no LM head, or the checkpoint is damaged.
    """
    checkpoint = Checkpoint(decoding_folder(embedder))
    layout = find_layout(checkpoint)
    name = find_matrix(checkpoint) if layout is None else find_masked_matrix(checkpoint, layout)
    return checkpoint.rows(name, "the decoding matrix")


def tokens_of(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of texts, without a prompt and special tokens, as they stand within a sentence.

    :param tokenizer: A `tokenizers.Tokenizer`.
    :param texts: The texts; of a long one the beginning counts.
    """
    found: list[list[int]] = []
    for start in range(0, len(texts), _TOGETHER):
        cleaned = [clean_text(text[:PART]).strip() for text in texts[start : start + _TOGETHER]]
        given = [f" {text}" if text else "" for text in cleaned]
        found += [encoding.ids for encoding in tokenizer.encode_batch(given, add_special_tokens=False)]
    return found


def token_idf(tokenizer: Any, texts: Sequence[str], size: int) -> Vectors:
    """Return the idf of all tokens in texts.

    :param tokenizer: A `tokenizers.Tokenizer`.
    :param texts: The texts.
    :param size: V, the number of tokens.
    :return: As in `StaticHead`, of the numbers that float16 has.
    """
    frequency = np.zeros(size, dtype=np.int64)
    with track("counting tokens", len(texts), "texts") as bar:
        for start in range(0, len(texts), _TOGETHER):
            some = tokens_of(tokenizer, texts[start : start + _TOGETHER])
            for tokens in some:
                own = np.unique(tokens).astype(np.int64)
                frequency[own[own < size]] += 1
            bar.update(len(some))
    idf: Vectors = np.log1p(len(texts) / (1 + frequency)).astype(np.float16).astype(np.float32)
    return idf


def static_features(tokens: Sequence[Sequence[int]], rows: TensorRows | WholeRows, idf: Vectors) -> Vectors:
    """Sum the rows of texts' tokens.

    :param tokens: Of n texts; a token that the matrix lacks does not count.
    :param rows: The matrix, shape (V, f).
    :param idf: Shape (V,).
    :return: Shape (n, f): of each text the sum of idf x row over its tokens, by the square root of the sum of idf, as
        many tokens say more than few, and the less the more they are; zeros for a text without tokens.
    """
    size, width = rows.shape
    features = np.zeros((len(tokens), width), dtype=np.float32)
    for text, given in enumerate(tokens):
        numbers, counts = np.unique(np.asarray(given, dtype=np.int64), return_counts=True)
        counts = counts[numbers < size]
        numbers = numbers[numbers < size]
        weights = counts * idf[numbers]
        total = float(weights.sum())
        if total > 0:
            features[text] = weights @ rows.take(numbers) / np.sqrt(total)
    return features
