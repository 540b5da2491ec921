"""Hits with what people and agents are shown of them: a title, an excerpt of the passage, and why."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sparseembed.data.metadata import Metadata
from sparseembed.data.passages import sentence_spans
from sparseembed.retrieval.association import Mark

if TYPE_CHECKING:
    from sparseembed.index.filters import FilterLike
    from sparseembed.retrieval.insight import Shown
    from sparseembed.retrieval.searcher import Searcher

TITLE = "title"
"""The field of metadata that titles stand in."""

_LONGEST_TITLE = 110


class Found(NamedTuple):
    """A hit and what is to be shown of it."""

    rank: int
    id: str
    score: float
    title: str
    metadata: Metadata
    shown: "Shown"


class Excerpt(NamedTuple):
    """Part of a passage.

    :param text: The part.
    :param marks: Those within it, with places in the part.
    :param cut_before: Whether the passage goes on before it.
    :param cut_after: Whether it goes on behind it.
    """

    text: str
    marks: list[Mark]
    cut_before: bool
    cut_after: bool


def find(searcher: "Searcher", query: str, k: int, filter: "FilterLike | None" = None) -> list[Found]:
    """Search, and look up what is to be shown of the hits.

    :param searcher: A searcher that stays on one commit.
    :param query: The query.
    :param k: Hits wanted.
    :param filter: As in `Searcher.search`.
    :raises SparseEmbedError: As `Searcher.search`.
    """
    hits = searcher.search(query, k, filter)
    shown = searcher.insight.show(query, [hit.id for hit in hits], filter) if hits else []
    return [
        Found(hit.rank, hit.id, hit.score, title_of(hit.id, each.text, hit.metadata), hit.metadata, each)
        for hit, each in zip(hits, shown, strict=True)
    ]


def title_of(doc_id: str, text: str, metadata: Metadata) -> str:
    """Return what a document is called: its title where its metadata has one, else its id or its first sentence.

    :param doc_id: Its id, which is its name where the text begins with it.
    :param text: Its text; title and text of a record are one in an index.
    :param metadata: Its metadata.
    """
    given = metadata.get(TITLE)
    if isinstance(given, str) and given.strip():
        return _short(given)
    if not text.strip() or text.startswith(doc_id):
        return doc_id
    line = text.strip().splitlines()[0]
    begin, end = next(iter(sentence_spans(line)))
    return _short(line[begin:end])


def excerpt(passage: str, marks: Sequence[Mark], size: int, start: int = 0) -> Excerpt:
    """Cut a passage to the part that has the most of what made it match.

    Of all parts that begin with a sentence, that one is taken whose marks stand for the most different terms; of equal
    ones that with more marks, then the first.

    :param passage: The passage.
    :param marks: Its marks, in order.
    :param size: Characters wanted, about.
    :param start: Where it may begin.
    """
    starts = [mark.start for mark in marks]

    def within(begin: int) -> Sequence[Mark]:
        return marks[bisect_left(starts, begin) : bisect_left(starts, begin + size)]

    def worth(begin: int) -> tuple[int, int]:
        return len({mark.term for mark in within(begin)}), len(within(begin))

    if len(passage) - start <= size:
        begin = start
    else:
        begins = [max(begin, start) for begin, end in sentence_spans(passage) if end > start]
        begin = max(begins, key=worth)
    begin += len(passage[begin:]) - len(passage[begin:].lstrip())
    if not _room(passage, marks, begin, size):  # one endless sentence
        begin = max(begin, next((at for at in starts if at >= begin), begin) - size // 4)
        begin = passage.find(" ", begin, begin + 40) + 1 or begin
    end = _end(passage, begin, size)
    inside = [
        mark._replace(start=mark.start - begin, end=mark.end - begin)
        for mark in marks
        if begin <= mark.start and mark.end <= end
    ]
    return Excerpt(passage[begin:end], inside, bool(passage[start:begin].strip()), end < len(passage.rstrip()))


def _room(passage: str, marks: Sequence[Mark], begin: int, size: int) -> bool:
    """Tell whether a part shows a mark, where the passage has any behind its beginning."""
    behind = [mark for mark in marks if mark.start >= begin]
    return not behind or behind[0].end <= begin + size


def _end(passage: str, begin: int, size: int) -> int:
    """Return where a part of about some size ends: between words where that can be."""
    end, last = begin + size, len(passage.rstrip())
    if end >= last:
        return last
    space = passage.rfind(" ", begin + size // 2, end)
    return space if space > 0 else end


def _short(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= _LONGEST_TITLE:
        return line
    return line[:_LONGEST_TITLE].rsplit(" ", 1)[0] + "…"
