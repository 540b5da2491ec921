"""What stands between two matrix products, each in one pass over a token's numbers. Import this module lazily.

A token's numbers are quantised with a scale of their own, s = max |x| / 127, so that no token depends on another; a
product's sums are exact integers. Scales stand beside the numbers: x ~ quantised * s. The tokens whose states are
wanted in the end have a second row of numbers further down, for what rounding has taken from the first, in steps 1/254
as large: nearly 16 bits in all. `extras` says where a token's second row is, -1 for none.
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
_STEP = np.float32(254)
_FINE = np.float32(1 / 254)


@_fast
def _read(sums: Array, token: int, extra: int, factors: Array, scale: Any, row: Array) -> None:
    """Read a product for a token, that of its second row included."""
    for place in range(len(row)):
        row[place] = np.float32(sums[token, place]) * scale * factors[place]
    if extra >= 0:
        for place in range(len(row)):
            row[place] += np.float32(sums[extra, place]) * _FINE * scale * factors[place]


@_fast
def _write(row: Array, token: int, extra: int, out: Array) -> Any:
    """Quantise a token's numbers, and what rounding takes from them to its second row; return the scale."""
    largest = _LEAST
    for place in range(len(row)):
        largest = max(largest, abs(row[place]))
    factor = _127 / largest
    for place in range(len(row)):
        out[token, place] = np.int8(np.rint(row[place] * factor))
    if extra >= 0:
        for place in range(len(row)):
            steps = row[place] * factor
            out[extra, place] = np.int8(np.rint((steps - np.rint(steps)) * _STEP))
    return largest / _127


@_fast
def normalise(
    states: Array,
    sums: Array,
    scales: Array,
    factors: Array,
    weight: Array,
    eps: Any,
    extras: Array,
    out: Array,
    out_scales: Array,
) -> None:
    """Add a product to the states, normalise them (RMSNorm) and quantise the result.

    :param states: Written: the residual stream, shape (T, d), float32.
    :param sums: Sums of a product of integers, shape (T + second rows, d), int32; states += sums * scales * factors.
    :param scales: Scale of each token's numbers in that product, shape (T,).
    :param factors: Scale of each column of its weights, shape (d,).
    :param weight: The norm's weight, shape (d,).
    :param eps: The norm's epsilon, float32.
    :param extras: Place of each token's second row in `sums` and `out`, -1 for none, shape (T,).
    :param out: Written: quantised, shape (T + second rows, d), int8.
    :param out_scales: Written: shape (T,), float32.
    """
    tokens, size = states.shape
    row = np.empty(size, dtype=np.float32)
    for token in range(tokens):
        _read(sums, token, extras[token], factors, scales[token], row)
        squares = np.float32(0)
        for place in range(size):
            value = states[token, place] + row[place]
            states[token, place] = value
            squares += value * value
        norm = _ONE / np.sqrt(squares / np.float32(size) + eps)
        for place in range(size):
            row[place] = states[token, place] * weight[place] * norm
        out_scales[token] = _write(row, token, extras[token], out)


@_fast
def quantise(values: Array, extras: Array, out: Array, out_scales: Array) -> None:
    """Quantise each token's numbers.

    :param values: Shape (T, d), float32.
    :param extras: Place of each token's second row in `out`, -1 for none, shape (T,).
    :param out: Written: shape (T + second rows, d), int8.
    :param out_scales: Written: shape (T,), float32.
    """
    for token in range(len(values)):
        out_scales[token] = _write(values[token], token, extras[token], out)


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
def gate(
    sums: Array,
    scales: Array,
    factors: Array,
    extras: Array,
    out: Array,
    out_scales: Array,
) -> None:
    """Compute SwiGLU, silu(gate) * up, and quantise it.

    :param sums: Sums of the product with the gate's and the upward weights side by side, shape (T, 2 m), int32.
    :param scales: Scale of each token's numbers, shape (T,).
    :param factors: Scale of each column of the weights, shape (2 m,).
    :param extras: Place of each token's second row in `sums` and `out`, -1 for none, shape (T,).
    :param out: Written: shape (T + second rows, m), int8.
    :param out_scales: Written: shape (T,), float32.
    """
    tokens, size = len(scales), out.shape[1]
    row, activation = np.empty(2 * size, dtype=np.float32), np.empty(size, dtype=np.float32)
    for token in range(tokens):
        _read(sums, token, extras[token], factors, scales[token], row)
        for place in range(size):
            activation[place] = row[place] * row[size + place] / (_ONE + _exponential(-row[place]))
        out_scales[token] = _write(activation, token, extras[token], out)


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
    extras: Array,
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
    :param extras: Place of each token's second row in `sums`, -1 for none, shape (T,).
    :param queries: Written: shape (h, T, c), float32.
    :param keys: Written: shape (g, T, c), float32.
    :param values: Written: shape (g, T, c), float32.
    """
    heads, tokens, size = queries.shape
    groups, half = keys.shape[0], size // 2
    row = np.empty(len(factors), dtype=np.float32)
    for token in range(tokens):
        position = places[token]
        _read(sums, token, extras[token], factors, scales[token], row)
        for place in range(len(row)):
            row[place] += bias[place]
        for number in range(heads + 2 * groups):
            head = row[number * size : (number + 1) * size]
            if number >= heads + groups:
                values[number - heads - groups, token, :] = head
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
