"""The words of training texts: what a query asks for, weighed as BM25 weighs it, without an analyzer or a JVM."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from sparseembed.sparse.bm25 import idf, saturation

_WORD = re.compile(r"\w+")

Matrix = npt.NDArray[np.float32]


def split_words(text: str) -> list[str]:
    """Return a text's words as they stand there, in order.

    >>> split_words("Beta-blockers, in 2 trials")
    ['Beta', 'blockers', 'in', '2', 'trials']
    """
    return _WORD.findall(text)


class WordStatistics:
    """How many texts hold each word, case folded, and how long the texts are."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Count.

        :param texts: The texts that are searched in.
        """
        self._holding: Counter[str] = Counter()
        self._texts, words = 0, 0
        for text in texts:
            found = [word.lower() for word in split_words(text)]
            self._holding.update(set(found))
            self._texts += 1
            words += len(found)
        self._length = words / max(1, self._texts) or 1.0

    def idf(self, word: str) -> float:
        """Return ln(1 + (N - df + 0.5) / (df + 0.5)), Lucene's idf, of a word in lower case."""
        holding = self._holding[word]
        return float(idf(holding, self._texts))

    def bm25(self, queries: Sequence[str], documents: Sequence[str]) -> Matrix:
        """Return the BM25 scores of documents for queries, each distinct word of a query counted once.

        :param queries: The queries, n.
        :param documents: The documents, m.
        :return: Shape (n, m).
        """
        counted = [Counter(word.lower() for word in split_words(document)) for document in documents]
        lengths = [sum(counts.values()) for counts in counted]
        scores = np.zeros((len(queries), len(documents)), dtype=np.float32)
        for row, query in enumerate(queries):
            for word in sorted({word.lower() for word in split_words(query)}):
                weight = self.idf(word)
                for column, counts in enumerate(counted):
                    if counts[word]:
                        scores[row, column] += weight * saturation(counts[word], lengths[column], self._length)
        return scores
