"""What the tests of threads, forks and writers share."""

from sparseembed.data.corpus import Document

WORDS = [
    "fox",
    "river",
    "whale",
    "mountain",
    "otter",
    "desert",
    "falcon",
    "forest",
    "badger",
    "harbour",
    "lynx",
    "meadow",
]
NATURE = [
    "cat",
    "dog",
    "whale",
    "river",
    "water",
    "sand",
    "light",
    "sun",
    "earth",
    "green",
    "plant",
    "sugar",
    "milk",
    "fish",
]


def documents(count=40):
    """Make documents of a few words."""
    return [
        Document(f"d{n}", WORDS[n % 12], f"A {WORDS[n % 12]} lives near the {WORDS[(n * 5 + 1) % 12]} for {n} hours.")
        for n in range(count)
    ]
