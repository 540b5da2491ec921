"""A decoder of a transformer, run with products of 8-bit integers.

Texts stand one after the other, without padding, and no token's numbers depend on another text's: an embedding is the
same whatever batch its text is in. Several threads each take some of the texts through all layers.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from sparseembed.arrays import Ints, Vectors
from sparseembed.embedders.int8.attention import attend
from sparseembed.embedders.int8.weights import Int8Weights
from sparseembed.embedders.pooling import pool
from sparseembed.embedders.prompts import Prompted
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

GROUP_TOKENS = 1024
"""Tokens that a thread takes through all layers at once: their numbers stay in the processor's cache."""

ALONE_TOKENS = 256
"""So few tokens go through the layers together, and torch's own threads share each product."""


class Int8Body:
    """The body of a causal LM in 8-bit integers."""

    def __init__(self, weights: Int8Weights, spec: EmbedderSpec) -> None:
        """Take the weights.

        :param weights: The weights.
        :param spec: Attention, pooling and maximal length.
        :raises EmbedderError: Its attention does not reach as far as texts may be long.
        """
        import torch

        self._weights, self._spec = weights, spec
        self.limit = min(spec.max_length, len(weights.cosines))
        self.vocabulary, self.dimension = weights.table.shape
        if weights.shape.window is not None and weights.shape.window < self.limit:
            raise EmbedderError(
                f"{spec.name} cannot run in 8-bit integers: its attention has a window of {weights.shape.window:,} "
                f"tokens, and texts may have {self.limit:,}; pass --dtype auto, or a smaller --max-length"
            )
        # Products of float32 are as good, but slow where the processor has bfloat16.
        fast = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        self._attention_dtype = torch.bfloat16 if fast is not None and fast() else torch.float32

    @property
    def budget(self) -> int:
        """Tokens of a call that keeps all threads busy."""
        import torch

        return 8 * GROUP_TOKENS * max(1, torch.get_num_threads() // 2)

    def embed(self, items: Sequence[Prompted]) -> "torch.Tensor":
        """Return the embeddings of prompted texts, shape (n, d), float32.

        :param items: Prompted texts, n, none empty.
        """
        import torch

        result = torch.empty((len(items), self.dimension))

        def run(rows: list[int]) -> None:
            with torch.inference_mode():
                result[rows] = self._pooled([items[row] for row in rows])

        groups = _groups([len(item.ids) for item in items])
        threads = min(torch.get_num_threads(), len(groups))
        if threads == 1:
            for rows in groups:
                run(rows)
        else:
            with _one_thread_each(), ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(run, groups):
                    pass
        return result

    def last_states(self, items: Sequence[Prompted]) -> Vectors:
        """Return the states of texts' last tokens, shape (n, d), whatever the pooling."""
        import torch

        with torch.inference_mode():
            return self._states(items, np.cumsum([len(item.ids) for item in items]) - 1)

    def early(self, items: Sequence[Prompted], depth: int) -> Vectors:
        """Read texts with the first layers alone; as they go through them together, in one thread."""
        import torch

        lengths = np.array([len(item.ids) for item in items])
        ends = np.cumsum(lengths)
        with torch.inference_mode():
            states = self._unit(self._stream(items, np.arange(ends[-1]), depth))
        means = np.add.reduceat(states, ends - lengths) / lengths[:, None]
        return np.concatenate([states[ends - 1], means], axis=1)

    def _pooled(self, items: Sequence[Prompted]) -> "torch.Tensor":
        import torch

        lengths = [len(item.ids) for item in items]
        ends = np.cumsum(lengths)
        if self._spec.pooling == "last":
            return torch.from_numpy(self._states(items, ends - 1))
        states = torch.from_numpy(self._states(items, np.arange(ends[-1])))
        starts = [torch.tensor([item.start]) if self._spec.pool_over == "text" else None for item in items]
        return torch.cat(
            [
                pool(states[None, end - length : end], torch.tensor([length]), self._spec.pooling, start)
                for end, length, start in zip(ends.tolist(), lengths, starts, strict=True)
            ]
        )

    def _states(self, items: Sequence[Prompted], wanted: Ints) -> Vectors:
        """Return the last states of some of the tokens of texts, which stand one after the other."""
        normed: Vectors = self._unit(self._stream(items, wanted, len(self._weights.layers))) * self._weights.norm
        return normed

    def _unit(self, stream: Vectors) -> Vectors:
        """Bring each token's numbers to a mean square of 1."""
        unit: Vectors = stream / np.sqrt((stream * stream).mean(axis=1, keepdims=True) + self._weights.shape.eps)
        return unit

    def _stream(self, items: Sequence[Prompted], wanted: Ints, depth: int) -> Vectors:
        """Return the residual stream of some of the tokens after so many layers."""
        import torch

        from sparseembed.embedders.int8.kernels import gate, normalise, quantise, rotate

        layers, norm, (heads, groups) = self._weights.layers, self._weights.norm, self._weights.shape[:2]
        eps, size = np.float32(self._weights.shape.eps), layers[0].out.weight.shape[0] // heads
        lengths = [len(item.ids) for item in items]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        places = np.concatenate([np.arange(length) for length in lengths])
        states = self._weights.table[torch.tensor([token for item in items for token in item.ids])].float().numpy()
        count, width = states.shape
        inner, rows = layers[0].down.weight.shape[0], count + len(items)
        # The last tokens, whose own rounding nothing averages out, have a second row each.
        extras = np.full(count, -1, dtype=np.int64)
        extras[bounds[1:] - 1] = np.arange(count, rows)
        small, wide, mixed_small = (
            torch.empty((rows, columns), dtype=torch.int8) for columns in (width, inner, heads * size)
        )
        mixed = torch.empty((count, heads * size))
        turned = [torch.empty((each, count, size)) for each in (heads, groups, groups)]
        scales, mixed_scales, gate_scales = (np.empty(count, dtype=np.float32) for _ in range(3))
        # What the layer before has computed and not yet added to the states: nothing.
        sums, sum_scales, factors = np.zeros((rows, width), np.int32), np.zeros(count, np.float32), norm
        for layer in layers[:depth]:
            normalise(states, sums, sum_scales, factors, layer.attention_norm, eps, extras, small.numpy(), scales)
            rotate(
                layer.turned.sums(small), scales, layer.turned.scales, layer.bias, layer.head_norms, eps,
                self._weights.cosines, self._weights.sines, places, extras, *(each.numpy() for each in turned),
            )  # fmt: skip
            queries, keys, values = (each.to(self._attention_dtype) for each in turned)
            for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                attend(
                    queries[:, start:stop],
                    keys[:, start:stop],
                    values[:, start:stop],
                    self._spec.attention == "causal",
                    mixed[start:stop],
                )
            quantise(mixed.numpy(), extras, mixed_small.numpy(), mixed_scales)
            normalise(
                states, layer.out.sums(mixed_small), mixed_scales, layer.out.scales, layer.mlp_norm, eps,
                extras, small.numpy(), scales,
            )  # fmt: skip
            gate(layer.gated.sums(small), scales, layer.gated.scales, extras, wide.numpy(), gate_scales)
            sums, sum_scales, factors = layer.down.sums(wide), gate_scales, layer.down.scales
        last, second = sums[wanted].astype(np.float32), extras[wanted]
        last[second >= 0] += sums[second[second >= 0]] * np.float32(1 / 254)
        stream: Vectors = states[wanted] + last * sum_scales[wanted, None] * factors
        return stream


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    """Part texts into groups of about `GROUP_TOKENS` tokens, in their order; few tokens stay together."""
    if sum(lengths) <= ALONE_TOKENS:
        return [list(range(len(lengths)))]
    groups: list[list[int]] = []
    filled = GROUP_TOKENS
    for row, length in enumerate(lengths):
        if filled + length > GROUP_TOKENS:
            groups.append([])
            filled = 0
        groups[-1].append(row)
        filled += length
    return groups


@contextmanager
def _one_thread_each() -> "Iterator[None]":
    """Let torch use one thread in each thread that begins meanwhile, and afterwards as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
