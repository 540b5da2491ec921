"""Words of texts as numbers: case, white space and punctuation folded, so that texts can be compared."""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Ints
from sparseembed.text import UNSPACED, stream_safe

_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}_]+")


def words_of(text: str) -> list[str]:
    """Split a text into words, with case and punctuation folded.

    :param text: Any text.
    :return: Its runs of letters and digits, case-folded; each character of a script without spaces is a word.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", stream_safe(text))
    return _WORD.findall(text.casefold())


def squeeze(text: str) -> str:
    """Fold white space.

    :param text: Any text.
    :return: The text with every run of white space as one space, stripped.
    """
    return " ".join(text.split())


class WordTable(NamedTuple):
    """The words of n texts, as numbers.

    :param vocabulary: Word -> its number, in the order of first appearance.
    :param ids: The words of all texts, one text after the other, shape (total,).
    :param starts: Where each text starts in `ids`, and the end of the last, shape (n + 1,).
    """

    vocabulary: dict[str, int]
    ids: npt.NDArray[np.int32]
    starts: Ints

    @classmethod
    def of(cls, texts: Iterable[str]) -> "WordTable":
        """Number the words of texts.

        :param texts: The texts, n of them; read once, not kept.
        :return: The table.
        """
        vocabulary: dict[str, int] = {}
        lengths, parts = [0], [np.zeros(0, dtype=np.int32)]
        for text in texts:
            words = words_of(text)
            numbers = (vocabulary.setdefault(word, len(vocabulary)) for word in words)
            parts.append(np.fromiter(numbers, np.int32, len(words)))
            lengths.append(len(words))
        return cls(vocabulary, np.concatenate(parts), np.cumsum(lengths, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def text(self, number: int) -> npt.NDArray[np.int32]:
        """Give the words of one text.

        :param number: The text's number, from 0.
        :return: Its words' numbers, in order, shape (length,).
        """
        return self.ids[self.starts[number] : self.starts[number + 1]]
