"""BM25's formulas, as Lucene's BM25Similarity has them; k1 and b as in Anserini."""

from typing import Any

import numpy as np

K1, B = 0.9, 0.4


def idf(frequency: Any, documents: Any) -> Any:
    """Return ln(1 + (n - df + 0.5) / (df + 0.5)).

    :param frequency: df, documents that hold a term; a number or an array.
    :param documents: n, documents that have terms; at least df.
    """
    return np.log1p((documents - frequency + 0.5) / (frequency + 0.5))


def saturation(occurrences: Any, length: Any, mean_length: float) -> Any:
    """Return tf / (tf + k1 (1 - b + b length / mean length)): a term's impact is its idf times this.

    Lengths are exact, where Lucene keeps them in one byte.

    :param occurrences: tf, how often a term stands in a document; a number or an array.
    :param length: Terms of the document.
    :param mean_length: Mean over the documents that have terms.
    """
    return occurrences / (occurrences + K1 * (1 - B + B * length / mean_length))
