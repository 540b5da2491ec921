"""Texts that look like queries, made of documents: titles and sentences in turn."""

import re
from collections.abc import Callable, Iterable, Iterator

from sparseembed.data.corpus import Document
from sparseembed.pseudo.sentences import split_sentences
from sparseembed.text import PART

WORDS = 32
"""Words of such a text, at most."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？｡])|\n\s*\n")


def query_like(documents: Iterable[Document], sentence: Callable[[int, str], str]) -> Iterator[tuple[str, str]]:
    """Make texts that look like queries, at most one a document.

    Of every other document it is the title, of the rest (and where there is no title) a sentence.

    :param documents: The documents.
    :param sentence: Takes a document's number and text, and gives a sentence; "" where there is none.
    :return: Document ids and texts, none of them blank.
    """
    for number, document in enumerate(documents):
        title, found = document.title.strip(), sentence(number, document.text)
        chosen = (title or found) if number % 2 == 0 else (found or title)
        text = " ".join(chosen[:PART].split()[:WORDS])
        if text:
            yield document.id, text


def first_sentence(number: int, text: str) -> str:
    """Return the first sentence of a text, whatever the document's number."""
    return _SENTENCE_END.split(text.strip(), maxsplit=1)[0]


def any_sentence(number: int, text: str) -> str:
    """Return a sentence of a text: the first, the second and so on, as the documents' numbers rise."""
    sentences = split_sentences(text)
    return sentences[number // 2 % len(sentences)] if sentences else ""
