"""A forward pass: prompted token ids to embeddings, while encoding and while training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparseembed.embedders.attention import model_mask
from sparseembed.embedders.pooling import pool
from sparseembed.embedders.prompts import Prompted
from sparseembed.embedders.spec import EmbedderSpec

if TYPE_CHECKING:
    import torch


def embed(model: Any, items: Sequence[Prompted], spec: EmbedderSpec, device: str) -> "torch.Tensor":
    """Run texts through a model and pool their states.

    :param model: The body of a transformer, also one that PEFT has wrapped.
    :param items: Prompted texts, n, none empty; they are padded to the longest.
    :param spec: Attention and pooling.
    :param device: Where the model is.
    :return: Shape (n, d), float32, on the device.
    """
    import torch

    lengths = torch.tensor([len(item.ids) for item in items])
    longest = int(lengths.max())
    padded = torch.zeros((len(items), longest), dtype=torch.long)
    for row, item in enumerate(items):
        padded[row, : len(item.ids)] = torch.tensor(item.ids)
    starts = torch.tensor([item.start for item in items]).to(device) if spec.pool_over == "text" else None
    padded, lengths = padded.to(device), lengths.to(device)
    # Under a causal mask nothing looks to the right, where all padding is: no mask is needed, and none is faster.
    mask = model_mask(model, lengths, longest, spec.attention) if spec.attention == "bidirectional" else None
    states = model(input_ids=padded, attention_mask=mask, use_cache=False).last_hidden_state
    return pool(states, lengths, spec.pooling, starts)
