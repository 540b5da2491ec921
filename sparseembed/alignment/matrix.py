"""The decoding matrix: a causal LM's unembedding, read alone from its checkpoint."""

from pathlib import Path

from sparseembed.alignment.architecture import output_names
from sparseembed.alignment.checkpoint import Checkpoint
from sparseembed.alignment.masked import find_layout
from sparseembed.arrays import Vectors
from sparseembed.embedders.adapters import merge_head
from sparseembed.embedders.sources import model_folder
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import EmbedderError

# Names of the output matrix in the checkpoints of causal LMs, then of the input matrix that a tied head shares.
HEADS = ("lm_head.weight", "embed_out.weight", "output.weight", "model.lm_head.weight")
TIED = (
    "embed_tokens.weight",
    "wte.weight",
    "embed_in.weight",
    "word_embeddings.weight",
    "tok_embeddings.weight",
)


def decoding_folder(embedder: TransformerEmbedder) -> Path:
    """Return the model folder whose LM head decodes an embedder's vectors: its backbone's, or its own."""
    source = embedder.spec.decoding
    return model_folder(source) if source else embedder.folder


def decoding_matrix(embedder: TransformerEmbedder) -> Vectors:
    """Return the decoding matrix of an embedder whose backbone is a causal LM.

    :param embedder: The embedder; its spec's `decoding` names another checkpoint to read it from, if any.
    :return: Shape (V, d), float32.
    :raises EmbedderError: The checkpoint has no LM head, or one that does not fit the embeddings.
    """
    folder = decoding_folder(embedder)
    matrix = read_matrix(folder)
    check_width(folder, matrix.shape[1], embedder)
    adapt_head(matrix, embedder)
    return matrix


def adapt_head(matrix: Vectors, embedder: TransformerEmbedder) -> None:
    """Add what an embedder's adapters change of the LM head, in place: nothing where another model's head decodes.

    :param matrix: The decoding matrix, shape (V, d).
    :param embedder: The embedder.
    :raises EmbedderError: An adapter changes a head of another shape.
    """
    if embedder.spec.decoding is None:
        for folder in embedder.adapters:
            merge_head(matrix, folder)


def check_width(folder: Path, width: int, embedder: TransformerEmbedder) -> None:
    """Make sure that an LM head takes an embedder's vectors.

    :param folder: Where the head was read.
    :param width: Numbers that it takes.
    :raises EmbedderError: The embedder gives more or fewer.
    """
    if width != embedder.dimension:
        raise EmbedderError(
            f"the decoding matrix in {folder} has rows of {width}, the embeddings have {embedder.dimension} "
            "numbers: it must come from the embedder's own backbone"
        )


def read_matrix(folder: Path) -> Vectors:
    """Read the decoding matrix of a causal LM's model folder; of a safetensors checkpoint only that one tensor.

    Memory stays near the matrix's own size as float32: the file is read in small blocks.

    :param folder: A model folder.
    :return: Shape (V, d), float32.
    :raises EmbedderError: There is none, or an MLM head in its place (see `head.decoding_head`).
    """
    checkpoint = Checkpoint(folder)
    if find_layout(checkpoint) is not None:
        raise EmbedderError(f"the encoder in {folder} has an MLM head, which is more than a matrix: give a causal LM")
    return checkpoint.read(find_matrix(checkpoint), "the decoding matrix")


def find_matrix(checkpoint: Checkpoint) -> str:
    """Return the name of a causal LM's decoding matrix.

    :raises EmbedderError: There is none.
    """
    head = checkpoint.first(HEADS)
    if head is not None:
        return head
    if checkpoint.is_tied:
        for ending in TIED:
            for name in checkpoint.files:
                # An encoder (embeddings.word_embeddings) has layers between its states and such a matrix.
                if f".{name}".endswith("." + ending) and ".embeddings." not in f".{name}":
                    return name
    named = checkpoint.first(output_names(checkpoint))
    if named is not None:
        return named
    raise EmbedderError(
        f"the model in {checkpoint.folder} has no LM head (none of {', '.join(HEADS[:3])}, no tied embeddings, and no "
        "MLM head of an encoder), so its embeddings cannot be decoded: name the backbone it was made from with "
        "--decoding"
    )
