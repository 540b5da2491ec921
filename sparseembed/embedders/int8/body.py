"""A decoder of a transformer, run with products of 8-bit integers.

Texts stand one after the other, without padding, and no token's numbers depend on another text's: an embedding is the
same whatever batch its text is in. Several threads each take some of the texts through all layers.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from sparseembed.arrays import Ints, Vectors
from sparseembed.embedders.body import apart
from sparseembed.embedders.branches import Branched
from sparseembed.embedders.int8.attention import attend
from sparseembed.embedders.int8.packing import Packed, packed, packed_branches
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
        self.layers = len(weights.layers)
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
            chosen = [items[row] for row in rows]
            with torch.inference_mode():
                result[rows] = self._pooled(packed(chosen), [item.start for item in chosen])

        self._in_groups([len(item.ids) for item in items], run)
        return result

    def embed_branches(self, texts: Sequence[Branched]) -> "torch.Tensor":
        """Return the embeddings of n texts under P prompts, shape (n, P, d), float32.

        What prompted texts begin with is run once, where no token sees a later one.

        :param texts: The texts.
        """
        import torch

        if self._spec.attention != "causal":
            return apart(self, texts)
        result = torch.empty((len(texts), len(texts[0].branches), self.dimension))

        def run(rows: list[int]) -> None:
            chosen = [texts[row] for row in rows]
            starts = [start for text in chosen for start in text.starts]
            with torch.inference_mode():
                result[rows] = self._pooled(packed_branches(chosen), starts).view(len(rows), -1, self.dimension)

        self._in_groups([text.tokens for text in texts], run)
        return result

    def _in_groups(self, lengths: Sequence[int], run: Callable[[list[int]], None]) -> None:
        """Run texts in groups, in several threads."""
        import torch

        groups = _groups(lengths)
        threads = min(torch.get_num_threads(), len(groups))
        if threads == 1:
            for rows in groups:
                run(rows)
        else:
            with _one_thread_each(), ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(run, groups):
                    pass

    def last_states(self, items: Sequence[Prompted]) -> Vectors:
        """Return the states of texts' last tokens, shape (n, d), whatever the pooling."""
        import torch

        with torch.inference_mode():
            together = packed(items)
            return self._states(together, together.ends)

    def early(self, items: Sequence[Prompted], depth: int) -> "torch.Tensor":
        """Read texts with the first layers alone, shape (n, 2 d), float32."""
        import torch

        result = torch.empty((len(items), 2 * self.dimension))

        def run(rows: list[int]) -> None:
            chosen = [items[row] for row in rows]
            lengths = np.array([len(item.ids) for item in chosen])
            ends = np.cumsum(lengths)
            with torch.inference_mode():
                states = self._unit(self._stream(packed(chosen), np.arange(ends[-1]), depth))
                means = np.add.reduceat(states, ends - lengths) / lengths[:, None]
                result[rows] = torch.from_numpy(np.concatenate([states[ends - 1], means.astype(np.float32)], axis=1))

        self._in_groups([len(item.ids) for item in items], run)
        return result

    def _pooled(self, texts: Packed, starts: Sequence[int]) -> "torch.Tensor":
        """Return the embeddings of prompted texts."""
        import torch

        if self._spec.pooling == "last":
            return torch.from_numpy(self._states(texts, texts.ends))
        states = torch.from_numpy(self._states(texts, np.arange(len(texts.ids))))
        over = [torch.tensor([start]) if self._spec.pool_over == "text" else None for start in starts]
        return torch.cat(
            [
                pool(states[None, member], torch.tensor([len(member)]), self._spec.pooling, start)
                for member, start in zip(texts.members, over, strict=True)
            ]
        )

    def _states(self, texts: Packed, wanted: Ints) -> Vectors:
        """Return the last states of some of the tokens of texts."""
        normed: Vectors = self._unit(self._stream(texts, wanted, len(self._weights.layers))) * self._weights.norm
        return normed

    def _unit(self, stream: Vectors) -> Vectors:
        """Bring each token's numbers to a mean square of 1."""
        unit: Vectors = stream / np.sqrt((stream * stream).mean(axis=1, keepdims=True) + self._weights.shape.eps)
        return unit

    def _stream(self, texts: Packed, wanted: Ints, depth: int) -> Vectors:
        """Return the residual stream of some of the tokens after so many layers."""
        import torch

        from sparseembed.embedders.int8.kernels import gate, normalise, quantise, rotate

        layers, norm, (heads, groups) = self._weights.layers, self._weights.norm, self._weights.shape[:2]
        eps, size = np.float32(self._weights.shape.eps), layers[0].out.weight.shape[0] // heads
        states = self._weights.table[torch.tensor(texts.ids)].float().numpy()
        count, width = states.shape
        inner, rows = layers[0].down.weight.shape[0], count + len(texts.ends)
        # The last tokens, whose own rounding nothing averages out, have a second row each.
        extras = np.full(count, -1, dtype=np.int64)
        extras[texts.ends] = np.arange(count, rows)
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
                self._weights.cosines, self._weights.sines, texts.places, extras, *(each.numpy() for each in turned),
            )  # fmt: skip
            queries, keys, values = (each.to(self._attention_dtype) for each in turned)
            for own, before in texts.stretches:
                seen_keys, seen_values = keys[:, own], values[:, own]
                if before.stop:
                    seen_keys = torch.cat([keys[:, before], seen_keys], dim=1)
                    seen_values = torch.cat([values[:, before], seen_values], dim=1)
                attend(queries[:, own], seen_keys, seen_values, self._spec.attention == "causal", mixed[own])
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
