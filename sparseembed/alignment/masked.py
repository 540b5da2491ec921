"""The MLM head of an encoder: a transform of the state, then a matrix and a bias.

transformers calls it `BertLMPredictionHead`, `RobertaLMHead`, `MPNetLMHead` or, in DistilBERT, `vocab_*`: the logits
are W · LayerNorm(act(D h + c)) + b. The bias is one more column of the matrix here, beside a constant 1 in the inputs,
so that all that comes after the transform is linear.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sparseembed.alignment.checkpoint import Checkpoint
from sparseembed.arrays import Vectors
from sparseembed.errors import EmbedderError

ROWS = 4_096  # texts transformed at once
INPUTS = ".embeddings.word_embeddings.weight"  # how the input matrix ends that a tied head shares


class Layout(NamedTuple):
    """Where a family of encoders keeps the parts of its MLM head.

    :param dense: The dense layer.
    :param norm: The LayerNorm.
    :param matrix: The output matrix, missing where it is tied to the input one.
    :param bias: Names of the output bias; the first that is there counts, as in transformers.
    :param activation: Field of the configuration; None where it is gelu whatever the configuration says.
    :param eps: Field of the configuration that holds the LayerNorm's epsilon; None where it is 1e-12.
    """

    dense: str
    norm: str
    matrix: str
    bias: tuple[str, ...]
    activation: str | None
    eps: str | None


LAYOUTS = (
    Layout(  # BERT
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder.weight",
        ("cls.predictions.decoder.bias", "cls.predictions.bias"),
        "hidden_act",
        "layer_norm_eps",
    ),
    Layout(  # RoBERTa, XLM-RoBERTa, CamemBERT, MPNet
        "lm_head.dense",
        "lm_head.layer_norm",
        "lm_head.decoder.weight",
        ("lm_head.decoder.bias", "lm_head.bias"),
        None,
        "layer_norm_eps",
    ),
    Layout(  # DistilBERT
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector.weight",
        ("vocab_projector.bias",),
        "activation",
        None,
    ),
)


@dataclass(frozen=True)
class Transform:
    """What an MLM head does to a state before its matrix.

    :param weight: Of the dense layer, shape (d', d).
    :param bias: Of the dense layer, shape (d',).
    :param scale: Of the LayerNorm, shape (d',).
    :param shift: Of the LayerNorm, shape (d',).
    :param activation: Its name in transformers.
    :param eps: Of the LayerNorm.
    """

    weight: Vectors
    bias: Vectors
    scale: Vectors
    shift: Vectors
    activation: str
    eps: float

    def apply(self, vectors: Vectors) -> Vectors:
        """Transform embeddings in float32, a block at a time.

        :param vectors: Shape (n, d). A row of zeros, a blank text, stays one.
        :return: Shape (n, d' + 1); the last number of each row is 1, which the matrix's bias is multiplied by.
        """
        import torch
        from torch.nn.functional import layer_norm, linear

        activation = _activation(self.activation)
        weight, bias, scale, shift = map(torch.from_numpy, (self.weight, self.bias, self.scale, self.shift))
        result = np.zeros((len(vectors), len(self.weight) + 1), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(vectors), ROWS):
                block = np.ascontiguousarray(vectors[start : start + ROWS], dtype=np.float32)
                states = activation(linear(torch.from_numpy(block), weight, bias))
                states = layer_norm(states, (len(self.weight),), scale, shift, self.eps)
                full = block.any(axis=1)
                result[start : start + ROWS, :-1][full] = states.numpy()[full]
                result[start : start + ROWS, -1] = full
        return result


def find_layout(checkpoint: Checkpoint) -> Layout | None:
    """Return where a checkpoint keeps its MLM head, None where it has none.

    :raises EmbedderError: It has a part of one.
    """
    layout = next((each for each in LAYOUTS if f"{each.dense}.weight" in checkpoint.files), None)
    if layout is not None:
        for part, names in _parts(layout).items():
            if checkpoint.first(names) is None and not (part == "matrix" and _tied_matrix(checkpoint)):
                raise EmbedderError(
                    f"the MLM head in {checkpoint.folder} lacks {names[-1]}: the checkpoint is incomplete, name the "
                    "backbone it was made from with --decoding"
                )
    return layout


def read_masked_head(checkpoint: Checkpoint, layout: Layout) -> tuple[Vectors, Transform]:
    """Read an MLM head.

    :param checkpoint: A checkpoint that has one.
    :param layout: Where.
    :return: The matrix, its last column the bias, shape (V, d' + 1); and the transform before it.
    :raises EmbedderError: Its parts are of shapes that do not fit, or hold NaN.
    """
    read: dict[str, Any] = {
        part: checkpoint.read(checkpoint.first(names) or _tied_matrix(checkpoint), "the MLM head's tensor")
        for part, names in _parts(layout).items()
    }
    weight, matrix = read.pop("weight"), read.pop("matrix")
    width, rows = len(weight), len(matrix)
    shapes = {"bias": (width,), "scale": (width,), "shift": (width,), "output bias": (rows,)}
    wrong = [part for part, shape in shapes.items() if read[part].shape != shape]
    if wrong or weight.ndim != 2 or matrix.shape != (rows, width):
        raise EmbedderError(
            f"the parts of the MLM head in {checkpoint.folder} do not fit: its dense layer is {weight.shape}, its "
            f"matrix {matrix.shape}, " + ", ".join(f"its {part} {read[part].shape}" for part in shapes)
        )
    bias = read.pop("output bias")
    activation = getattr(checkpoint.config, layout.activation) if layout.activation else "gelu"
    _activation(activation)
    eps = getattr(checkpoint.config, layout.eps) if layout.eps else 1e-12
    return np.concatenate([matrix, bias[:, None]], axis=1), Transform(weight, **read, activation=activation, eps=eps)


def find_masked_matrix(checkpoint: Checkpoint, layout: Layout) -> str:
    """Return the name of an MLM head's matrix, which is the input one where it is tied.

    :param checkpoint: A checkpoint that has such a head.
    :param layout: Where.
    """
    return checkpoint.first([layout.matrix]) or _tied_matrix(checkpoint)


def _parts(layout: Layout) -> dict[str, tuple[str, ...]]:
    """Return the names that each part may have; the first TensorFlow conversions named a LayerNorm's gamma and beta."""
    return {
        "weight": (f"{layout.dense}.weight",),
        "bias": (f"{layout.dense}.bias",),
        "scale": (f"{layout.norm}.gamma", f"{layout.norm}.weight"),
        "shift": (f"{layout.norm}.beta", f"{layout.norm}.bias"),
        "matrix": (layout.matrix,),
        "output bias": layout.bias,
    }


def _tied_matrix(checkpoint: Checkpoint) -> str:
    name = next((name for name in checkpoint.files if f".{name}".endswith(INPUTS)), "")
    return name if name and checkpoint.is_tied else ""


def _activation(name: Any) -> Any:
    from transformers.activations import ACT2FN

    if not isinstance(name, str) or name not in ACT2FN:
        raise EmbedderError(f"the MLM head's activation {name!r} is not known to transformers: check config.json")
    return ACT2FN[name]
