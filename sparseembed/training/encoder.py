"""The model in training: texts to embeddings with gradients, a bounded number of texts at a time."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparseembed.embedders.batching import plan_batches
from sparseembed.embedders.body import length_limit
from sparseembed.embedders.forward import embed
from sparseembed.embedders.loading import load_body
from sparseembed.embedders.prompts import Prompted, Prompter
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.training.lora import add_lora, trained_parameters
from sparseembed.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

PART_TOKENS = 2_048  # padded tokens that go through a CPU at once: texts of like length, little padding


class TrainedEncoder:
    """An embedder's model with LoRA on its upper layers, its own prompts and pooling."""

    def __init__(self, embedder: TransformerEmbedder, recipe: Recipe) -> None:
        """Load the model, merge the embedder's own adapters, and put LoRA onto it.

        :param embedder: The embedder to start from; it is left as it is.
        :param recipe: The recipe.
        :raises EmbedderError: The model cannot be loaded, or takes no LoRA.
        """
        spec = embedder.spec
        self._spec, self._recipe = spec, recipe
        self.device = embedder.device
        body = load_body(embedder.folder, embedder.adapters, spec, embedder.float_dtype, self.device)
        body.requires_grad_(False)
        self.model: Any = add_lora(body, recipe)
        self.parameters = trained_parameters(self.model)
        for parameter in self.parameters.values():
            # PEFT keeps them in float32: beside a bfloat16 model that nearly doubles the time of a forward pass. The
            # optimiser has its own float32 copies.
            parameter.data = parameter.data.to(body.dtype)
        self._limit = length_limit(body, spec.max_length)
        self._prompters = {
            side: Prompter(embedder.tokenizer, spec.prompt(side), spec.pool_over) for side in ("document", "query")
        }

    def tokenize(self, texts: Sequence[str], side: str) -> list[Prompted]:
        """Return the prompted token ids of texts, cut as the recipe says.

        :raises EmbedderError: The prompt leaves no room for text.
        """
        limit = self._recipe.query_length if side == "query" else self._recipe.document_length
        return self._prompters[side].encode(texts, min(limit, self._limit))

    def embed(self, items: Sequence[Prompted]) -> "torch.Tensor":
        """Return the embeddings of prompted texts, shape (n, d), float32; gradients flow where they are wanted."""
        return embed(self.model, items, self._spec, self.device)

    def embed_all(self, items: Sequence[Prompted]) -> "torch.Tensor":
        """Return the embeddings of any number of prompted texts, shape (n, d), in their order."""
        return self._in_parts(items, self._plan(items))

    def backward(self, items: Sequence[Prompted], loss_of: "Callable[[torch.Tensor], torch.Tensor]") -> float:
        """Add the gradients of a loss over many texts' embeddings, without holding all their activations at once.

        Gradient caching (Gao et al., 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup"):
        all texts are embedded without gradients; the loss's gradient with respect to each embedding is kept; then each
        part is embedded again and takes its share of it. The sum is the gradient of the whole batch.

        :param items: Prompted texts, n.
        :param loss_of: Embeddings of shape (n, d), in the order of the items, -> a scalar.
        :return: The loss.
        """
        import torch

        parts = self._plan(items)
        if sum(len(part) * len(items[part[0]].ids) for part in parts) <= self._recipe.cached_tokens:
            loss = loss_of(self._in_parts(items, parts))
            loss.backward()
            return float(loss.detach())
        with torch.no_grad():
            whole = self._in_parts(items, parts)
        whole.requires_grad_(True)
        loss = loss_of(whole)
        loss.backward()
        gradients: Any = whole.grad
        for part in parts:
            self.embed([items[row] for row in part]).backward(gradients[part])
        return float(loss.detach())

    def _plan(self, items: Sequence[Prompted]) -> list[list[int]]:
        lengths = [len(item.ids) for item in items]
        if self.device == "cpu":
            return plan_batches(lengths, PART_TOKENS)
        # A GPU would idle with so few: it takes all whose activations may be held.
        return plan_batches(lengths, self._recipe.cached_tokens, len(items))

    def _in_parts(self, items: Sequence[Prompted], parts: Sequence[Sequence[int]]) -> "torch.Tensor":
        import torch

        whole = torch.cat([self.embed([items[row] for row in part]) for part in parts])
        back = np.argsort(np.asarray([row for part in parts for row in part]), kind="stable")
        return whole[torch.from_numpy(back).to(self.device)]
