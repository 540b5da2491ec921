"""What is trained for. Each objective is a cross-entropy over a batch's documents; a new one is an entry in `BUILDERS`.

- `dense`: InfoNCE on the cosine of query and document embedding, each side centred (van den Oord et al., 2018).
- `aligned`: InfoNCE on the score that an inference-free query gets from the documents' aligned tokens: the sum over the
  query's *literal* words w of idf(w) log(1 + relu(E_w · c_d)), c_d being the document's embedding, centred and of a
  fixed length. No query goes through the model for it.
- `residual`: the same score added to BM25's, so that what is learned is what the index adds to BM25. Where it is in a
  recipe, each query has a hard negative that BM25 ranks high (see `hard.py`).

`aligned` and `residual` carry a FLOPS penalty (Paria et al., 2020): without it each document would raise every token.

Both sides are centred by their batch's own mean: a batch is of one source, as an index is of one collection, and an
index is centred by its collection's. Without it the dense loss spends itself on a direction that all texts share. The
fixed length is there since an index scales each document by itself: else the penalty would merely shorten embeddings.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from sparseembed.alignment.composed import compose_rows
from sparseembed.arrays import Vectors
from sparseembed.training.lexical import WordStatistics, split_words
from sparseembed.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

TINY = 1e-6


class Texts(NamedTuple):
    """The texts of a batch.

    :param queries: The queries, b.
    :param documents: Their positives, b, in the same order, then further negatives.
    """

    queries: Sequence[str]
    documents: Sequence[str]


class Vocabulary:
    """What documents are decoded into while training: the model's pieces, and words through composed rows."""

    def __init__(self, matrix: Vectors, tokenizer: Any, statistics: WordStatistics, device: str = "cpu") -> None:
        """Put the decoding matrix where it is used.

        :param matrix: Decoding matrix, shape (V, d).
        :param tokenizer: The backbone's `tokenizers.Tokenizer`.
        :param statistics: Counts of words in the documents.
        :param device: A torch device.
        """
        import torch

        self._matrix, self._tokenizer = matrix, tokenizer
        self.statistics = statistics
        self.device = device
        self.pieces: Any = torch.from_numpy(np.ascontiguousarray(matrix)).to(device)

    def rows(self, words: Sequence[str]) -> "torch.Tensor":
        """Return four rows a word: as written and in lower case, each after a space and without one.

        :param words: The words, n.
        :return: Shape (n, 4, d); the best of the four scores counts.
        """
        import torch

        spelled = [variant for word in words for variant in (word, word.lower())]
        rows = compose_rows(spelled, self._tokenizer, self._matrix).matrix
        return torch.from_numpy(rows.reshape(len(words), 4, -1)).to(self.device)


class Batch:
    """A batch's embeddings, and what several objectives make of them, made once."""

    def __init__(
        self, texts: Texts, queries: "torch.Tensor", documents: "torch.Tensor", state: "State", vocabulary: Vocabulary
    ) -> None:
        """Take the embeddings.

        :param texts: The texts.
        :param queries: Shape (b, d).
        :param documents: Shape (b + n, d).
        :param state: What outlives a batch; it is not changed here.
        :param vocabulary: What to decode into.
        """
        self.texts, self.queries, self.documents = texts, queries, documents
        self.state, self.vocabulary = state, vocabulary
        self._aligned: torch.Tensor | None = None
        self._penalty: torch.Tensor | None = None

    def aligned(self) -> "torch.Tensor":
        """Return the aligned score of each document for each query, shape (b, b + n)."""
        if self._aligned is None:
            import torch

            words = sorted({word for query in self.texts.queries for word in split_words(query)})
            number = {word: place for place, word in enumerate(words)}
            weights = torch.zeros(len(self.texts.queries), max(1, len(words)))
            for row, query in enumerate(self.texts.queries):
                for word in split_words(query):
                    weights[row, number[word]] = self.vocabulary.statistics.idf(word.lower())
            rows = self.vocabulary.rows(words or ["a"])
            scores = torch.einsum("wvd,nd->nwv", rows, self.scaled()).amax(dim=2)
            self._aligned = weights.to(scores.device) @ torch.log1p(torch.relu(scores)).T
        return self._aligned

    def aligned_logits(self) -> "torch.Tensor":
        """Return the aligned scores in units of `State.spread`, shape (b, b + n)."""
        scores = self.aligned()
        return scores if self.state.spread is None else scores / self.state.spread

    def penalty(self) -> "torch.Tensor":
        """Return the FLOPS of the documents' scores over all pieces: the sum of squared mean activations."""
        if self._penalty is None:
            import torch

            active = torch.log1p(torch.relu(self.scaled() @ self.vocabulary.pieces.T))
            self._penalty = active.mean(dim=0).square().sum()
        return self._penalty

    def scaled(self) -> "torch.Tensor":
        """Return the documents' embeddings, centred and of the length that `State` holds, shape (b + n, d)."""
        vectors = centred(self.documents)
        lengths: torch.Tensor = vectors.norm(dim=1, keepdim=True).clamp_min(TINY)
        length = self.state.length
        return vectors / lengths * (lengths.detach().mean() if length is None else length)


class State:
    """What the objectives carry from batch to batch.

    :ivar length: Mean length of the first batch's centred documents; None before it.
    :ivar flops: The FLOPS penalty's starting value; None before the first batch.
    :ivar spread: Standard deviation of the first batch's aligned scores over documents, the mean over its queries; None
        before it. How large they are depends on the model: in this unit each model starts alike.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        self.length: torch.Tensor | None = None
        self.flops: torch.Tensor | None = None
        self.spread: torch.Tensor | None = None

    def update(self, batch: Batch) -> None:
        """Take the units from the first batch; later ones change nothing."""
        if self.length is None:
            # The batch keeps what it computes here, and its losses need gradients of it: they are cut off only now.
            self.length = centred(batch.documents).detach().norm(dim=1).mean().clamp_min(TINY)
            self.flops = batch.penalty().detach().clamp_min(TINY)
            self.spread = batch.aligned().detach().std(dim=1, correction=0).mean().clamp_min(TINY)

    def as_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"length": self.length, "flops": self.flops, "spread": self.spread}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self.length, self.flops, self.spread = kept["length"], kept["flops"], kept["spread"]


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
        penalty = batch.penalty()
        return self.recipe.sparsity * penalty / (penalty.detach().clamp_min(TINY) if unit is None else unit)


def centred(vectors: "torch.Tensor") -> "torch.Tensor":
    """Return vectors less their mean, shape (n, d)."""
    return vectors - vectors.mean(dim=0)


def contrast(logits: "torch.Tensor") -> "torch.Tensor":
    """Return InfoNCE: the mean cross-entropy of each row with its own document, the diagonal.

    :param logits: Shape (b, b + n).
    :return: A scalar.
    """
    import torch

    return torch.nn.functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


class Dense(Objective):
    """InfoNCE on the cosine of centred embeddings."""

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch."""
        import torch

        queries = torch.nn.functional.normalize(centred(batch.queries), dim=1)
        documents = torch.nn.functional.normalize(centred(batch.documents), dim=1)
        return contrast(queries @ documents.T / self.recipe.temperature)


class Aligned(Objective):
    """InfoNCE on the aligned score, and the penalty."""

    def __init__(self, recipe: Recipe) -> None:
        """Start with a scale at which an untrained model's scores neither drown nor decide."""
        super().__init__(recipe)
        self._scale = self._learned(2.0)

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch."""
        return contrast(self._scale.exp() * batch.aligned_logits()) + self._sparsity(batch)


class Residual(Objective):
    """InfoNCE on BM25 plus the aligned score, and the penalty."""

    hard_negatives = True

    def __init__(self, recipe: Recipe) -> None:
        """Start with little weight on the aligned score: BM25 leads."""
        super().__init__(recipe)
        self._scale = self._learned(0.7)
        self._mix = self._learned(1.0)

    def loss(self, batch: Batch) -> "torch.Tensor":
        """Return the loss of a batch."""
        import torch

        literal = batch.vocabulary.statistics.bm25(batch.texts.queries, batch.texts.documents)
        total = torch.from_numpy(literal).to(batch.documents.device) + self._mix.exp() * batch.aligned_logits()
        return contrast(self._scale.exp() * total) + self._sparsity(batch)


BUILDERS: dict[str, type[Objective]] = {"dense": Dense, "aligned": Aligned, "residual": Residual}


def wants_hard_negatives(recipe: Recipe) -> bool:
    """Say whether an objective of a recipe wants hard negatives."""
    return any(BUILDERS[name].hard_negatives for name in recipe.objectives)


def build_objectives(recipe: Recipe) -> dict[str, Objective]:
    """Return a recipe's objectives by name."""
    return {name: BUILDERS[name](recipe) for name in recipe.objectives}
