"""A model to its body in 8-bit integers, which is kept in the user's cache."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from sparseembed.embedders.body import length_limit
from sparseembed.embedders.general import general_texts
from sparseembed.embedders.int8.body import Int8Body
from sparseembed.embedders.int8.calibration import calibrated, calibration_tokens
from sparseembed.embedders.int8.support import sums_are_exact, unfit
from sparseembed.embedders.int8.weights import Int8Weights, quantised, read_weights, window_of, write_weights
from sparseembed.embedders.prompts import Prompted
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import EmbedderError
from sparseembed.files import cache_folder, digest

METHOD = 1
"""Counts changes of how weights are quantised or stored."""

CALIBRATION_LENGTH = 256
"""Tokens of a calibration text at most."""

LEAST_COSINE = 0.99
"""Mean cosine with the model's own states below which it is refused."""


def open_int8(load: Callable[[], Any], tokenizer: Any, spec: EmbedderSpec, identity: object) -> Int8Body:
    """Open a model in integers: from the cache, or quantised now.

    :param load: Loads its body in float32.
    :param tokenizer: Its tokenizer.
    :param spec: The embedder's parts.
    :param identity: What decides the model's weights, as plain values.
    :return: The body.
    :raises EmbedderError: It cannot be run in integers, or comes out too unlike itself.
    """
    if not sums_are_exact():
        raise EmbedderError("this processor or torch does not multiply 8-bit integers exactly: pass --dtype float32")
    from safetensors import SafetensorError

    file = cache_folder("int8", f"{digest([METHOD, general_texts(), identity])[:32]}.safetensors")
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return Int8Body(read_weights(file), spec)
    weights = _made(load(), tokenizer, spec)
    with suppress(OSError):  # a cache that cannot be written costs time, and nothing else
        file.parent.mkdir(parents=True, exist_ok=True)
        write_weights(weights, file)
        return Int8Body(read_weights(file), spec)  # mapped: what other processes use too
    return Int8Body(weights, spec)


def fidelity(found: Any, wanted: Any) -> float:
    """Return the mean cosine of rows with those that they are to be.

    :param found: Shape (n, d).
    :param wanted: Shape (n, d).
    """
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(np.mean((found * wanted).sum(axis=1) / norms))


def _made(model: Any, tokenizer: Any, spec: EmbedderSpec) -> Int8Weights:
    """Quantise a model, and see whether it is still itself."""
    reason = unfit(model.config)
    if reason is not None:
        raise EmbedderError(f"{spec.name} cannot run in 8-bit integers: {reason}; pass --dtype auto")
    most = length_limit(model, min(CALIBRATION_LENGTH, window_of(model.config) or CALIBRATION_LENGTH))
    plain = EmbedderSpec(spec.name, spec.weights, max_length=most)
    tokens = calibration_tokens(tokenizer, plain.max_length)
    found = calibrated(model, tokens)
    weights = quantised(model, found)
    near = fidelity(Int8Body(weights, plain).last_states([Prompted(text, False) for text in tokens]), found.states)
    if not near >= LEAST_COSINE:
        raise EmbedderError(
            f"{spec.name} does not survive 8-bit integers: the mean cosine with its own states is {near:.3f}, and "
            f"{LEAST_COSINE:g} is asked for; pass --dtype auto"
        )
    return weights
