"""What runs token ids through a model's layers and pools their states: the model itself, or a faster copy of it."""

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from sparseembed.embedders.branches import Branched, embed_branches, takes_branches
from sparseembed.embedders.forward import FirstLayers, early_states, embed
from sparseembed.embedders.pooling import pool
from sparseembed.embedders.prompts import Prompted
from sparseembed.embedders.spec import EmbedderSpec

if TYPE_CHECKING:
    import torch

CPU_BATCH_TOKENS = 2_048  # fixed, since it decides the last bits of vectors; 8,192 encoded fewer tokens a second
GPU_BATCH_TOKENS = 65_536
_EPSILON = 1e-6  # beside a state's mean square


class Body(Protocol):
    """A loaded model.

    :ivar dimension: Length d of the embeddings.
    :ivar limit: Tokens of the longest text.
    :ivar vocabulary: Tokens that it has embeddings of.
    :ivar layers: Layers that it has; 0 where its config does not say, and it cannot be run in part.
    """

    dimension: int
    limit: int
    vocabulary: int
    layers: int

    @property
    def budget(self) -> int:
        """Padded tokens of one call."""

    def embed(self, items: Sequence[Prompted]) -> "torch.Tensor":
        """Return the embeddings of n prompted texts, none empty: shape (n, d), float32."""

    def embed_branches(self, texts: Sequence[Branched]) -> "torch.Tensor":
        """Return the embeddings of n texts under P prompts: shape (n, P, d), float32."""

    def early(self, items: Sequence[Prompted], depth: int) -> "torch.Tensor":
        """Read texts with the first layers alone.

        :param items: Prompted texts, n, none empty; few enough to go through the layers together.
        :param depth: How many layers; all of a model that has fewer.
        :return: Shape (n, 2 d), float32: the state of each text's last token, and the mean of all its tokens' states,
            each state brought to a mean square of 1.
        :raises EmbedderError: The model cannot be run in part.
        """


class TorchBody:
    """A model of transformers, as it is."""

    def __init__(self, model: Any, spec: EmbedderSpec, device: str) -> None:
        """Take the model.

        :param model: The body of a transformer.
        :param spec: Attention, pooling and maximal length.
        :param device: Where the model is.
        """
        config = getattr(model.config, "text_config", model.config)
        self._model, self._spec, self._device = model, spec, device
        self.dimension = int(getattr(config, "word_embed_proj_dim", config.hidden_size))
        self.limit = length_limit(model, spec.max_length)
        self.vocabulary = len(model.get_input_embeddings().weight)
        self.layers = int(getattr(config, "num_hidden_layers", 0))
        self._layers: FirstLayers | None = None
        self._branches: bool | None = None  # whether it takes them
        self._lock = Lock()
        self.budget = CPU_BATCH_TOKENS if device == "cpu" else GPU_BATCH_TOKENS

    def embed(self, items: Sequence[Prompted]) -> "torch.Tensor":
        """Return the embeddings of prompted texts, padded to the longest."""
        return embed(self._model, items, self._spec, self._device)

    def embed_branches(self, texts: Sequence[Branched]) -> "torch.Tensor":
        """Return the embeddings of texts under several prompts.

        What the prompts have in common is run once, in a model that can, and where it is most of a text.
        """
        import torch

        if self._branches is None:
            self._branches = takes_branches(self._model, self._spec, self._device)
        shared = [self._branches and len(text.trunk) >= max(map(len, text.branches)) for text in texts]
        result = torch.empty((len(texts), len(texts[0].branches), self.dimension), device=self._device)
        for wanted in set(shared):
            rows = [row for row, each in enumerate(shared) if each == wanted]
            chosen = [texts[row] for row in rows]
            found = embed_branches(self._model, chosen, self._spec, self._device) if wanted else apart(self, chosen)
            result[rows] = found.to(result.device)
        return result

    def early(self, items: Sequence[Prompted], depth: int) -> "torch.Tensor":
        """Read texts with the first layers alone."""
        import torch

        with self._lock:
            if self._layers is None:
                self._layers = FirstLayers(self._model)
        with torch.inference_mode():
            states, lengths = early_states(self._model, self._layers, depth, items, self._spec, self._device)
            states = states.float()
            states = states * torch.rsqrt(states.square().mean(dim=2, keepdim=True) + _EPSILON)
            return torch.cat([pool(states, lengths, pooling) for pooling in ("last", "mean")], dim=1)


def apart(body: Body, texts: Sequence[Branched]) -> "torch.Tensor":
    """Return the embeddings of n texts under P prompts, by a pass for each prompt: shape (n, P, d), float32.

    :param body: What embeds.
    :param texts: The texts.
    """
    import torch

    prompts = range(len(texts[0].branches))
    return torch.stack([body.embed([text.prompted(number) for text in texts]) for number in prompts], dim=1)


def length_limit(model: Any, wanted: int) -> int:
    """Return how many tokens a text may have: as many as are wanted, and as the model has positions.

    :param model: The body of a transformer.
    :param wanted: Tokens wanted.
    """
    config = getattr(model.config, "text_config", model.config)
    limit = int(getattr(config, "max_position_embeddings", wanted))
    # MPNet and RoBERTa number positions from behind their padding token's: their tables hold so many fewer.
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    reserved = getattr(table, "padding_idx", None)
    return min(wanted, limit if reserved is None else limit - reserved - 1)
