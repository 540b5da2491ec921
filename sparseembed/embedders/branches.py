"""One text under several prompts: the token ids that the prompts have in common, once, and what follows under each.

Where no token sees a later one, the states of what the prompted texts have in common at their beginnings are the same
under each prompt. So they are computed once, and the few tokens after them look back at them.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from sparseembed.embedders.forward import embed
from sparseembed.embedders.pooling import pool
from sparseembed.embedders.prompts import Prompted
from sparseembed.embedders.spec import EmbedderSpec

if TYPE_CHECKING:
    import torch

_TRIAL = 96  # tokens of the text that a model is tried with
_NEAR = 0.05  # of a state's length: bfloat16 rounds otherwise where a product has another shape


class Branched(NamedTuple):
    """A text under P prompts.

    :param trunk: Token ids that all begin with; none where the first ones differ.
    :param branches: The token ids that follow under each, at least one.
    :param starts: Where pooling starts under each, counted from the beginning of the trunk.
    """

    trunk: list[int]
    branches: list[list[int]]
    starts: list[int]

    @classmethod
    def of(cls, items: Sequence[Prompted]) -> "Branched":
        """Find what prompted texts have in common.

        :param items: One text under each of P prompts, none empty.
        """
        ids = [item.ids for item in items]
        least = min(map(len, ids)) - 1  # a branch has a last token of its own
        common = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*ids, strict=False)))
        cut = min(common, least)
        return cls(ids[0][:cut], [each[cut:] for each in ids], [item.start for item in items])

    @property
    def tokens(self) -> int:
        """How many tokens are run."""
        return len(self.trunk) + sum(map(len, self.branches))

    def prompted(self, branch: int) -> Prompted:
        """Return the text under one of the prompts, whole."""
        return Prompted(self.trunk + self.branches[branch], False, self.starts[branch])


def embed_branches(model: Any, texts: Sequence[Branched], spec: EmbedderSpec, device: str) -> "torch.Tensor":
    """Run texts under P prompts through a causal model, what the prompts have in common once, and pool.

    :param model: The body of a transformer of transformers, which takes 4-D masks and positions (see `takes_branches`).
    :param texts: The texts, n; they are padded to the one of the most tokens.
    :param spec: Pooling.
    :param device: Where the model is.
    :return: Shape (n, P, d), float32, on the device.
    """
    import torch

    longest = max(text.tokens for text in texts)
    ids, places = (torch.zeros((len(texts), longest), dtype=torch.long) for _ in range(2))
    part = torch.full((len(texts), longest), -1)  # 0 in a trunk, 1 and more in a branch
    members: list[list[torch.Tensor]] = []
    for row, text in enumerate(texts):
        first, trunk = len(text.trunk), torch.arange(len(text.trunk))
        ids[row, :first], places[row, :first], part[row, :first] = torch.tensor(text.trunk), trunk, 0
        members.append([])
        for number, branch in enumerate(text.branches, 1):
            own = torch.arange(first, first + len(branch))
            ids[row, own], part[row, own] = torch.tensor(branch), number
            places[row, own] = torch.arange(len(branch)) + len(text.trunk)
            members[-1].append(torch.cat([trunk, own]))
            first += len(branch)
    sees = ((part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None])).tril()
    sees |= torch.eye(longest, dtype=torch.bool)  # a row that sees nothing may become NaN
    mask = torch.zeros((len(texts), 1, longest, longest), dtype=model.dtype)
    mask.masked_fill_(~sees[:, None], torch.finfo(model.dtype).min)
    states = model(
        input_ids=ids.to(device), attention_mask=mask.to(device), position_ids=places.to(device), use_cache=False
    ).last_hidden_state
    found = []
    for row, text in enumerate(texts):
        for member, start in zip(members[row], text.starts, strict=True):
            over = torch.tensor([start], device=device) if spec.pool_over == "text" else None
            own = states[row : row + 1, member.to(device)]
            found.append(pool(own, torch.tensor([len(member)], device=device), spec.pooling, over))
    return torch.cat(found).view(len(texts), -1, states.shape[-1])


def takes_branches(model: Any, spec: EmbedderSpec, device: str) -> bool:
    """Say, by a trial, whether texts under several prompts can be run as branches of what they have in common.

    :param model: The body of a transformer.
    :param spec: Attention and maximal length.
    :param device: Where the model is.
    """
    import torch

    config = getattr(model.config, "text_config", model.config)
    windowed = {"sliding_attention", "chunked_attention"} & set(getattr(config, "layer_types", None) or ())
    if spec.attention != "causal" or windowed or getattr(config, "attention_types", None):
        return False
    most = min(spec.max_length, int(getattr(config, "max_position_embeddings", spec.max_length)))
    size = int(config.vocab_size)
    trunk = [(7 * place + size // 2) % size for place in range(min(most, _TRIAL) - 4)]
    text = Branched(trunk, [[size // 3, size // 5], [size // 7, size // 5, size // 3]], [0, 0])
    last = replace(spec, pooling="last", pool_over="all")
    try:
        with torch.inference_mode():
            found = embed_branches(model, [text], last, device)[0]
            wanted = torch.cat([embed(model, [text.prompted(branch)], last, device) for branch in range(2)])
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        return False
    apart = torch.linalg.vector_norm(found - wanted, dim=1) / torch.linalg.vector_norm(wanted, dim=1)
    return bool((apart < _NEAR).all())
