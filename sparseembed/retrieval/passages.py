"""Which passage of a long document carried a hit."""

from collections.abc import Mapping

import numpy as np

from sparseembed.data.passages import Span, sentence_spans
from sparseembed.engines.base import Passage
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.sparse.literal import LiteralTerms


def find_passage(
    segment: SegmentReader, number: int, query: Mapping[str, int], literal: LiteralTerms
) -> Passage | None:
    """Find the passage of a document that the query's terms say most for.

    A term that stands in a passage counts for it with its impact. One that does not, but that its embedding brought,
    counts with what that adds to the impact. The fewer passages a term counts for, the more it says which one it is:
    each is weighed by the logarithm of one in how many it counts for. Of equal passages that counts which brought more,
    then the first.

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
    tells = np.log1p(len(counted) / np.maximum((counted > 0).sum(axis=0), 1))
    best = int(np.lexsort((-brought.sum(axis=1), -np.round(counted @ tells, 6)))[0])
    begin, end = passages.spans[best].tolist()
    worth = dict(zip(terms, (weights * impacts[has]).tolist(), strict=True))
    focus = begin + _focus(text[begin:end], worth, literal)
    return Passage(best + 1, len(scores), begin, end, text[begin:end], focus, int(scores[best]))


def _focus(passage: str, worth: Mapping[str, int], literal: LiteralTerms) -> int:
    """Return where the sentence of a passage begins whose terms are worth most; of equal ones the first."""

    def value(span: Span) -> int:
        return sum(worth[term] for term in worth.keys() & set(literal.of(passage[slice(*span)])))

    return max(sentence_spans(passage), key=value)[0]
