"""Which passage of a long document carried a hit."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from sparseembed.data.passages import Span, sentence_spans
from sparseembed.engines.base import Hit, Passage
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.sparse.literal import LiteralTerms

Locate = Callable[[str], Passage | None]
"""Finds the passage of a document, by its id, for one query."""


class LocatedHit(Hit):
    """A hit whose passage is looked for when it is first asked for. It equals a `Hit` of the same values."""

    _locate: Locate

    @classmethod
    def of(cls, hit: Hit, locate: Locate) -> "LocatedHit":
        """Return a hit that knows how to find its passage."""
        located = cls(*hit)
        located._locate = locate
        return located

    def _replace(self, **changes: Any) -> "LocatedHit":
        return LocatedHit.of(Hit(*self)._replace(**changes), self._locate)

    def __reduce__(self) -> tuple[type[Hit], tuple[str, float, int]]:
        return Hit, (self.id, self.score, self.rank)  # an open index cannot go to another process

    @cached_property
    def passage(self) -> Passage | None:
        """The passage that carried it; None where the document is one passage."""
        return self._locate(self.id)


def find_passage(
    segment: SegmentReader, number: int, query: Mapping[str, int], literal: LiteralTerms
) -> Passage | None:
    """Find the passage of a document that the query's terms say most for.

    A term that stands in a passage counts for it with its impact. One that does not, but that its embedding brought,
    counts with what that adds to the impact. Of equal passages that counts which brought more, then the first.

    :param segment: The segment that holds the document.
    :param number: The document's number there.
    :param query: Term -> weight.
    :param literal: Finds the terms that stand in a text.
    :return: The passage; None where the document is one.
    :raises IndexFolderError: What is stored of it is damaged.
    """
    passages = segment.passages(number)
    if passages is None:
        return None
    text = segment.text(number)
    impacts = np.asarray(segment.impacts(number, list(query)), dtype=np.int64)
    has = impacts > 0
    terms = [term for term, there in zip(query, has.tolist(), strict=True) if there]
    weights = np.asarray(list(query.values()), dtype=np.int64)[has]
    found = passages.find(terms)
    brought = np.zeros((len(passages.spans), len(terms)), dtype=np.int64)
    known = np.flatnonzero(found.passages >= 0)
    brought[found.passages[known], known] = (weights * found.impacts)[known]
    counted = brought.copy()
    column = {term: number for number, term in enumerate(terms)}
    for place, (begin, end) in enumerate(passages.spans.tolist()):
        there = [column[term] for term in column.keys() & set(literal.of(text[begin:end]))]
        counted[place, there] = (weights * impacts[has])[there]
    scores = counted.sum(axis=1)
    best = int(np.lexsort((-brought.sum(axis=1), -scores))[0])
    begin, end = passages.spans[best].tolist()
    worth = dict(zip(terms, (weights * impacts[has]).tolist(), strict=True))
    focus = begin + _focus(text[begin:end], worth, literal)
    return Passage(best + 1, len(scores), begin, end, text[begin:end], focus, int(scores[best]))


def _focus(passage: str, worth: Mapping[str, int], literal: LiteralTerms) -> int:
    """Return where the sentence of a passage begins whose terms are worth most; the first of equals."""

    def value(span: Span) -> int:
        return sum(worth[term] for term in worth.keys() & set(literal.of(passage[slice(*span)])))

    return max(sentence_spans(passage), key=value)[0]
