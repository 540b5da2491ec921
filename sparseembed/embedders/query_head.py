"""The head of a small query encoder that was fitted to general texts, which an adapter may bring along.

A collection has some hundred or thousand texts to fit a head to; general ones can be as many as one likes. So a
collection's head is fitted to what the general one leaves over (`fit_early_head`).
"""

from contextlib import suppress
from pathlib import Path

import numpy as np

from sparseembed.embedders.early import EarlyHead
from sparseembed.embedders.transformer import TransformerEmbedder

FILE = "query_head.safetensors"
"""In the folder of an embedder's only adapter."""

_PARTS = ("mean", "scale", "weights", "offset")


def general_head(embedder: TransformerEmbedder, depth: int) -> EarlyHead | None:
    """Return the head that comes with an embedder.

    :param embedder: The embedder.
    :param depth: Layers that make the features.
    :return: The head; None where there is none, or one for other layers, another query prompt or another pooling.
    """
    if len(embedder.adapters) != 1 or not (embedder.adapters[0] / FILE).is_file():
        return None
    from safetensors import SafetensorError, safe_open

    with suppress(OSError, ValueError, KeyError, TypeError, SafetensorError):
        with safe_open(embedder.adapters[0] / FILE, framework="numpy") as file:
            fits = file.metadata() == _about(embedder, depth)
            parts = [file.get_tensor(name).astype(np.float32) for name in _PARTS]
        features, size = parts[2].shape
        if fits and [part.shape for part in parts] == [(features,), (features,), (features, size), (size,)]:
            return EarlyHead(depth, *parts)
    return None


def write_general_head(folder: Path, head: EarlyHead, embedder: TransformerEmbedder) -> Path:
    """Put a head beside an adapter, in float16.

    :param folder: The adapter's folder.
    :param head: The head.
    :param embedder: The embedder that it was fitted to, with that adapter.
    :return: The file.
    """
    from safetensors.numpy import save_file

    values = {name: np.ascontiguousarray(getattr(head, name).astype(np.float16)) for name in _PARTS}
    save_file(values, folder / FILE, metadata=_about(embedder, head.depth))
    return folder / FILE


def _about(embedder: TransformerEmbedder, depth: int) -> dict[str, str]:
    spec = embedder.spec
    return {"depth": str(depth), "query_prompt": spec.prompt("query"), "pooling": spec.pooling}
