"""A model's weights in 8-bit integers: made from the model once, then kept in a file that is mapped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sparseembed.arrays import Vectors
from sparseembed.embedders.int8.calibration import INPUTS, Calibration, smoothing
from sparseembed.files import atomic_file

if TYPE_CHECKING:
    import torch


class Linear(NamedTuple):
    """Quantised weights, int8 of shape (inputs, outputs), and the scale of each output."""

    weight: "torch.Tensor"
    scales: Vectors

    def sums(self, values: "torch.Tensor") -> Any:
        """Return the exact sums of quantised numbers, shape (T, outputs), int32."""
        import torch

        return torch._int_mm(values, self.weight).numpy()


class Layer(NamedTuple):
    """One layer; what activations are divided by (see `calibration.smoothing`) stands in norms, scales and bias."""

    attention_norm: Vectors
    turned: Linear  # queries, keys and values side by side
    bias: Vectors
    head_norms: Vectors  # (2, c) for queries and keys, or (0, c)
    out: Linear
    mlp_norm: Vectors
    gated: Linear  # the gate's and the upward weights side by side
    down: Linear


class Shape(NamedTuple):
    """Numbers of a model: heads of queries, and of keys; epsilon of norms; its attention's window, or None."""

    heads: int
    groups: int
    eps: float
    window: int | None


@dataclass(frozen=True)
class Int8Weights:
    """All weights of a model.

    :param shape: Its numbers.
    :param table: Embeddings of its tokens, shape (V, d), bfloat16 where that loses nothing, else float32.
    :param norm: Weight of the last norm, shape (d,).
    :param cosines: Of the rotary embedding, shape (positions, c / 2).
    :param sines: The same.
    :param layers: Its layers.
    """

    shape: Shape
    table: "torch.Tensor"
    norm: Vectors
    cosines: Vectors
    sines: Vectors
    layers: Sequence[Layer]


def quantised(model: Any, calibration: Calibration) -> Int8Weights:
    """Quantise a model, which is not changed.

    :param model: The body, in float32, of a type that `support.unfit` finds no fault with.
    :param calibration: How large its activations are.
    :return: Its weights, which share no memory with it.
    """
    import torch

    config = model.config
    table = model.get_input_embeddings().weight.detach()
    halved = table.to(torch.bfloat16)
    groups = config.num_key_value_heads
    layers = [
        _layer(layer, [kind[number] for kind in calibration.largest], groups)
        for number, layer in enumerate(model.layers)
    ]
    half = layers[0].out.weight.shape[0] // config.num_attention_heads // 2
    with torch.inference_mode():
        places = torch.arange(config.max_position_embeddings)[None, :]
        cosines, sines = (_array(each[0, :, :half]) for each in model.rotary_emb(torch.zeros(1, 1, 1), places))
    return Int8Weights(
        Shape(config.num_attention_heads, groups, config.rms_norm_eps, window_of(config)),
        halved if bool((halved.float() == table).all()) else table.clone(),
        _array(model.norm.weight),
        cosines,
        sines,
        layers,
    )


def window_of(config: Any) -> int | None:
    """Return how far a model's attention reaches; None where it reaches everywhere."""
    windowed = "sliding_attention" in (getattr(config, "layer_types", None) or ()) or config.model_type == "mistral"
    return getattr(config, "sliding_window", None) if windowed else None


def write_weights(weights: Int8Weights, path: Path) -> None:
    """Write weights to a file; see `read_weights`.

    :param weights: The weights.
    :param path: The file; its folder must exist.
    """
    from safetensors.torch import save

    tensors = {"table": weights.table}
    arrays = {name: getattr(weights, name) for name in ("norm", "cosines", "sines")}
    for number, layer in enumerate(weights.layers):
        for name, part in layer._asdict().items():
            if isinstance(part, Linear):
                tensors[f"{number}.{name}.weight"] = part.weight
                arrays[f"{number}.{name}.scales"] = part.scales
            else:
                arrays[f"{number}.{name}"] = part
    told = json.dumps([len(weights.layers), *weights.shape])
    with atomic_file(path) as file:
        file.write(save(tensors | {name: _tensor(array) for name, array in arrays.items()}, {"shape": told}))


def read_weights(path: Path) -> Int8Weights:
    """Map the weights that `write_weights` wrote.

    :param path: The file.
    :raises ValueError, KeyError, TypeError, OSError, SafetensorError: It is not whole.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        count, *shape = json.loads(file.metadata()["shape"])

        def linear(name: str) -> Linear:
            return Linear(file.get_tensor(f"{name}.weight"), file.get_tensor(f"{name}.scales").numpy())

        def layer(number: int) -> Layer:
            parts: dict[str, Any] = {
                name: (linear if kind is Linear else lambda name: file.get_tensor(name).numpy())(f"{number}.{name}")
                for name, kind in Layer.__annotations__.items()
            }
            return Layer(**parts)

        norm, cosines, sines = (file.get_tensor(name).numpy() for name in ("norm", "cosines", "sines"))
        return Int8Weights(
            Shape(*shape), file.get_tensor("table"), norm, cosines, sines, [layer(number) for number in range(count)]
        )


def _tensor(array: Vectors) -> "torch.Tensor":
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def _array(tensor: "torch.Tensor") -> Vectors:
    import torch

    found: Vectors = tensor.detach().to(torch.float32).contiguous().numpy().copy()
    return found


def _layer(layer: Any, largest: Sequence[Vectors], groups: int) -> Layer:
    """Quantise a layer: what activations are divided by stands in the norm or the weights before them."""
    import torch

    attention, mlp = layer.self_attn, layer.mlp
    turned = torch.cat([part.weight.detach() for part in (attention.q_proj, attention.k_proj, attention.v_proj)])
    gated = torch.cat([part.weight.detach() for part in (mlp.gate_proj, mlp.up_proj)])
    out, down = attention.o_proj.weight.detach(), mlp.down_proj.weight.detach()
    size = attention.k_proj.weight.shape[0] // groups
    at = dict(zip(INPUTS, largest, strict=True))
    before_turned = smoothing(at["self_attn.q_proj"], _columns(turned))
    before_gated = smoothing(at["mlp.gate_proj"], _columns(gated))
    before_down = smoothing(at["mlp.down_proj"], _columns(down))
    # A value serves several heads of queries: its channels are theirs.
    shared = (groups, -1, size)
    before_out = smoothing(
        at["self_attn.o_proj"].reshape(shared).max(axis=1).ravel(), _columns(out).reshape(shared).max(axis=1).ravel()
    )
    each_head = np.repeat(before_out.reshape(groups, 1, size), out.shape[1] // (groups * size), axis=1).ravel()
    biases = [part.bias for part in (attention.q_proj, attention.k_proj, attention.v_proj)]
    bias = np.zeros(len(turned), dtype=np.float32) if biases[0] is None else _array(torch.cat(biases))
    norms = [_array(attention.get_submodule(name).weight) for name in ("q_norm", "k_norm") if hasattr(attention, name)]
    turned_linear, gated_linear = _linear(turned, before_turned), _linear(gated, before_gated)
    values = slice(len(turned) - groups * size, None)
    turned_linear.scales[values] /= before_out
    bias[values] /= before_out
    gated_linear.scales[len(gated) // 2 :] /= before_down
    return Layer(
        _array(layer.input_layernorm.weight) / before_turned,
        turned_linear,
        bias,
        np.stack(norms) if norms else np.zeros((0, size), np.float32),
        _linear(out, each_head),
        _array(layer.post_attention_layernorm.weight) / before_gated,
        gated_linear,
        _linear(down, before_down),
    )


def _columns(weight: "torch.Tensor") -> Vectors:
    """Return the largest |weight| of each input."""
    return _array(weight.abs().amax(0))


def _linear(weight: "torch.Tensor", factors: Vectors) -> Linear:
    """Quantise weights of shape (outputs, inputs), each input times its factor, with a scale for each output."""
    import torch

    scaled = weight * torch.from_numpy(factors)
    scales = (scaled.abs().amax(1) / 127).clamp_min(1e-12)
    return Linear((scaled / scales[:, None]).round().to(torch.int8).t().contiguous(), _array(scales))
