"""What stands between two matrix products, each in one pass over a token's numbers. Import this module lazily.

A token's numbers are quantised with a scale of their own, s = max |x| / 127, so that no token depends on another; a
product's sums are exact integers. Scales stand beside the numbers: x ~ quantised * s.
"""

from functools import partial
from typing import Any

import numpy as np

from sparseembed.jit import Array, kernel

# Sums may be taken in any order, and no number is NaN: what comes from one is checked where the embedding is.
_fast = partial(kernel, error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp"})

_LEAST = np.float32(1e-12)
_127 = np.float32(127)
_ONE = np.float32(1)
_HALF = np.float32(0.5)


@_fast
def normalise(
    states: Array, sums: Array, scales: Array, factors: Array, weight: Array, eps: Any, out: Array, out_scales: Array
) -> None:
    """Add a product to the states, normalise them (RMSNorm) and quantise the result.

    :param states: Written: the residual stream, shape (T, d), float32.
    :param sums: Sums of a product of integers, shape (T, d), int32; states += sums * scales * factors.
    :param scales: Scale of each token's numbers in that product, shape (T,).
    :param factors: Scale of each column of its weights, shape (d,).
    :param weight: The norm's weight, shape (d,).
    :param eps: The norm's epsilon, float32.
    :param out: Written: quantised, shape (T, d), int8.
    :param out_scales: Written: shape (T,), float32.
    """
    tokens, size = states.shape
    for token in range(tokens):
        scale = scales[token]
        squares = np.float32(0)
        for place in range(size):
            value = states[token, place] + np.float32(sums[token, place]) * scale * factors[place]
            states[token, place] = value
            squares += value * value
        norm = _ONE / np.sqrt(squares / np.float32(size) + eps)
        largest = np.float32(0)
        for place in range(size):
            largest = max(largest, abs(states[token, place] * weight[place]))
        largest = max(largest * norm, _LEAST)
        factor = _127 / largest * norm
        for place in range(size):
            out[token, place] = np.int8(np.rint(states[token, place] * weight[place] * factor))
        out_scales[token] = largest / _127


@_fast
def quantise(values: Array, out: Array, out_scales: Array) -> None:
    """Quantise each token's numbers.

    :param values: Shape (T, d), float32.
    :param out: Written: shape (T, d), int8.
    :param out_scales: Written: shape (T,), float32.
    """
    tokens, size = values.shape
    for token in range(tokens):
        largest = _LEAST
        for place in range(size):
            largest = max(largest, abs(values[token, place]))
        factor = _127 / largest
        for place in range(size):
            out[token, place] = np.int8(np.rint(values[token, place] * factor))
        out_scales[token] = largest / _127


@_fast
def _exponential(x: Any) -> Any:
    """Return e^x for |x| <= 87, to a few units in the last place: Cephes' expf, of arithmetic that vectorises."""
    x = min(max(x, np.float32(-87)), np.float32(87))
    power = np.floor(x * np.float32(1.44269504) + _HALF)
    rest = x - power * np.float32(0.693359375) - power * np.float32(-2.12194440e-4)
    total = np.float32(1.9875691500e-4)
    total = total * rest + np.float32(1.3981999507e-3)
    total = total * rest + np.float32(8.3334519073e-3)
    total = total * rest + np.float32(4.1665795894e-2)
    total = total * rest + np.float32(1.6666665459e-1)
    total = total * rest + np.float32(5.0000001201e-1)
    total = total * rest * rest + rest + _ONE
    return total * np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)


@_fast
def gate(sums: Array, scales: Array, factors: Array, activation: Array, out: Array, out_scales: Array) -> None:
    """Compute SwiGLU, silu(gate) * up, and quantise it.

    :param sums: Sums of the product with the gate's and the upward weights side by side, shape (T, 2 m), int32.
    :param scales: Scale of each token's numbers, shape (T,).
    :param factors: Scale of each column of the weights, shape (2 m,).
    :param activation: Scratch, shape (m,), float32.
    :param out: Written: shape (T, m), int8.
    :param out_scales: Written: shape (T,), float32.
    """
    tokens, size = out.shape
    for token in range(tokens):
        scale = scales[token]
        for place in range(size):
            gated = np.float32(sums[token, place]) * scale * factors[place]
            upward = np.float32(sums[token, size + place]) * scale * factors[size + place]
            activation[place] = gated * upward / (_ONE + _exponential(-gated))
        largest = _LEAST
        for place in range(size):
            largest = max(largest, abs(activation[place]))
        factor = _127 / largest
        for place in range(size):
            out[token, place] = np.int8(np.rint(activation[place] * factor))
        out_scales[token] = largest / _127


@_fast
def rotate(
    sums: Array,
    scales: Array,
    factors: Array,
    bias: Array,
    norms: Array,
    eps: Any,
    cosines: Array,
    sines: Array,
    places: Array,
    queries: Array,
    keys: Array,
    values: Array,
) -> None:
    """Part a product into queries, keys and values, and turn the first two by their positions (rotary embedding).

    :param sums: Sums of the product with the three's weights side by side, shape (T, (h + 2 g) c), int32.
    :param scales: Scale of each token's numbers, shape (T,).
    :param factors: Scale of each column of the weights, shape ((h + 2 g) c,).
    :param bias: Added to each column, of the same shape.
    :param norms: Weights of an RMSNorm of each query's and each key's numbers, shape (2, c); shape (0, c) without one.
    :param eps: That norm's epsilon, float32.
    :param cosines: By position, shape (positions, c / 2).
    :param sines: The same.
    :param places: Position of each token in its text, shape (T,).
    :param queries: Written: shape (h, T, c), float32.
    :param keys: Written: shape (g, T, c), float32.
    :param values: Written: shape (g, T, c), float32.
    """
    heads, tokens, size = queries.shape
    groups, half = keys.shape[0], size // 2
    head = np.empty(size, dtype=np.float32)
    for token in range(tokens):
        scale, position = scales[token], places[token]
        for number in range(heads + 2 * groups):
            start = number * size
            for place in range(size):
                head[place] = (
                    np.float32(sums[token, start + place]) * scale * factors[start + place] + bias[start + place]
                )
            if number >= heads + groups:
                for place in range(size):
                    values[number - heads - groups, token, place] = head[place]
                continue
            if len(norms):
                squares = np.float32(0)
                for place in range(size):
                    squares += head[place] * head[place]
                norm = _ONE / np.sqrt(squares / np.float32(size) + eps)
                which = 0 if number < heads else 1
                for place in range(size):
                    head[place] *= norm * norms[which, place]
            out = queries[number, token] if number < heads else keys[number - heads, token]
            for place in range(half):
                one, other = head[place], head[half + place]
                out[place] = one * cosines[position, place] - other * sines[position, place]
                out[half + place] = other * cosines[position, place] + one * sines[position, place]
