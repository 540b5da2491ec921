"""The `word` term space: the collection's own analysed vocabulary."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sparseembed.progress import track
from sparseembed.sparse.counts import TermCounts


class Vocabulary(NamedTuple):
    """Analysed words of a collection.

    :param terms: The terms, ascending.
    :param surfaces: For each term the spelling that stands for it: its most frequent one in the collection, the first
        in alphabetical order of equally frequent ones.
    """

    terms: list[str]
    surfaces: list[str]


def collect_words(texts: Sequence[str], analyzer: Any) -> tuple[Vocabulary, TermCounts]:
    """Analyse a collection.

    :param texts: The documents, N of them.
    :param analyzer: An `EnglishAnalyzer`.
    :return: The vocabulary of T terms, and how often each stands in each document.
    """
    number_of: dict[str, int] = {}
    found = []
    with track("analysing", len(texts), "texts") as bar:
        for text in texts:
            tokens = analyzer.surfaces(text)
            found.append(np.fromiter((number_of.setdefault(t, len(number_of)) for t in tokens), np.int32, len(tokens)))
            bar.update(1)
    spellings = list(number_of)
    term_of = analyzer.terms_of(spellings)
    terms = sorted({term for term in term_of if term is not None})
    number_of_term = {term: number for number, term in enumerate(terms)}
    mapped = np.asarray([-1 if term is None else number_of_term[term] for term in term_of], dtype=np.int64)
    occurrences = np.concatenate(found).astype(np.int64) if found else np.zeros(0, dtype=np.int64)
    rows = np.repeat(np.arange(len(texts), dtype=np.int64), [len(each) for each in found])
    counts = TermCounts(rows, mapped[occurrences], (len(texts), len(terms)))
    frequency = np.bincount(occurrences, minlength=len(spellings))
    return Vocabulary(terms, _commonest(spellings, term_of, frequency, terms)), counts


def _commonest(spellings: list[str], term_of: list[str | None], frequency: Any, terms: list[str]) -> list[str]:
    best: dict[str, tuple[int, str]] = {}
    for spelling, term, count in zip(spellings, term_of, frequency, strict=True):
        if term is None:
            continue
        candidate = (-int(count), spelling)
        if term not in best or candidate < best[term]:
            best[term] = candidate
    return [best[term][1] for term in terms]
