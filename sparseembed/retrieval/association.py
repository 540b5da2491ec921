"""Which words of a text carry the meaning by which a term matched that does not stand there.

A document matches *reverse* though it says *backwards*, since its embedding brought *reverse*. Of the words that do
stand there, those are marked that the index gives to the same documents: two terms are as alike as their impacts
correlate over documents. That takes the postings of the terms, and no model.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Vectors
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.segment.slices import chunk_slices, read
from sparseembed.retrieval.places import TermPlace

Floats = npt.NDArray[np.float64]

LITERAL, MEANING = "literal", "meaning"

LEAST = 0.25
"""The least correlation of a word that is marked for a term. On pydocs *choose* has .38 with *pick*, *descending* .37
with *down*, *all* .46 with *everything*; words without a tie are mostly below .2."""

_EACH = 2  # words that are marked for one term, at most
_WORDS = 400  # of a passage that are looked at


class Mark(NamedTuple):
    """A word of a passage that made it match.

    :param start: Where it begins, in characters.
    :param end: Where it ends.
    :param kind: `literal`, a word of the query; or `meaning`, a word for which a term of the query matched that does
        not stand there.
    :param term: That term of the query.
    """

    start: int
    end: int
    kind: str
    term: str


def find_marks(
    segment: SegmentReader,
    shared: Sequence[str],
    absent: Sequence[str],
    own: Collection[str],
    places: Sequence[TermPlace],
) -> list[Mark]:
    """Find the words of a passage that made its document match.

    :param segment: The segment that holds the document.
    :param shared: Terms that the query and the document share.
    :param absent: Those of them that do not stand in its text.
    :param own: Terms that stand in the query itself; others were added to it by its embedding.
    :param places: The terms of the passage.
    :return: The marks, in the order of the passage.
    """
    there = {place.term for place in places}
    others = [term for term in dict.fromkeys(place.term for place in places) if term not in own][:_WORDS]
    meant = {term: term for term in shared if term in there and term not in own}
    if absent and others:
        found = correlations(segment, absent, others)
        for row in np.argsort(-found.max(axis=1)):
            for column in np.argsort(-found[row], kind="stable")[:_EACH]:
                if found[row, column] >= LEAST:
                    meant.setdefault(others[column], absent[row])
    literal = there.intersection(shared, own)
    return [
        Mark(place.start, place.end, LITERAL, place.term)
        if place.term in literal
        else Mark(place.start, place.end, MEANING, meant[place.term])
        for place in places
        if place.term in literal or place.term in meant
    ]


def correlations(segment: SegmentReader, terms: Sequence[str], words: Sequence[str]) -> Vectors:
    """Correlate the impacts of terms over the documents of a segment's first chunk, up to 65,536.

    :param segment: The segment.
    :param terms: Terms as they stand in the index, t of them.
    :param words: Others, w of them.
    :return: float32 (t, w), from -1 to 1; 0 for a term that the segment lacks.
    :raises IndexFolderError: Postings are damaged.
    """
    every = list(dict.fromkeys([*terms, *words]))
    numbers = segment.lookup(every)
    segment.check(numbers[numbers >= 0])
    arrays = segment.arrays
    documents = min(segment.documents, 1 << arrays.chunk_bits)
    known = np.flatnonzero(numbers >= 0)
    rows, has = chunk_slices(arrays, numbers[known], 0)
    found = read(arrays, rows[has])
    numbered, values = known[has][found.rows], found.impacts.astype(np.float64)

    def mean(weights: Floats) -> Floats:
        result: Floats = np.bincount(numbered, weights, minlength=len(every)) / documents
        return result

    means = mean(values)
    spread = np.sqrt(np.maximum(mean(values**2) - means**2, 0))
    place = {term: number for number, term in enumerate(every)}
    first, second = [place[term] for term in terms], [place[word] for word in words]
    products = np.zeros((len(first), len(every)))
    for row, term in enumerate(first):
        own = numbered == term
        if own.any():
            impacts = np.zeros(documents)
            impacts[found.docs[own]] = values[own]
            products[row] = mean(values * impacts[found.docs])
    together = products[:, second] - np.outer(means[first], means[second])
    scale = np.outer(spread[first], spread[second])
    result: Vectors = np.divide(together, scale, out=np.zeros_like(together), where=scale > 0).astype(np.float32)
    return result
