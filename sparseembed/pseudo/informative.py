"""Which words and sentences tell most of a text."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from sparseembed.pseudo.folding import WordTable

_RARE_ENOUGH = 5  # a key term stands in at most one text in so many
_SHORTEST = 3  # letters of a key term of an alphabet


class TermWeights:
    """Weights of a corpus's words by the number of documents that they stand in."""

    def __init__(self, table: WordTable, numbers: Sequence[int]) -> None:
        """Count.

        :param table: The words of the corpus's documents.
        :param numbers: The documents that count, n of them.
        """
        frequency = np.zeros(len(table.vocabulary), dtype=np.int64)
        for number in numbers:
            frequency[np.unique(table.text(number))] += 1
        idf = np.log1p(len(numbers) / np.maximum(frequency, 1))
        # Dictionaries and plain numbers: one word at a time is asked for, which is slow in arrays.
        self._frequency: dict[str, int] = dict(zip(table.vocabulary, frequency.tolist(), strict=True))
        self._idf: dict[str, float] = dict(zip(table.vocabulary, idf.tolist(), strict=True))
        self._unknown = float(np.log1p(len(numbers)))
        self._most = max(1, len(numbers) // _RARE_ENOUGH)

    def of_sentence(self, words: Sequence[str]) -> float:
        """Say how much a sentence tells: the idf of its different words, over the square root of its length.

        The root keeps both the longest sentence and the one of a few rare words from always being first.

        :param words: Its words.
        :return: The weight; 0 for no words.
        """
        return sum(self.idf(word) for word in sorted(set(words))) / float(max(1, len(words)) ** 0.5)

    def key_terms(self, words: Sequence[str], count: int) -> list[str]:
        """Choose a text's key terms: those of the largest (1 + ln tf) idf.

        A key term has a letter, is no fragment of one or two letters of an alphabet, and stands in at most a fifth of
        the documents; one that stands in no other document comes after those that do: it may be a slip.

        :param words: The text's words.
        :param count: How many to choose at most.
        :return: The terms, in the order in which they first stand in the text.
        """
        counts = Counter(words)  # keeps the order of first appearance
        rated = [
            (self._of(word) > 1, (1 + math.log(tf)) * self.idf(word), place, word)
            for place, (word, tf) in enumerate(counts.items())
            if self._may_be_key(word)
        ]
        best = sorted(rated, key=lambda rating: (not rating[0], -rating[1], rating[2]))[:count]
        return [word for *_, word in sorted(best, key=lambda rating: rating[2])]

    def idf(self, word: str) -> float:
        """Give ln(1 + n / df) of a word; that of a word in one document for one that is in none.

        :param word: The word, folded.
        :return: Its idf.
        """
        return self._idf.get(word, self._unknown)

    def _of(self, word: str) -> int:
        return self._frequency.get(word, 0)

    def _may_be_key(self, word: str) -> bool:
        if self._of(word) > self._most or not any(map(str.isalpha, word)):
            return False
        return len(word) >= _SHORTEST or not word.isascii()
