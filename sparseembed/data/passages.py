"""A text as passages: runs of words, or of whole sentences up to a length, that may overlap."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Self

from sparseembed.errors import ConfigError
from sparseembed.text import UNSPACED

AUTO, OFF, SENTENCES = "auto", "off", "sentences"
LONGEST_WORD = 64
"""Characters that count as one word at most: a line of base64 is many."""

_WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]{{1,{LONGEST_WORD}}}")
# Each alternative begins where a run of white space does, or ends at once: no character is looked at twice.
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n[^\S\n]*\n")
_FORM = re.compile(r"(?:(sentences):)?([1-9]\d{0,5})(?:/([1-9]\d{0,5}))?")

Span = tuple[int, int]
"""Where a passage begins in its text and where it ends, in characters."""


@dataclass(frozen=True)
class Splitting:
    """How texts are split.

    :param unit: `words`; `sentences`, passages of whole sentences; `auto`, texts that an embedder would cut, and only
        these, into what it takes; or `off`.
    :param size: Words of a passage at most.
    :param stride: Words from the beginning of one passage to that of the next, at most `size`.
    """

    unit: str
    size: int = 0
    stride: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `off`, `auto`, `WORDS`, `WORDS/STRIDE`, or one of these after `sentences:`.

        :raises ConfigError: It is something else, or the stride is larger than a passage, so that words would be lost.
        """
        if text in (AUTO, OFF):
            return cls(text)
        found = _FORM.fullmatch(text)
        if found is None:
            raise ConfigError(
                f"passages must be {AUTO}, {OFF}, WORDS/STRIDE such as 128/64, or sentences:WORDS, not {text!r}"
            )
        size = int(found[2])
        stride = int(found[3] or size)
        if stride > size:
            raise ConfigError(f"passages {text}: a stride of more than {size} words would leave words out")
        return cls(found[1] or "words", size, stride)

    def __str__(self) -> str:
        if self.unit in (AUTO, OFF):
            return self.unit
        return ("sentences:" if self.unit == SENTENCES else "") + f"{self.size}/{self.stride}"

    @property
    def sized(self) -> bool:
        """Whether passages have a size of their own, whatever an embedder takes."""
        return self.size > 0

    def spans(self, text: str) -> list[Span]:
        """Split a text.

        :param text: Any text.
        :return: Its passages in order: each word stands in one, and none begins or ends with white space. One, the
            whole text, where it is no longer than a passage, and for a splitting without a size.
        """
        if not self.sized:
            return [(0, len(text))]
        window: deque[tuple[int, int, int]] = deque()
        passages: list[Span] = []
        words = 0  # of the window
        for unit in _units(text, self.unit, self.size):
            if window and words + unit[2] > self.size:
                passages.append((window[0][0], window[-1][1]))
                gone = 0
                # At least what makes room goes, so that each passage has something that no former one has.
                while window and (gone + window[0][2] <= self.stride or not gone or words + unit[2] > self.size):
                    gone += window[0][2]
                    words -= window.popleft()[2]
            window.append(unit)
            words += unit[2]
        if window:
            passages.append((window[0][0], window[-1][1]))
        return passages if len(passages) > 1 else [(0, len(text))]


def sentence_spans(text: str) -> Iterator[Span]:
    """Yield where sentences begin and end: behind a full stop and the like, or at an empty line; in linear time.

    :param text: Any text; together the spans are all of it.
    """
    ends = (found.end() for found in _SENTENCE_END.finditer(text) if found.end() < len(text))
    yield from pairwise(chain([0], ends, [len(text)]))


def _units(text: str, unit: str, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield begin, end and words of what is never split: words, or sentences; of long ones, as many words as fit."""
    if unit != SENTENCES:
        for found in _WORD.finditer(text):
            yield found.start(), found.end(), 1
        return
    for begin, end in sentence_spans(text):
        words = _WORD.finditer(text, begin, end)
        while part := list(islice(words, size)):
            yield part[0].start(), part[-1].end(), len(part)
