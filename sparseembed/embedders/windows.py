"""Texts that are longer than an embedder takes, as passages of which each is embedded whole."""

from collections.abc import Callable, Sequence

from sparseembed.data.passages import SENTENCES, Span, Splitting, sentence_spans

_TAKEN = 8  # characters looked at for each one that fitted: a text is gone through in pieces, in linear time
_LEAST = 512
TOO_LONG = Splitting(SENTENCES, 128, 128)
"""How texts are split that an embedder would cut: of a longer passage's meaning, a sentence's is too small a part."""

_BACK = 4  # a passage may end earlier by this part of it where a sentence ends

Reach = Callable[[Sequence[str]], list[int | None]]
"""How many characters of texts an embedder takes; None for one that it takes whole."""


def fitting(text: str, splitting: Splitting, reach: Reach) -> list[Span]:
    """Split a text into passages of a size; what is still too long for the embedder is split again.

    :param text: The text.
    :param splitting: How it is split.
    :param reach: Of the embedder.
    """
    spans = splitting.spans(text)
    taken = reach([text[begin:end] for begin, end in spans])
    return [
        part
        for span, cut in zip(spans, taken, strict=True)
        for part in ([span] if cut is None else windows(text, *span, reach))
    ]


def windows(text: str, start: int, stop: int, reach: Reach) -> list[Span]:
    """Split a stretch of a text into passages that are embedded whole, none of them blank.

    A passage ends with a sentence where there is one in its last quarter, else with a word.

    :param text: The text.
    :param start: Where the stretch begins.
    :param stop: Where it ends.
    :param reach: Of the embedder.
    """
    spans: list[Span] = []
    size = _LEAST
    start, stop = _stripped(text, start, stop)
    while start < stop:
        last = min(start + size, stop)
        (fits,) = reach([text[start:last]])
        if fits is None and last < stop:
            size *= 2  # more may fit
            continue
        end = last
        if fits is not None:
            end = start + max(1, fits)
            size = max(_LEAST, min(size, _TAKEN * fits))
        if end < stop:
            end = _edge(text, max(start + 1, end - (end - start) // _BACK), end)
            (fits,) = reach([text[start:end].rstrip()])  # fewer characters may be more tokens
            end = end if fits is None else start + max(1, fits)
        spans.append(_stripped(text, start, end))
        start = _stripped(text, end, stop)[0]
    return spans


def _edge(text: str, first: int, last: int) -> int:
    """Return where a passage that must end at `last`, and not before `first`, is to end."""
    if text[last : last + 1].isspace():
        return last
    ends = [first + end for _, end in sentence_spans(text[first:last])][:-1]
    if ends:
        return ends[-1]
    for place in range(last - 1, first - 1, -1):
        if text[place].isspace():
            return place + 1
    return last


def _stripped(text: str, start: int, stop: int) -> Span:
    while start < stop and text[start].isspace():
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return start, stop
