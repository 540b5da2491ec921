"""Row 3: encoding, against the model's bare forward pass in floats over the same tokens, in the best batching found.

Where the embedder runs in 8-bit integers, also against its own encoding in floats.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from efficiency_rows.measure import Spread, in_turns
from efficiency_rows.row import Row
from efficiency_rows.workplace import Workplace
from sparseembed.data.resolve import open_corpus
from sparseembed.data.sampling import even_places
from sparseembed.embedders.body import length_limit
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.loading import load_body
from sparseembed.embedders.prompts import Prompter
from sparseembed.progress import note

BUDGETS = (512, 1024, 2048, 4096, 8192, 16384)
SHARE = 0.95  # of the bare pass
TIMES = 1.7  # of ours in floats, where the processor is made for integers
FINALISTS = 2  # batch sizes of the bare pass that are measured in turns with ours, after one pass with each


class BareModel:
    """The model alone: padded tokens in, last hidden states out, nothing done with them."""

    def __init__(self, model: Any, ids: Sequence[list[int]]) -> None:
        """Take the model and the tokens of texts."""
        self._model = model
        self._ids = sorted(ids, key=len, reverse=True)

    def run(self, budget: int) -> None:
        """Pass all texts through the model, those of like length together.

        :param budget: Padded tokens of a batch at most.
        """
        import torch

        with torch.inference_mode():
            batch: list[list[int]] = []
            for text in [*self._ids, None]:
                if text is None or (batch and len(batch[0]) * (len(batch) + 1) > budget):
                    self._forward(batch)
                    batch = []
                if text is not None:
                    batch.append(text)

    def _forward(self, batch: list[list[int]]) -> None:
        import torch

        longest = len(batch[0])
        ids = torch.tensor([text + [0] * (longest - len(text)) for text in batch])
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in batch])
        self._model(input_ids=ids, attention_mask=mask)


def measure(place: Workplace) -> list[Row]:
    """Measure the row."""
    embedder = load_embedder(place.embedder)
    corpus = open_corpus(str(place.corpus(60)) if place.quick else "pydocs")
    count = 8 if place.quick else 96
    texts = [document.contents for document in corpus.take(even_places(len(corpus), count))]
    model = load_body(embedder.folder, embedder.adapters, embedder.spec, embedder.float_dtype, embedder.device)
    spec = embedder.spec
    prompter = Prompter(embedder.tokenizer, spec.prompt("document"), spec.pool_over)
    ids = [each.ids for each in prompter.encode(texts, length_limit(model, spec.max_length))]
    tokens = sum(map(len, ids))
    bare = BareModel(model, ids)
    note(f"encoding {len(texts)} texts of {tokens:,} tokens, in batches of several sizes")
    floats = load_embedder(embedder.spec.with_changes(dtype=embedder.float_dtype))
    budgets = {str(budget): partial(bare.run, budget) for budget in (BUDGETS[1:3] if place.quick else BUDGETS)}
    once = in_turns(budgets, 1, warm=0)
    nearest = sorted(budgets, key=lambda budget: once[budget].wall.median)[:FINALISTS]
    things: dict[str, Callable[[], Any]] = {"ours": lambda: embedder.encode(texts)}
    if embedder.dtype != embedder.float_dtype:
        things["floats"] = lambda: floats.encode(texts)
    took = in_turns(things | {budget: budgets[budget] for budget in nearest}, 1 if place.quick else 3)
    best = min(nearest, key=lambda budget: took[budget].wall.median)
    rates = {name: each.wall.inverted(tokens) for name, each in (once | took).items()}
    what = f"encoding {len(texts)} texts, {tokens:,} tokens, in {embedder.dtype}"
    bare_name = f"bare forward pass in {embedder.float_dtype}, batches of {best} tokens, the best of {len(budgets)}"
    rows = [_row(what, rates["ours"], bare_name, rates[best], SHARE)]
    if "floats" in took:
        rows.append(_row(what, rates["ours"], f"ours in {embedder.float_dtype}", rates["floats"], TIMES))
    rows[0] = replace(rows[0], more={"bare_by_budget": {name: rates[name].median for name in budgets}})
    return rows


def _row(what: str, ours: Spread, against: str, other: Spread, goal: float) -> Row:
    met = ours.median / other.median >= goal
    return Row("encode", what, ours, against, other, "tokens a second", f"at least {goal}", met, {})
