"""The presets of `index --size`: a few of the method's choices by one word."""

from collections.abc import Mapping
from typing import Any

from sparseembed.errors import ConfigError

SIZES: dict[str, dict[str, Any]] = {
    "small": {"terms": "word", "kept": 256, "bits": 5},
    "default": {},
    "large": {"terms": "word+folded"},
}
_CHOSEN = ("terms", "kept", "bits")  # what a size decides, whether it names it or leaves it at its default


def sized(size: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return choices with those of a size put in.

    :param size: One of `SIZES`; None where none was asked for.
    :param given: Choice -> the value that was given, None where none was.
    :raises ConfigError: A choice was given that the size makes otherwise.
    """
    if size is None:
        return dict(given)
    preset = SIZES[size]
    for choice in _CHOSEN:
        if given[choice] is not None and given[choice] != preset.get(choice):
            makes = f"sets --{choice} {preset[choice]}" if choice in preset else f"leaves --{choice} at its default"
            raise ConfigError(f"--size {size} {makes}: leave out --size, or --{choice} {given[choice]}")
    return {**given, **preset}
