"""The decoding matrix: the backbone's unembedding, read alone from its checkpoint."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.alignment.tensor_file import read_header, read_tensor
from sparseembed.embedders.sources import model_folder, quiet_hub, weight_files
from sparseembed.embedders.transformer import TransformerEmbedder, Vectors
from sparseembed.errors import EmbedderError

ROWS = 4_096  # checked at once
# Names of the output matrix in the checkpoints of causal LMs, then of the input matrix that a tied head shares.
HEADS = ("lm_head.weight", "embed_out.weight", "output.weight", "model.lm_head.weight")
TIED = (
    "embed_tokens.weight",
    "wte.weight",
    "embed_in.weight",
    "word_embeddings.weight",
    "tok_embeddings.weight",
)


def decoding_matrix(embedder: TransformerEmbedder) -> Vectors:
    """Return the decoding matrix of an embedder's backbone.

    :param embedder: The embedder; its spec's `decoding` names another checkpoint to read it from, if any.
    :return: Shape (V, d), float32.
    :raises EmbedderError: The checkpoint has no LM head, or one that does not fit the embeddings.
    """
    source = embedder.spec.decoding
    folder = model_folder(source) if source else embedder.folder
    matrix = read_matrix(folder)
    if matrix.shape[1] != embedder.dimension:
        raise EmbedderError(
            f"the decoding matrix in {folder} has rows of {matrix.shape[1]}, the embeddings have {embedder.dimension} "
            "numbers: it must come from the embedder's own backbone"
        )
    return matrix


def check_head(embedder: TransformerEmbedder) -> None:
    """Make sure that a decoding matrix is there, without reading it: called before hours of encoding.

    :raises EmbedderError: As in `decoding_matrix`.
    """
    source = embedder.spec.decoding
    _find_tensor(model_folder(source) if source else embedder.folder)


def read_matrix(folder: Path) -> Vectors:
    """Read the decoding matrix of a causal LM's model folder; of a safetensors checkpoint only that one tensor.

    Memory stays near the matrix's own size as float32: the file is read in small blocks.

    :param folder: A model folder.
    :return: Shape (V, d), float32.
    :raises EmbedderError: There is none.
    """
    file, name = _find_tensor(folder)
    if file.suffix == ".safetensors":
        result = read_tensor(file, name)
    else:
        import torch

        new_format = zipfile.is_zipfile(file)  # the older one cannot be mapped into memory
        matrix = torch.load(file, map_location="cpu", weights_only=True, mmap=new_format)[name].detach()
        result = matrix.float().numpy()
    if not all(np.isfinite(result[row : row + ROWS]).all() for row in range(0, len(result), ROWS)):
        raise EmbedderError(f"the decoding matrix {name} in {file} holds NaN or infinity")
    return result


def _find_tensor(folder: Path) -> tuple[Path, str]:
    names = _tensor_names(folder)
    for head in HEADS:
        if head in names:
            return names[head], head
    if _is_tied(folder):
        for ending in TIED:
            for name, file in names.items():
                # An encoder (embeddings.word_embeddings) has layers between its states and such a matrix.
                if f".{name}".endswith("." + ending) and ".embeddings." not in f".{name}":
                    return file, name
    raise EmbedderError(
        f"the model in {folder} has no LM head (none of {', '.join(HEADS[:3])}, and no tied embeddings), so its "
        "embeddings cannot be decoded: name the backbone it was made from with --decoding"
    )


def _tensor_names(folder: Path) -> dict[str, Path]:
    names: dict[str, Path] = {}
    for file in weight_files(folder):
        names.update((name, file) for name in _names_in(file))
    return names


def _names_in(file: Path) -> list[str]:
    if file.suffix == ".safetensors":
        return list(read_header(file))
    import torch

    try:
        return list(torch.load(file, map_location="meta", weights_only=True))
    except Exception:  # unpickling fails in many ways, and says so in many lines
        raise EmbedderError(f"{file} cannot be read as PyTorch weights: fetch the model again") from None


def _is_tied(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for part in (config.get("text_config") or {}, config):
            if "tie_word_embeddings" in part:
                return bool(part["tie_word_embeddings"])
    except (OSError, ValueError, AttributeError):
        raise EmbedderError(f"{folder}/config.json is damaged: fetch the model again") from None
    # A config says nothing where its architecture's default holds.
    with quiet_hub():
        from transformers import AutoConfig

        try:
            loaded: Any = AutoConfig.from_pretrained(folder)
        except Exception as error:  # an unknown architecture shows as one of several types
            reason = " ".join(str(error).split())[:160]
            raise EmbedderError(f"cannot read {folder}/config.json: {reason}") from None
    return bool(getattr(loaded, "tie_word_embeddings", False))
