"""A model's top layers alone, trained on states that the layers below them made once: a fraction of the time.

What a text's tokens are after the lower layers never changes while only upper layers are trained. So these states are
made once, in 8-bit integers as the default embedder encodes on a CPU, kept, and stand in the place of token embeddings: a *token id* is a place in the table of all states.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from sparseembed.embedders.adapters import adapters_fingerprint
from sparseembed.embedders.int8.body import Int8Body
from sparseembed.embedders.int8.opening import open_int8
from sparseembed.embedders.loading import load_body
from sparseembed.embedders.prompts import Prompted, Prompter
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import atomic_file, digest
from sparseembed.progress import track
from sparseembed.training.encoder import TrainedEncoder
from sparseembed.training.lora import add_lora, trained_parameters
from sparseembed.training.recipe import Recipe

AT_ONCE = 8  # texts that go through the layers together
PART = 64  # texts whose states are one file

Text = tuple[str, str]  # side, text


class States(NamedTuple):
    """States of many texts after the lower layers.

    :param depth: How many layers made them.
    :param table: All of them, shape (tokens, d), bfloat16.
    :param places: Side and text -> where its states begin and end.
    """

    depth: int
    table: torch.Tensor
    places: dict[Text, tuple[int, int]]


def lower_states(
    embedder: TransformerEmbedder, texts: Iterable[Text], depth: int, lengths: dict[str, int], folder: Path
) -> States:
    """Return the states of texts after the first layers; what was made before is read.

    :param embedder: The embedder, whose adapters are merged.
    :param texts: Sides and texts.
    :param depth: How many layers.
    :param lengths: Side -> tokens of a prompted text at most.
    :param folder: Where they are kept, some hundred megabytes for some thousand texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(set(texts))
    parts = [ordered[start : start + PART] for start in range(0, len(ordered), PART)]
    identity = [embedder.identity(), depth, lengths]
    body: Int8Body | None = None
    made: list[list[torch.Tensor]] = []
    with track(f"running {depth} layers", len(ordered), "texts") as bar:
        for part in parts:
            file = folder / f"{digest([identity, part])[:24]}.pt"
            if not file.exists():
                body = body or _open(embedder)
                states = _run(embedder, body, part, depth, lengths)
                with atomic_file(file) as handle:
                    torch.save(states, handle)
            made.append(torch.load(file, weights_only=True))
            bar.update(len(part))
    places, end = {}, 0
    for text, states in zip(ordered, (each for part in made for each in part), strict=True):
        places[text] = (end, end + len(states))
        end += len(states)
    return States(depth, torch.cat([each for part in made for each in part]), places)


def _open(embedder: TransformerEmbedder) -> Int8Body:
    return open_int8(
        lambda: load_body(embedder.folder, embedder.adapters, embedder.spec, "float32", "cpu"),
        embedder.tokenizer,
        embedder.spec,
        [embedder.fingerprint, adapters_fingerprint(embedder.adapters)],
    )


def _run(
    embedder: TransformerEmbedder, body: Int8Body, texts: Sequence[Text], depth: int, lengths: dict[str, int]
) -> list[torch.Tensor]:
    spec = embedder.spec
    prompters = {side: Prompter(embedder.tokenizer, spec.prompt(side), spec.pool_over) for side in lengths}
    items = [prompters[side].encode([text], lengths[side])[0] for side, text in texts]
    found: list[torch.Tensor] = []
    for start in range(0, len(items), AT_ONCE):
        some = items[start : start + AT_ONCE]
        states = torch.from_numpy(body.stream(some, depth)).to(torch.bfloat16)
        found += [each.clone() for each in states.split([len(item.ids) for item in some])]
    return found


class UpperEncoder(TrainedEncoder):
    """The top layers in training: a text's tokens are its states."""

    def __init__(self, embedder: TransformerEmbedder, recipe: Recipe, states: States) -> None:
        """Take the layers above the states', and put LoRA onto all of them."""
        self._spec, self._recipe, self._states = embedder.spec, recipe, states
        self.device = embedder.device
        body = load_body(embedder.folder, embedder.adapters, embedder.spec, embedder.float_dtype, self.device)
        body.layers = body.layers[states.depth :]
        body.config.num_hidden_layers = len(body.layers)
        body.embed_tokens = torch.nn.Embedding.from_pretrained(states.table.to(self.device, body.dtype))
        body.requires_grad_(False)
        self.model = add_lora(body, recipe)
        self.parameters = trained_parameters(self.model)
        for parameter in self.parameters.values():
            parameter.data = parameter.data.to(body.dtype)

    def tokenize(self, texts: Sequence[str], side: str) -> list[Prompted]:
        """Return the places of texts' states."""
        return [Prompted(list(range(*self._states.places[side, text])), False) for text in texts]
