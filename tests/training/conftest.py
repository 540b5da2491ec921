"""A task that a tiny model learns in a few dozen steps, and a small recipe."""

import itertools
import random

import pytest

from sparseembed.pseudo.pairs import Pair, Source
from sparseembed.training.recipe import Recipe

NOUNS = (
    "cat dog mat whale fish air milk Rivers water sea sand light sun earth books green plants sugar mountains carbon"
)
FILLERS = ["the", "and", "of", "is", "from", "to", "it", "how"]


@pytest.fixture
def learnable():
    """Return a function that gives pairs: two nouns, and a text that holds them."""

    def make(count):
        rng = random.Random(0)
        both = list(itertools.permutations(NOUNS.split(), 2))
        rng.shuffle(both)
        pairs = []
        for one, other in both[:count]:
            first, second = rng.sample(FILLERS, 2)
            pairs.append(Pair(f"{one} {other}", f"{first} {one} {second} {other}"))
        return pairs

    return make


@pytest.fixture
def source(learnable):
    """Return 120 such pairs."""
    return Source("nouns", tuple(learnable(120)))


@pytest.fixture
def recipe():
    """Return a recipe of a few small steps, all layers adapted."""
    return Recipe(
        objectives=("dense", "aligned", "residual"),
        steps=12,
        batch=8,
        query_length=16,
        document_length=24,
        rank=4,
        alpha=8,
        layers=1.0,
        learning_rate=0.01,
    )
