"""What is known of an embedder besides its parts."""

from dataclasses import asdict, dataclass
from typing import Any

from sparseembed.embedders.spec import EmbedderSpec

MANY = ("many",)


@dataclass(frozen=True)
class Preset:
    """An embedder by name.

    :param spec: Its parts.
    :param group: `paper`, `backbone`, `today` or `encoder` (one with an MLM head).
    :param source: Model card or authors' code in which the parts were looked up.
    :param licence: Licence of the weights, and of the backbone and the adapters where they differ.
    :param verified: Whether prompt, pooling, attention, adapter order and closing token were read in the source.
    :param languages: Codes of the languages that it embeds by its card, `many` where there are dozens, or none where
        that is not known.
    :param note: What is not verified, and where this embedder is known to differ from its authors'.
    """

    spec: EmbedderSpec
    group: str
    source: str
    licence: str
    verified: bool
    note: str = ""
    languages: tuple[str, ...] = ("en",)

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.spec.name

    def as_dict(self) -> dict[str, Any]:
        """Return the parts and what is known of them as plain values."""
        known = {key: getattr(self, key) for key in ("group", "source", "licence", "languages", "verified", "note")}
        return {**asdict(self.spec), **known}
