"""A forward pass: prompted token ids to embeddings, while encoding and while training."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import local
from typing import TYPE_CHECKING, Any

from sparseembed.embedders.attention import model_mask
from sparseembed.embedders.pooling import pool
from sparseembed.embedders.prompts import Prompted
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import EmbedderError

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

    lengths, padded, mask = _inputs(model, items, spec, device)
    starts = torch.tensor([item.start for item in items]).to(device) if spec.pool_over == "text" else None
    states = model(input_ids=padded, attention_mask=mask, use_cache=False).last_hidden_state
    return pool(states, lengths, spec.pooling, starts)


def early_states(
    model: Any, layers: "FirstLayers", depth: int, items: Sequence[Prompted], spec: EmbedderSpec, device: str
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Run texts through the first layers of a model.

    :param model: The body of a transformer.
    :param layers: Its layers.
    :param depth: How many of them; all of a model that has fewer.
    :param items: As in `embed`.
    :param spec: Attention.
    :param device: Where the model is.
    :return: States after the last of these layers, shape (n, longest, d), and the texts' lengths, shape (n,).
    """
    lengths, padded, mask = _inputs(model, items, spec, device)
    states = layers.states(depth, lambda: model(input_ids=padded, attention_mask=mask, use_cache=False))
    return states, lengths


class FirstLayers:
    """The layers of a model, any of which can be made the last that is run. Any number of threads may use the model."""

    def __init__(self, model: Any) -> None:
        """Find the layers.

        :param model: The body of a transformer.
        :raises EmbedderError: Its layers are not a list of as many as its config says.
        """
        import torch

        config = getattr(model.config, "text_config", model.config)
        count = int(getattr(config, "num_hidden_layers", 0))
        lists = (each for each in model.modules() if isinstance(each, torch.nn.ModuleList) and len(each) == count > 0)
        found = next(lists, None)
        if found is None:
            raise EmbedderError(f"a {type(model).__name__} has no list of layers that could be run in part")
        self._count, self._asked = count, local()
        for number, layer in enumerate(found):
            layer.register_forward_hook(partial(self._seen, number))

    def states(self, depth: int, run: Callable[[], object]) -> "torch.Tensor":
        """Run the model up to a layer.

        :param depth: How many layers, 1 or more.
        :param run: Runs the model.
        :return: What the last of these layers gives.
        """
        self._asked.last = min(depth, self._count) - 1
        try:
            run()
        except _EnoughLayersError as reached:
            return reached.states
        finally:
            self._asked.last = None
        raise AssertionError("the model runs each of its layers")

    def _seen(self, number: int, layer: object, inputs: object, output: Any) -> None:
        if getattr(self._asked, "last", None) == number:  # of this thread alone
            raise _EnoughLayersError(output[0] if isinstance(output, tuple) else output)


class _EnoughLayersError(Exception):
    """Leaves a model's forward pass with the states of a layer."""

    def __init__(self, states: "torch.Tensor") -> None:
        super().__init__()
        self.states = states


def _inputs(
    model: Any, items: Sequence[Prompted], spec: EmbedderSpec, device: str
) -> tuple["torch.Tensor", "torch.Tensor", Any]:
    """Return lengths, padded token ids and mask of texts."""
    import torch

    lengths = torch.tensor([len(item.ids) for item in items])
    longest = int(lengths.max())
    padded = torch.zeros((len(items), longest), dtype=torch.long)
    for row, item in enumerate(items):
        padded[row, : len(item.ids)] = torch.tensor(item.ids)
    padded, lengths = padded.to(device), lengths.to(device)
    # Under a causal mask nothing looks to the right, where all padding is: no mask is needed, and none is faster.
    mask = model_mask(model, lengths, longest, spec.attention) if spec.attention == "bidirectional" else None
    return lengths, padded, mask
