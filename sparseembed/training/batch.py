"""A batch while training: its texts' embeddings, and the scores that the objectives compare, each made once.

Both sides are centred by their batch's own mean: a batch is of one source, as an index is of one collection, and an
index is centred by its collection's. Without it the dense loss spends itself on a direction that all texts share. The
fixed length of `scaled` is there since an index scales each document by itself: else the penalty would merely shorten
embeddings.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sparseembed.alignment.composed import compose_rows
from sparseembed.arrays import Vectors
from sparseembed.training.lexical import WordStatistics, split_words

if TYPE_CHECKING:
    import torch

TINY = 1e-6
KEPT = 1024
"""The aligned terms that an index keeps of a document by default: its weights are what exceeds the last one's score."""
SHARP = 16.0
"""How near `searched` comes to the index's cut at that score: a word that lies on it has a fifth of the largest weight,
one that lies a fifth of the whole range below it a twentieth, and so still a slope."""


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

    @cached_property
    def directions(self) -> "torch.Tensor":
        """The pieces' rows at length 1, shape (V, d)."""
        import torch

        return torch.nn.functional.normalize(self.pieces, dim=1)

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

    @cached_property
    def _asked(self) -> tuple["torch.Tensor", "torch.Tensor"]:
        """The idf of each word in each query, shape (b, w), and the words' four rows, shape (w, 4, d)."""
        import torch

        words = sorted({word for query in self.texts.queries for word in split_words(query)})
        number = {word: place for place, word in enumerate(words)}
        weights = torch.zeros(len(self.texts.queries), max(1, len(words)))
        for row, query in enumerate(self.texts.queries):
            for word in split_words(query):
                weights[row, number[word]] = self.vocabulary.statistics.idf(word.lower())
        rows = self.vocabulary.rows(words or ["a"])
        return weights.to(rows.device), rows

    @cached_property
    def cosines(self) -> "torch.Tensor":
        """The cosine of each query with each document, each side centred, shape (b, b + n)."""
        import torch

        queries, documents = (
            torch.nn.functional.normalize(centred(side), dim=1) for side in (self.queries, self.documents)
        )
        return queries @ documents.T

    @cached_property
    def literal(self) -> "torch.Tensor":
        """BM25's score of each document for each query, shape (b, b + n)."""
        import torch

        found = self.vocabulary.statistics.bm25(self.texts.queries, self.texts.documents)
        return torch.from_numpy(found).to(self.documents.device)

    @cached_property
    def aligned(self) -> "torch.Tensor":
        """The aligned score of each document for each query, shape (b, b + n)."""
        import torch

        weights, rows = self._asked
        scores = torch.einsum("wvd,nd->nwv", rows, self.scaled).amax(dim=2)
        return weights @ torch.log1p(torch.relu(scores)).T

    @cached_property
    def searched(self) -> "torch.Tensor":
        """What an index of the documents adds to BM25's score of each for each query, before the mix: (b, b + n).

        All rows have one length, as an index's have. A word's weight in a document is its idf times the root of what
        its score exceeds the `KEPT`th largest by, as a share of what the largest exceeds it by. Pieces stand for the
        terms of an index there, which a training has not, and the cut is smooth, for where it is sharp nothing can be
        learnt of the words below it.
        """
        import torch

        weights, rows = self._asked
        documents = self.scaled
        scores = torch.einsum("wvd,nd->nwv", torch.nn.functional.normalize(rows, dim=2), documents).amax(dim=2)
        pieces = documents @ self.vocabulary.directions.T
        best = pieces.topk(min(KEPT, pieces.shape[1]), dim=1).values
        floor, top = best[:, -1:], best[:, :1]
        shares = (scores - floor) / (top - floor).clamp_min(TINY)
        kept = torch.nn.functional.softplus(SHARP * shares) / SHARP
        return weights @ (kept + TINY).sqrt().T

    @property
    def aligned_logits(self) -> "torch.Tensor":
        """The aligned scores in units of `State.spread`, shape (b, b + n)."""
        return self.aligned if self.state.spread is None else self.aligned / self.state.spread

    @cached_property
    def penalty(self) -> "torch.Tensor":
        """The FLOPS of the documents' scores over all pieces: the sum of squared mean activations."""
        import torch

        active = torch.log1p(torch.relu(self.scaled @ self.vocabulary.pieces.T))
        return active.mean(dim=0).square().sum()

    @property
    def scaled(self) -> "torch.Tensor":
        """The documents' embeddings, centred and of the length that `State` holds, shape (b + n, d)."""
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
            self.flops = batch.penalty.detach().clamp_min(TINY)
            self.spread = batch.aligned.detach().std(dim=1, correction=0).mean().clamp_min(TINY)

    def as_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"length": self.length, "flops": self.flops, "spread": self.spread}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self.length, self.flops, self.spread = kept["length"], kept["flops"], kept["spread"]


def centred(vectors: "torch.Tensor") -> "torch.Tensor":
    """Return vectors less their mean, shape (n, d)."""
    return vectors - vectors.mean(dim=0)
