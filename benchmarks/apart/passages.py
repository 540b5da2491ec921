"""Passages of documents, and how the aligned terms of a document's passages become the document's."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.decoding import Aligned
from sparseembed.data.corpus import Corpus, Document
from sparseembed.pseudo.sentences import split_sentences


class Passages(NamedTuple):
    """The texts that documents are encoded as.

    :param texts: The passages, those of one document together; a document has at least one.
    :param starts: Where each document's begin; shape (N,), strictly increasing from 0.
    """

    texts: list[str]
    starts: npt.NDArray[np.int64]


def cut(corpus: Corpus, words: int) -> Passages:
    """Cut documents into passages of whole sentences, each with the document's title in front.

    :param corpus: The documents.
    :param words: Words of a passage, at most, unless one sentence has more; 0 leaves documents whole.
    """
    texts: list[str] = []
    starts = []
    for document in corpus:
        starts.append(len(texts))
        texts += [document.contents] if words == 0 else _of(document, words)
    return Passages(texts, np.asarray(starts, dtype=np.int64))


def _of(document: Document, words: int) -> list[str]:
    parts: list[list[str]] = []
    room = 0
    for sentence in split_sentences(document.text):
        size = len(sentence.split())
        if not parts or size > room:
            parts.append([])
            room = words
        parts[-1].append(sentence)
        room -= size
    bodies = [" ".join(part) for part in parts]
    if len(bodies) < 2:
        return [document.contents]
    return [Document(document.id, document.title, body).contents for body in bodies]


def best_of(aligned: Aligned, starts: Sequence[int] | npt.NDArray[np.int64], k: int) -> Aligned:
    """Return documents' aligned terms from those of their passages: each term with its best passage's score.

    :param aligned: Of the passages, P rows.
    :param starts: Where each document's passages begin, shape (N,).
    :param k: Terms of a document; at most as many as a passage has.
    :return: N rows, best first, equal scores by term.
    """
    ends = [*starts[1:], len(aligned.terms)]
    terms = np.empty((len(ends), k), dtype=np.int32)
    scores = np.empty((len(ends), k), dtype=np.float32)
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        of_terms, of_scores = aligned.terms[start:end].ravel(), aligned.scores[start:end].ravel()
        order = np.lexsort((of_terms, -of_scores))
        _, firsts = np.unique(of_terms[order], return_index=True)
        kept = order[np.sort(firsts)[:k]]
        terms[row], scores[row] = of_terms[kept], of_scores[kept]
    return Aligned(terms, scores)
