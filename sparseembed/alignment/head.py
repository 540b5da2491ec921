"""The LM head that decodes an embedder's vectors: what it makes of a vector, and the matrix it then multiplies."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sparseembed.alignment.checkpoint import Checkpoint
from sparseembed.alignment.masked import find_layout, read_masked_head
from sparseembed.alignment.matrix import adapt_head, check_width, decoding_folder, find_matrix
from sparseembed.arrays import Vectors
from sparseembed.embedders.transformer import TransformerEmbedder


class Head(NamedTuple):
    """An LM head: `inputs(h) @ matrix.T` are the logits of a state h.

    :param matrix: The decoding matrix, shape (V, d'), float32.
    :param inputs: Embeddings, shape (n, d) -> what is adjusted and decoded, shape (n, d'): the embeddings themselves
        for a causal LM, what the MLM head's transform makes of them for an encoder. A row of zeros stays one. It
        does not hold on to the matrix.
    """

    matrix: Vectors
    inputs: Callable[[Vectors], Vectors]


def decoding_head(embedder: TransformerEmbedder) -> Head:
    """Return the head that decodes an embedder's vectors: its backbone's.

    :param embedder: The embedder; its spec's `decoding` names another checkpoint to read it from, if any.
    :return: The head.
    :raises EmbedderError: The checkpoint has no LM head, or one that does not fit the embeddings.
    """
    folder = decoding_folder(embedder)
    checkpoint = Checkpoint(folder)
    layout = find_layout(checkpoint)
    if layout is None:
        matrix = checkpoint.read(find_matrix(checkpoint), "the decoding matrix")
        check_width(folder, matrix.shape[1], embedder)
        adapt_head(matrix, embedder)
        return Head(matrix, _unchanged)
    matrix, transform = read_masked_head(checkpoint, layout)
    check_width(folder, transform.weight.shape[1], embedder)
    return Head(matrix, transform.apply)


def check_head(embedder: TransformerEmbedder) -> None:
    """Make sure that a head is there, without reading it: called before hours of encoding.

    :raises EmbedderError: As in `decoding_head`, but for its fit.
    """
    checkpoint = Checkpoint(decoding_folder(embedder))
    if find_layout(checkpoint) is None:
        find_matrix(checkpoint)


def is_encoder(folder: Path) -> bool:
    """Say whether a model folder holds an encoder with an MLM head, whose tokens see the whole text.

    :raises EmbedderError: It holds no weights, or damaged ones.
    """
    return find_layout(Checkpoint(folder)) is not None


def _unchanged(vectors: Vectors) -> Vectors:
    return vectors
