"""What is trained for. A new objective is a class here and an entry in `BUILDERS`.

Contrastive, a cross-entropy of each query's own document among those of the batch:

- `dense`: InfoNCE on the cosine of query and document embedding, each side centred (van den Oord et al., 2018).
- `aligned`: InfoNCE on the score that an inference-free query gets from the documents' aligned tokens: the sum over the
  query's *literal* words w of idf(w) log(1 + relu(E_w · c_d)), c_d being the document's embedding, centred and of a
  fixed length. No query goes through the model for it.
- `residual`: the same score added to BM25's, so that what is learned is what the index adds to BM25.
- `searched`: the score that an index gives: BM25's, and weights as an index makes them (`Batch.searched`).

By a teacher (self-distillation): the Kullback-Leibler divergence of the student's softmax over the batch's documents
from the teacher's, which has no gradient. What the model knows of a whole text is what its words are to learn.

- `distilled`: the teacher is the model's own dense score, the student what an index adds to BM25.
- `fused`: the teacher is the mean of that score and BM25's, the student the score that an index gives.

`aligned` and `residual` carry a FLOPS penalty (Paria et al., 2020): without it each document would raise every token.
In the last three a weight is a share of its document's range, so that raising all tokens raises none. Where a recipe
has another objective than the first two, each query has a hard negative, which BM25 ranks high (see `hard.py`).
"""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sparseembed.training.batch import TINY, Batch
from sparseembed.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

MIX = 0.5
"""Weight of aligned words beside literal ones in the score that an index gives: what one has where none is chosen."""


class Objective:
    """A loss with learned parameters of its own, or none.

    :cvar hard_negatives: Whether each query is to have a hard negative.
    """

    hard_negatives: ClassVar[bool] = False

    def __init__(self, recipe: Recipe) -> None:
        """Take the recipe."""
        self.recipe = recipe
        self.parameters: list[torch.Tensor] = []

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch, a scalar."""
        raise NotImplementedError

    def _learned(self, value: float) -> "torch.Tensor":
        """Return the logarithm of a positive factor that is learned along."""
        import torch

        parameter = torch.tensor(float(np.log(value)), requires_grad=True)
        self.parameters.append(parameter)
        return parameter

    def _sparsity(self, batch: Batch) -> "torch.Tensor":
        unit = batch.state.flops
        penalty = batch.penalty
        return self.recipe.sparsity * penalty / (penalty.detach().clamp_min(TINY) if unit is None else unit)


def contrast(logits: "torch.Tensor") -> "torch.Tensor":
    """Return InfoNCE: the mean cross-entropy of each row with its own document, the diagonal.

    :param logits: Shape (b, b + n).
    :return: A scalar.
    """
    import torch

    return torch.nn.functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def divergence(teacher: "torch.Tensor", student: "torch.Tensor") -> "torch.Tensor":
    """Return the Kullback-Leibler divergence of a student's softmax over each row from a teacher's, the rows' mean.

    :param teacher: Logits, shape (b, b + n).
    :param student: Logits of the same shape.
    :return: A scalar.
    """
    import torch

    wanted, found = (torch.log_softmax(each, dim=1) for each in (teacher, student))
    return torch.nn.functional.kl_div(found, wanted, reduction="batchmean", log_target=True)


class Dense(Objective):
    """InfoNCE on the cosine of centred embeddings."""

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch."""
        return contrast(batch.cosines / self.recipe.temperature)


class Scaled(Objective):
    """An objective whose scores have a learned scale."""

    start = 0.7  # its logarithm at the beginning: BM25, or a teacher, leads

    def __init__(self, recipe: Recipe) -> None:
        """Take the recipe."""
        super().__init__(recipe)
        self._scale = self._learned(self.start)


class Aligned(Scaled):
    """InfoNCE on the aligned score, and the penalty."""

    start = 2.0  # an untrained model's scores neither drown nor decide

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch."""
        return contrast(self._scale.exp() * batch.aligned_logits) + self._sparsity(batch)


class Residual(Scaled):
    """InfoNCE on BM25 plus the aligned score, and the penalty."""

    hard_negatives = True

    def __init__(self, recipe: Recipe) -> None:
        """Start with little weight on the aligned score: BM25 leads."""
        super().__init__(recipe)
        self._mix = self._learned(1.0)

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch."""
        total = batch.literal + self._mix.exp() * batch.aligned_logits
        return contrast(self._scale.exp() * total) + self._sparsity(batch)


class Searched(Scaled):
    """InfoNCE on the score that an index gives."""

    hard_negatives = True

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch."""
        return contrast(self._scale.exp() * (batch.literal + MIX * batch.searched))


class Distilled(Scaled):
    """The dense score teaches what an index adds to BM25's."""

    hard_negatives = True

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch."""
        return divergence(self.teacher(batch).detach(), self._scale.exp() * self.student(batch))

    def teacher(self, batch: Batch) -> "torch.Tensor":
        """Return the teacher's logits, shape (b, b + n): dense scores at the temperature that they are trained with."""
        return batch.cosines / self.recipe.temperature

    def student(self, batch: Batch) -> "torch.Tensor":
        """Return the student's scores, shape (b, b + n)."""
        return batch.searched


class Fused(Distilled):
    """The dense score and BM25's together teach the score that an index gives."""

    def teacher(self, batch: Batch) -> "torch.Tensor":
        """Return the mean of the dense logits and of BM25's scores, brought to the same spread for each query."""
        dense, literal = super().teacher(batch), batch.literal
        spreads = [each.std(dim=1, correction=0, keepdim=True) for each in (dense, literal)]
        return (dense + literal * (spreads[0] / spreads[1].clamp_min(TINY))) / 2

    def student(self, batch: Batch) -> "torch.Tensor":
        """Return the score that an index gives, shape (b, b + n)."""
        return batch.literal + MIX * batch.searched


BUILDERS: dict[str, type[Objective]] = {
    "dense": Dense,
    "aligned": Aligned,
    "residual": Residual,
    "searched": Searched,
    "distilled": Distilled,
    "fused": Fused,
}


def wants_hard_negatives(recipe: Recipe) -> bool:
    """Say whether an objective of a recipe wants hard negatives."""
    return any(BUILDERS[name].hard_negatives for name in recipe.objectives)


def build_objectives(recipe: Recipe) -> dict[str, Objective]:
    """Return a recipe's objectives by name."""
    return {name: BUILDERS[name](recipe) for name in recipe.objectives}
