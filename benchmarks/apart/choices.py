"""What is varied: the choices of an index and of its queries, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sparseembed.indexing.mixing import USUAL
from sparseembed.retrieval.query import DEFAULT_EXPANSION_WEIGHT
from sparseembed.sparse.config import DEFAULTS, SparseConfig

OWN = ("m", "expansion", "query_idf", "confident", "share", "best")
Grid = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Choices:
    """One way to make an index and its queries.

    :param sparse: The choices of the index.
    :param m: M, aligned terms of a query; 0 for queries without a model.
    :param expansion: Weight of a query's best aligned term.
    :param query_idf: Whether query weights are multiplied by idf.
    :param confident: Whether `mix` is scaled for each document by the embedder's own confidence.
    :param share: Postings below this share of the document's largest impact are left out.
    :param best: Postings kept of a document, at most; 0 keeps all.
    """

    sparse: SparseConfig
    m: int = 0
    expansion: float = DEFAULT_EXPANSION_WEIGHT
    query_idf: bool = False
    confident: bool = False
    share: float = 0.0
    best: int = 0

    def value(self, field: str) -> Any:
        """Return a choice by its name, of the index or of its queries."""
        return getattr(self if field in OWN else self.sparse, field)

    def but(self, **changes: Any) -> "Choices":
        """Return a copy with some choices changed, those of the index too."""
        own = {key: value for key, value in changes.items() if key in OWN}
        return replace(self, sparse=replace(self.sparse, **_without(changes, own)), **own)

    def as_dict(self) -> dict[str, Any]:
        """Return the choices as plain values."""
        return {**self.sparse.as_dict(), **{field: getattr(self, field) for field in OWN}}


ONE_INDEX = Choices(DEFAULTS["word"].with_changes(mix=USUAL))
WORDS_ALONE = Choices(replace(DEFAULTS["word"], literal=False))
BOTH = Choices(DEFAULTS["word+folded"].with_changes(mix=USUAL))
FOLDED = Choices(DEFAULTS["folded"])
TOKEN = Choices(DEFAULTS["token"])

KS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4000)
MS = (1, 2, 5, 10, 20, 50)
MIXES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.6, 2.0)
ADJUSTMENTS = ("none", "pc1", "pc1:0.5", "pc1:1", "pc1:1.25", "centred", "bulk")

# In the order in which the combination is sought. Bits and pruning cost effectiveness and save bytes: no part of it.
SOUGHT: Grid = {
    "adjustment": ADJUSTMENTS,
    "k": KS,
    "floor": ("zero", "kth"),
    "weighting": ("linear", "log1p", "sqrt"),
    "scale": ("none", "document"),
    "idf": (True, False),
    "query_idf": (False, True),
}
BITS: Grid = {"bits": (8, 6, 4, 2, 1)}
PRUNING: Grid = {"share": (0.02, 0.05, 0.1, 0.2, 0.3, 0.5), "best": (8, 16, 32, 64, 128, 256)}
JOINED: Grid = {"pieces": (0.0, 0.25, 0.5, 0.75, 1.0), "k": (128, 256, 512, 1024), "mix": MIXES}
MIXED: Grid = {"mix": MIXES, "confident": (False, True)}
QUICK: Grid = {
    "k": (8, 64, 1024),
    "pieces": (0.0, 0.5, 1.0),
    "adjustment": ("none", "pc1", "centred"),
    "mix": (0.0, 0.5, 1.0),
}


def grid_of(start: Choices, *parts: Grid, quick: bool = False) -> Grid:
    """Join grids, `mix` only where literal terms stand in the index.

    :param start: What the choices are varied around.
    :param parts: Grids.
    :param quick: Keep at most three values of a choice.
    """
    joined = {field: values for part in parts for field, values in part.items()}
    if start.sparse.literal:
        joined |= MIXED
    return {field: QUICK.get(field, values[:3]) for field, values in joined.items()} if quick else joined


def alone(start: Choices, grid: Grid) -> Iterator[tuple[str, Choices]]:
    """Yield each choice of a grid varied alone: (field, choices), that of the start too."""
    for field, values in grid.items():
        known = field in ("share", "best") or start.value(field) in values
        every = values if known else (start.value(field), *values)
        for value in every:
            yield field, start.but(**{field: value})


def named(field: str, choices: Choices) -> str:
    """Name a variant by the choice that is varied."""
    return f"{NAMES.get(field, field)} = {choices.value(field)}"


NAMES = {
    "k": "K",
    "m": "M",
    "query_idf": "idf of query terms",
    "confident": "mix by confidence",
    "pieces": "share of pieces",
    "share": "least share of the largest impact",
    "best": "postings kept",
}


def _without(changes: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if key not in own}
