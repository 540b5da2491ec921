"""How large a model's activations are, channel by channel: a few texts tell, once a model.

A channel that is always large takes the steps of the others where a token's numbers share one scale. So part of its
size is moved into the weights that it meets (SmoothQuant: Xiao et al., ICML 2023, eq. 4, with alpha = 0.5).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sparseembed.arrays import Vectors
from sparseembed.embedders.general import general_texts

INPUTS = ("self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj")
"""Layers whose inputs are measured; the others share them."""


class Calibration(NamedTuple):
    """What the texts told.

    :param largest: For each of `INPUTS`, the largest |activation| of each channel, shape (layers, channels).
    :param states: Last tokens' states of the texts, shape (n, d): what the quantised model is to come near.
    """

    largest: tuple[Vectors, ...]
    states: Vectors


def calibration_tokens(tokenizer: Any, most: int) -> list[list[int]]:
    """Return the general texts as token ids, without a prompt: one measurement serves all prompts.

    :param tokenizer: A `tokenizers.Tokenizer`.
    :param most: Tokens of a text at most.
    """
    return [encoding.ids[:most] for encoding in tokenizer.encode_batch(general_texts()) if encoding.ids]


def calibrated(model: Any, tokens: Sequence[Sequence[int]]) -> Calibration:
    """Run texts through a model and note how large its activations are.

    :param model: The body of a transformer, in float32.
    :param tokens: Texts, as token ids.
    """
    import torch

    largest: list[list[Any]] = [[None] * len(model.layers) for _ in INPUTS]

    def watch(kind: int, layer: int) -> Any:
        def hook(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            seen = inputs[0].detach().abs().flatten(0, -2).amax(0)
            before = largest[kind][layer]
            largest[kind][layer] = seen if before is None else torch.maximum(before, seen)

        return hook

    hooks = [
        layer.get_submodule(name).register_forward_pre_hook(watch(kind, number))
        for number, layer in enumerate(model.layers)
        for kind, name in enumerate(INPUTS)
    ]
    try:
        with torch.inference_mode():
            states = [
                model(input_ids=torch.tensor([list(text)]), use_cache=False).last_hidden_state[0, -1] for text in tokens
            ]
    finally:
        for hook in hooks:
            hook.remove()
    return Calibration(tuple(torch.stack(each).numpy() for each in largest), torch.stack(states).numpy())


def smoothing(activations: Vectors, weights: Vectors) -> Vectors:
    """Return what activations are divided by, and weights multiplied by, channel by channel.

    :param activations: Largest |activation| of each channel, shape (c,).
    :param weights: Largest |weight| that meets it, shape (c,).
    :return: Shape (c,), float32, its mean 1.
    """
    factors = np.sqrt(np.maximum(activations, 1e-5) / np.maximum(weights, 1e-5))
    normal: Vectors = (factors / factors.mean()).astype(np.float32)
    return normal
