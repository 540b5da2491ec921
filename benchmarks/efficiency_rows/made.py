"""Made texts whose words are distributed as those of natural language: Zipf's law, and a vocabulary that keeps growing.

The word of rank r has a probability of A / r up to rank 420, and falls as r^-1.67 from there: two regimes, as in large
corpora (Ferrer i Cancho and Sole, 2001). The vocabulary of n words then grows as n^.6 (Heaps' law): about 2,400 words
in 1,000 texts of 150 words and 580,000 in a million, of which more than half stand in one text alone.
"""

import json
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from sparseembed.progress import track

WORDS = 150  # of a text
BEND, STEEP = 420, 1.67
RANKS = 4_000_000
SENTENCE = 12  # words
BLOCK = 1000
SYLLABLES = [first + vowel for first, vowel in product("bcdfghklmnprstvz", "aiou")]


class Language:
    """A language of made words."""

    def __init__(self, ranks: int = RANKS) -> None:
        """Lay out the probabilities of so many words."""
        rank = np.arange(1, ranks + 1, dtype=np.float64)
        weights = np.where(rank <= BEND, 1 / rank, BEND ** (STEEP - 1) * rank**-STEEP)
        self._cumulated = np.cumsum(weights)
        self._cumulated /= self._cumulated[-1]
        self._spelled = [spell(number) for number in range(min(ranks, 200_000))]

    def word(self, rank: int) -> str:
        """Return the word of a rank, from 0."""
        return self._spelled[rank] if rank < len(self._spelled) else spell(rank)

    def texts(self, first: int, count: int, seed: int = 0) -> list[str]:
        """Return texts by their numbers: the same ones each time, whatever is asked for before.

        :param first: Number of the first text; a multiple of 1,000, unless it is the only block asked for.
        :param count: How many.
        :param seed: Another one gives other texts.
        """
        texts: list[str] = []
        for start in range(first, first + count, BLOCK):
            rng = np.random.default_rng([seed, start])
            ranks = np.searchsorted(self._cumulated, rng.random((BLOCK, WORDS))).tolist()
            texts += [self._text(row) for row in ranks[: first + count - start]]
        return texts

    def _text(self, ranks: list[int]) -> str:
        words = [self.word(rank) for rank in ranks]
        return " ".join(" ".join(words[at : at + SENTENCE]).capitalize() + "." for at in range(0, len(words), SENTENCE))


def spell(rank: int) -> str:
    """Spell a word: short ones for frequent words, as in natural languages.

    >>> spell(0), spell(64), spell(5000)
    ('ba', 'baba', 'bavaka')
    """
    length, room = 1, len(SYLLABLES)
    while rank >= room:
        rank -= room
        length, room = length + 1, room * len(SYLLABLES)
    digits = []
    for _ in range(length):
        rank, digit = divmod(rank, len(SYLLABLES))
        digits.append(SYLLABLES[digit])
    return "".join(reversed(digits))


@cache
def language() -> Language:
    """Return the language, made once."""
    return Language()


def write_corpus(path: Path, documents: int, first: int = 0, prefix: str = "d") -> Path:
    """Write a corpus of made texts as a JSONL file, if it is not there.

    :param path: The file.
    :param documents: How many.
    :param first: Number of the first.
    :param prefix: Of the ids.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file, track(f"writing {path.name}", documents, "texts") as bar:
        for start in range(first, first + documents, BLOCK):
            texts = language().texts(start, min(BLOCK, first + documents - start))
            for number, text in enumerate(texts, start=start):
                file.write(json.dumps({"id": f"{prefix}{number:07d}", "text": text}) + "\n")
            bar.update(len(texts))
    part.rename(path)
    return path
