"""The recipe of a training: every choice that its result depends on, besides the data and the base model."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sparseembed.errors import ConfigError

OBJECTIVES = ("dense", "aligned", "residual", "searched", "distilled", "fused")


@dataclass(frozen=True)
class Recipe:
    """Choices of a training.

    :param objectives: Which losses are summed: some of `OBJECTIVES` (see objectives.py).
    :param steps: Optimiser steps.
    :param batch: Pairs of a step; each pair's positive is a negative of all the others.
    :param alike: Share of a batch that is about the same (see topics.py): hard negatives of each other. With 0.5 a
        batch is of two topics, with 1 of one, with 0 it is drawn by chance.
    :param cached_tokens: Tokens whose activations are held at once; a larger batch is put together by gradient caching
        (Gao et al., 2021): in bounded memory, with the gradients of the whole, at the price of a second forward pass.
    :param query_length: Tokens of a prompted query, longer texts are cut.
    :param document_length: Tokens of a prompted document.
    :param rank: Rank of the LoRA matrices.
    :param alpha: LoRA's alpha; the change is alpha / rank times their product.
    :param layers: Share of the model's layers that is adapted, counted from the top.
    :param learning_rate: Largest learning rate of AdamW; it rises linearly, then falls linearly to 0.
    :param warmup: Share of the steps in which it rises.
    :param temperature: InfoNCE's temperature of the dense objective.
    :param sparsity: Weight of the FLOPS penalty on documents' aligned scores, in units of its starting value.
    :param seed: Seed of the LoRA matrices and of the batches.
    """

    objectives: tuple[str, ...] = ("dense", "aligned")
    steps: int = 200
    batch: int = 40
    alike: float = 0.5
    cached_tokens: int = 16_384
    query_length: int = 56
    document_length: int = 112
    rank: int = 16
    alpha: int = 32
    layers: float = 2 / 3
    learning_rate: float = 4e-4
    warmup: float = 0.06
    temperature: float = 0.05
    sparsity: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each choice.

        :raises ConfigError: A choice is outside its range.
        """
        object.__setattr__(self, "objectives", tuple(self.objectives))
        unknown = [each for each in self.objectives if each not in OBJECTIVES]
        if unknown or not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise ConfigError(f"objectives must be some of {', '.join(OBJECTIVES)}, not {', '.join(self.objectives)}")
        for name, least in (("steps", 1), ("batch", 2), ("cached_tokens", 1), ("rank", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not 0 <= self.alike <= 1:
            raise ConfigError(f"alike must be a share of the batch from 0 to 1, not {self.alike}")
        for name in ("query_length", "document_length"):
            if getattr(self, name) < 8:
                raise ConfigError(f"{name} must be at least 8 tokens, not {getattr(self, name)}")
        for name, largest in (("layers", 1.0), ("temperature", 10.0), ("learning_rate", 1.0), ("alpha", 1e4)):
            if not 0 < getattr(self, name) <= largest:
                raise ConfigError(f"{name} must be above 0 and at most {largest:g}, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must be at least 0 and below 2^63, not {self.seed}")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup must be a share of the steps from 0 to below 1, not {self.warmup}")
        if not 0 <= self.sparsity <= 100:
            raise ConfigError(f"sparsity must be between 0 and 100, not {self.sparsity}")

    def with_changes(self, **changes: Any) -> "Recipe":
        """Return a copy in which the choices that are not None are replaced."""
        return replace(self, **{key: value for key, value in changes.items() if value is not None})

    def as_dict(self) -> dict[str, Any]:
        """Return the choices as plain values."""
        return {**asdict(self), "objectives": list(self.objectives)}

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0.

        >>> recipe = Recipe(steps=10, warmup=0.2, learning_rate=1.0)
        >>> [round(recipe.rate(step), 3) for step in (0, 1, 2, 9)]
        [0.5, 1.0, 1.0, 0.125]
        """
        rising = round(self.warmup * self.steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * (self.steps - step) / max(1, self.steps - rising)


# A corpus is one domain, and is to be learned while its owner waits: fewer and shorter steps than for general use.
ADAPT = Recipe(steps=100, document_length=96)
