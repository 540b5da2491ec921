"""A transformer of transformers as an embedder."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sparseembed.arrays import Vectors
from sparseembed.embedders.adapters import adapter_folder, adapters_fingerprint, check_base
from sparseembed.embedders.attention import check_attention
from sparseembed.embedders.batching import is_out_of_memory, run_batches
from sparseembed.embedders.body import Body, TorchBody
from sparseembed.embedders.branches import Branched
from sparseembed.embedders.int8.support import has_fast_integers, is_measured
from sparseembed.embedders.loading import has_bfloat16, load_body
from sparseembed.embedders.prompts import Prompted, Prompter
from sparseembed.embedders.sources import model_folder, weights_fingerprint
from sparseembed.embedders.spec import INT8, EmbedderSpec
from sparseembed.embedders.tokenizer import load_tokenizer
from sparseembed.errors import EmbedderError
from sparseembed.text import clean_text, shown

if TYPE_CHECKING:
    import torch


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
        self._adapters: list[Path] | None = None
        self._fingerprint: str | None = None
        self._adapters_fingerprint: str | None = None
        self._prompters: dict[tuple[str, int], Prompter] = {}
        self._tokenizer: Any = None
        self._body: Body | None = None

    @property
    def folder(self) -> Path:
        """The local model folder; fetched or converted at first use."""
        if self._folder is None:
            self._folder = model_folder(self.spec.weights, self.spec.revision)
        return self._folder

    @property
    def adapters(self) -> list[Path]:
        """The local adapter folders, in the order in which they are merged; fetched at first use."""
        if self._adapters is None:
            folders = [adapter_folder(adapter) for adapter in self.spec.adapters]
            for folder in folders:
                check_base(folder, self.fingerprint)
            self._adapters = folders
        return self._adapters

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
        if is_measured(self.spec.weights, self.spec.adapters) and self.device == "cpu" and has_fast_integers():
            return INT8
        return self.float_dtype

    @property
    def float_dtype(self) -> str:
        """The dtype of the weights where they must be floats, as in training: that asked for, or this machine's."""
        if self.spec.dtype not in ("auto", INT8):
            return self.spec.dtype
        return "bfloat16" if has_bfloat16(self.device) else "float32"

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
        :return: The values; a part of its default kind that came later than the first stores has no entry.
        """
        sides = ("document", "query") if side is None else (side,)
        spec = self.spec
        values: dict[str, Any] = {f"{each}_prompt": spec.prompt(each) for each in sides}
        values |= {"pooling": spec.pooling, "attention": spec.attention, "max_length": spec.max_length}
        if spec.more_prompts and "document" in sides:
            values["more_prompts"] = list(spec.document_prompts[1:])
        if spec.pool_over != "all":
            values["pool_over"] = spec.pool_over
        values |= {"dtype": self.dtype, "weights_fingerprint": self.fingerprint}
        if spec.adapters:
            if self._adapters_fingerprint is None:
                self._adapters_fingerprint = adapters_fingerprint(self.adapters)
            values["adapters_fingerprint"] = self._adapters_fingerprint
        return values

    def with_prompts(self, **prompts: str) -> "TransformerEmbedder":
        """Return this embedder under other prompts; both share the loaded model.

        :param prompts: `document_prompt`, which is the only one of documents then, `query_prompt` or `task`: those to
            change.
        :return: The embedder; its own count of model calls starts at 0.
        :raises ConfigError: A prompt is none.
        """
        self._load()
        other = copy(self)
        alone = {"more_prompts": ()} if "document_prompt" in prompts else {}
        other.spec = self.spec.with_changes(**prompts, **alone)
        other.model_calls = 0
        other._prompters = {}
        return other

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
        body = self._load()
        prompted = self._prompted(texts, [self._prompter(side)], side, names)
        lengths = {row: len(items[0].ids) for row, items in prompted.items()}

        def embed(rows: list[int]) -> "torch.Tensor":
            self.model_calls += 1
            return body.embed([prompted[row][0] for row in rows])

        vectors = self._run(lengths, embed, (len(texts), body.dimension), side, names)
        return Encoded(vectors, sum(lengths.values()), sum(items[0].cut for items in prompted.values()))

    def encode_prompts(self, texts: Sequence[str], names: Sequence[str] | None = None) -> Encoded:
        """Embed documents under each of the document prompts, of which there may be several.

        What the prompted texts begin with is run once, where no token sees a later one.

        :param texts: The documents, n; a blank one gets zeros.
        :param names: As in `encode_counted`.
        :return: Their embeddings, shape (n, P d), those under the first prompt first; the tokens that were run, and the
            texts that were cut under any prompt.
        :raises EmbedderError: As in `encode`.
        """
        body = self._load()
        prompters = [self._prompter("document", number) for number in range(len(self.spec.document_prompts))]
        prompted = self._prompted(texts, prompters, "document", names)
        branched = {row: Branched.of(items) for row, items in prompted.items()}
        lengths = {row: each.tokens for row, each in branched.items()}

        def embed(rows: list[int]) -> "torch.Tensor":
            self.model_calls += 1
            return body.embed_branches([branched[row] for row in rows]).flatten(1)

        vectors = self._run(lengths, embed, (len(texts), len(prompters) * body.dimension), "document", names)
        cut = sum(any(item.cut for item in items) for items in prompted.values())
        return Encoded(vectors, sum(lengths.values()), cut)

    def _prompted(
        self, texts: Sequence[str], prompters: Sequence[Prompter], side: str, names: Sequence[str] | None
    ) -> dict[int, list[Prompted]]:
        """Return each text that is not blank under each of some prompts."""
        limit, known = self._load().limit, self._load().vocabulary
        full = [row for row, text in enumerate(texts) if text.strip()]
        cleaned = [clean_text(texts[row]) for row in full]
        under = zip(*(prompter.encode(cleaned, limit) for prompter in prompters), strict=True)
        # A tokenizer may drop all that stands in a text, such as control characters: it is blank then.
        filled = {row: list(items) for row, items in zip(full, under, strict=True) if all(item.ids for item in items)}
        for number in range(len(prompters)):
            self._check_tokens(known, [(row, items[number]) for row, items in filled.items()], side, names)
        return filled

    def _run(
        self,
        lengths: Mapping[int, int],
        embed: Callable[[list[int]], "torch.Tensor"],
        shape: tuple[int, int],
        side: str,
        names: Sequence[str] | None,
    ) -> Vectors:
        """Run texts through the model in batches.

        :param lengths: Row of a text -> how many tokens it has.
        :param embed: Rows -> what the model makes of them.
        :param shape: Of the result: texts, those that are blank included, and numbers of each.
        :param side: Whose they are, for an error.
        :param names: As in `encode_counted`.
        :return: Of that shape; zeros where a text is blank.
        :raises EmbedderError: As in `encode`.
        """
        import torch

        body, filled = self._load(), list(lengths)
        vectors = np.zeros(shape, dtype=np.float32)

        def run(batch: list[int]) -> None:
            rows = [filled[position] for position in batch]
            try:
                pooled = embed(rows)
                bad = ~torch.isfinite(pooled).all(dim=1)
                found = rows[int(bad.nonzero()[0, 0])] if bool(bad.any()) else None
                vectors[rows] = pooled.cpu().numpy()
            except RuntimeError as error:
                if len(rows) > 1 or not is_out_of_memory(error):
                    raise
                raise EmbedderError(
                    f"memory does not suffice for {side} {_name(names, rows[0])} alone ({self.spec.name}, "
                    f"{lengths[rows[0]]} tokens, {self.device}): pass a smaller --max-length, or --device cpu"
                ) from None
            if found is not None:
                raise EmbedderError(
                    f"the model gave NaN or infinity for {side} {_name(names, found)} ({self.spec.name}, "
                    f"{self.dtype}): try --dtype float32, or leave that text out"
                )

        with torch.inference_mode():
            run_batches(list(lengths.values()), body.budget, run)
        return vectors

    def reach(self, texts: Sequence[str], side: str = "document") -> list[int | None]:
        """Return how many characters of texts are embedded; None for a text that is not cut.

        :param texts: The texts.
        :param side: Whose prompt; of several document prompts the least that is embedded under any counts.
        :raises EmbedderError: As in `encode`.
        """
        cleaned, limit = [clean_text(text) for text in texts], self._load().limit
        prompts = range(len(self.spec.document_prompts) if side == "document" else 1)
        under = zip(*(self._prompter(side, number).reach(cleaned, limit) for number in prompts), strict=True)
        return [min((each for each in taken if each is not None), default=None) for taken in under]

    def early(self, texts: Sequence[str], depth: int, side: str = "query") -> Vectors:
        """Read texts with the first layers alone.

        :param texts: The texts.
        :param depth: How many layers.
        :param side: Whose prompt.
        :return: Shape (n, 2 d) (see `Body.early`); zeros for a blank text.
        :raises EmbedderError: The model cannot be loaded, or run in part, or gave NaN or infinity.
        """
        body = self._load()
        prompted = {row: items[0] for row, items in self._prompted(texts, [self._prompter(side)], side, None).items()}
        lengths = {row: len(item.ids) for row, item in prompted.items()}
        return self._run(
            lengths,
            lambda rows: body.early([prompted[row] for row in rows], depth),
            (len(texts), 2 * body.dimension),
            side,
            None,
        )

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return self._load().dimension

    @property
    def layers(self) -> int:
        """Layers of the model; 0 where its config does not say."""
        return self._load().layers

    @property
    def limit(self) -> int:
        """Tokens that a prompted text may have: as many as are asked for, and, once it is loaded, the model takes."""
        return self.spec.max_length if self._body is None else self._body.limit

    def _prompter(self, side: str, number: int = 0) -> Prompter:
        """Return what puts texts into a prompt; of the documents' several ones, into that of a number."""
        if (side, number) not in self._prompters:
            template = self.spec.document_prompts[number] if side == "document" else self.spec.prompt(side)
            self._prompters[side, number] = Prompter(self.tokenizer, template, self.spec.pool_over)
        return self._prompters[side, number]

    def _check_tokens(
        self, known: int, filled: Sequence[tuple[int, Prompted]], side: str, names: Sequence[str] | None
    ) -> None:
        """Refuse a token that the tokenizer has and the model lacks, as after `add_tokens` without a resizing."""
        for row, item in filled:
            number = max(item.ids)
            if number >= known:
                token = self.tokenizer.id_to_token(number)
                raise EmbedderError(
                    f"{side} {_name(names, row)} holds the token {shown(token)} (number {number}), and the model has "
                    f"embeddings of {known:,} tokens ({self.spec.name}): resize its embeddings to the tokenizer, or "
                    "take the token out of tokenizer.json"
                )

    def _load(self) -> Body:
        if self._body is None:
            self._body = self._integers() if self.dtype == INT8 else self._floats(self.dtype)
        return self._body

    def _floats(self, dtype: str) -> Body:
        model = load_body(self.folder, self.adapters, self.spec, dtype, self.device)
        check_attention(model, self.spec.attention, self.spec.name)
        return TorchBody(model, self.spec, self.device)

    def _integers(self) -> Body:
        if self.device != "cpu":
            raise EmbedderError(f"8-bit integers run on a CPU alone, not on {self.device}: pass --dtype auto")
        from sparseembed.embedders.int8.opening import open_int8

        return open_int8(
            lambda: load_body(self.folder, self.adapters, self.spec, "float32", "cpu"),
            self.tokenizer,
            self.spec,
            [self.fingerprint, adapters_fingerprint(self.adapters)],
        )


def _name(names: Sequence[str] | None, row: int) -> str:
    return names[row] if names else f"number {row + 1}"
