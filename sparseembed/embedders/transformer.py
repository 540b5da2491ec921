"""A transformer of transformers as an embedder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.data.corpus import clean_text
from sparseembed.embedders.attention import attention_mask, check_attention
from sparseembed.embedders.batching import plan_batches
from sparseembed.embedders.pooling import pool
from sparseembed.embedders.prompts import prompt_texts
from sparseembed.embedders.sources import model_folder, quiet_hub, weights_fingerprint
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import EmbedderError

if TYPE_CHECKING:
    import torch

Vectors = npt.NDArray[np.float32]
CPU_BATCH_TOKENS = 8_192
GPU_BATCH_TOKENS = 65_536


class Encoded(NamedTuple):
    """Embeddings and what it took to make them."""

    vectors: Vectors  # (n, d); a blank text's row is all zeros
    tokens: int
    cut: int  # texts that were longer than the embedder takes


class TransformerEmbedder:
    """Text -> dense vector by a causal LM (or its body) and a pooling.

    Loading is lazy: the tokenizer, the weights and torch itself are read when first needed.
    """

    def __init__(self, spec: EmbedderSpec) -> None:
        """Take the parts; nothing is loaded yet.

        :param spec: The embedder's parts.
        """
        self.spec = spec
        self.model_calls = 0
        self._folder: Path | None = None
        self._fingerprint: str | None = None
        self._tokenizer: Any = None
        self._model: Any = None

    @property
    def folder(self) -> Path:
        """The local model folder; fetched or converted at first use."""
        if self._folder is None:
            self._folder = model_folder(self.spec.weights, self.spec.revision)
        return self._folder

    @property
    def tokenizer(self) -> Any:
        """The fast tokenizer (`tokenizers.Tokenizer`), with special tokens inside texts treated as text."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.folder, self.spec.trust_remote_code)
        return self._tokenizer

    @property
    def fingerprint(self) -> str:
        """Fingerprint of weights and tokenizer."""
        if self._fingerprint is None:
            self._fingerprint = weights_fingerprint(self.folder)
        return self._fingerprint

    @property
    def dtype(self) -> str:
        """The dtype that `auto` stands for on this machine, or the one asked for."""
        if self.spec.dtype != "auto":
            return self.spec.dtype
        return "bfloat16" if _has_bfloat16(self.device) else "float32"

    @property
    def device(self) -> str:
        """The device that `auto` stands for on this machine, or the one asked for."""
        import torch

        if self.spec.device != "auto":
            return self.spec.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def identity(self, side: str | None = None) -> dict[str, Any]:
        """Return what decides the vectors: wherever these values are equal, so are the embeddings.

        :param side: `document` or `query` for that side's vectors, which the other side's prompt has no part in; both
            sides' when None.
        """
        parts = self.spec.as_dict()
        prompts = ("document_prompt", "query_prompt") if side is None else (f"{side}_prompt",)
        decisive = (*prompts, "pooling", "attention", "max_length")
        return {
            **{part: parts[part] for part in decisive},
            "dtype": self.dtype,
            "weights_fingerprint": self.fingerprint,
        }

    def encode(self, texts: Sequence[str], side: str = "document") -> Vectors:
        """Embed texts.

        :param texts: The texts; a blank one gets a zero vector.
        :param side: `document` or `query`: whose prompt.
        :return: Shape (n, d), float32, in the order of the texts.
        :raises EmbedderError: The model cannot be loaded, or gave NaN or infinity (which text).
        """
        return self.encode_counted(texts, side).vectors

    def encode_counted(
        self, texts: Sequence[str], side: str = "document", names: Sequence[str] | None = None
    ) -> Encoded:
        """Embed texts and count tokens and cuts.

        :param texts: As in `encode`.
        :param side: As in `encode`.
        :param names: What to call each text in an error; their positions when None.
        :return: The embeddings and the counts.
        :raises EmbedderError: As in `encode`.
        """
        import torch

        model = self._load()
        full = [row for row, text in enumerate(texts) if text.strip()]
        cleaned = [clean_text(texts[row]) for row in full]
        prompted = prompt_texts(self.tokenizer, self.spec.prompt(side), cleaned, self._limit)
        # A tokenizer may drop all that stands in a text, such as control characters: it is blank then.
        filled = [(row, item.ids) for row, item in zip(full, prompted, strict=True) if item.ids]
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        budget = CPU_BATCH_TOKENS if self.device == "cpu" else GPU_BATCH_TOKENS
        with torch.inference_mode():
            for batch in plan_batches([len(ids) for _, ids in filled], budget):
                rows = [filled[position][0] for position in batch]
                pooled = self._forward(model, [filled[position][1] for position in batch])
                bad = ~torch.isfinite(pooled).all(dim=1)
                if bool(bad.any()):
                    row = rows[int(bad.nonzero()[0, 0])]
                    name = names[row] if names else f"number {row + 1}"
                    raise EmbedderError(
                        f"the model gave NaN or infinity for {side} {name} ({self.spec.name}, {self.dtype}): "
                        "try --dtype float32, or leave that text out"
                    )
                vectors[rows] = pooled.cpu().numpy()
        return Encoded(vectors, sum(len(item.ids) for item in prompted), sum(item.cut for item in prompted))

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        config = self._load().config
        config = getattr(config, "text_config", config)
        return int(getattr(config, "word_embed_proj_dim", config.hidden_size))

    @property
    def _limit(self) -> int:
        config = self._load().config
        config = getattr(config, "text_config", config)
        return min(self.spec.max_length, int(getattr(config, "max_position_embeddings", self.spec.max_length)))

    def _forward(self, model: Any, ids: list[list[int]]) -> "torch.Tensor":
        import torch

        lengths = torch.tensor([len(row) for row in ids])
        longest = int(lengths.max())
        padded = torch.zeros((len(ids), longest), dtype=torch.long)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = torch.tensor(tokens)
        padded, lengths = padded.to(self.device), lengths.to(self.device)
        kind = self.spec.attention
        # Under a causal mask nothing looks to the right, where all padding is: no mask is needed, and none is faster.
        ragged = kind == "bidirectional"
        mask = attention_mask(lengths, longest, kind, model.dtype) if ragged else None
        self.model_calls += 1
        output = model(input_ids=padded, attention_mask=mask, use_cache=False)
        return pool(output.last_hidden_state, lengths, self.spec.pooling)

    def _load(self) -> Any:
        if self._model is None:
            model = _load_body(self.folder, self.spec, self.dtype, self.device)
            check_attention(model, self.spec.attention, self.spec.name)
            self._model = model
        return self._model


def load_tokenizer(folder: Path, trust_remote_code: bool = False) -> Any:
    """Load a model folder's fast tokenizer.

    :param folder: A model folder.
    :param trust_remote_code: Whether code in the folder may run.
    :return: A `tokenizers.Tokenizer` that adds the model's own special tokens, cuts and pads nothing, and reads what
        looks like a special token inside a text as plain text.
    :raises EmbedderError: The folder holds none.
    """
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if file.is_file():
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises nothing more precise
            reason = " ".join(str(error).split())[:160]
            raise EmbedderError(f"{file} is damaged ({reason}): fetch or build it again") from None
    else:
        with quiet_hub():
            from transformers import AutoTokenizer

            try:
                loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
                tokenizer = loaded.backend_tokenizer
            except Exception as error:  # each tokenizer class fails in its own way
                reason = " ".join(str(error).split())[:200]
                raise EmbedderError(f"cannot load a fast tokenizer from {folder}: {reason}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _load_body(folder: Path, spec: EmbedderSpec, dtype: str, device: str) -> Any:
    with quiet_hub():
        import torch
        from transformers import AutoModel

        try:
            model, info = AutoModel.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                trust_remote_code=spec.trust_remote_code,
                output_loading_info=True,
            )
        except Exception as error:  # a broken folder shows as any of a dozen types
            reason = " ".join(str(error).split())[:200]
            raise EmbedderError(f"cannot load the model in {folder}: {reason}") from None
        missing = [key for key in info["missing_keys"] if "pooler" not in key]
        if missing:
            # transformers would go on with random numbers in their place.
            raise EmbedderError(
                f"the model in {folder} lacks {len(missing)} of its weights (the first is {sorted(missing)[0]}): "
                "the checkpoint is incomplete or of another architecture"
            )
        try:
            return model.eval().to(device)
        except (RuntimeError, AssertionError) as error:
            reason = " ".join(str(error).split())[:160]
            raise EmbedderError(f"cannot put the model on device {device!r}: {reason}") from None


def _has_bfloat16(device: str) -> bool:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    if device != "cpu":
        return False
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False
