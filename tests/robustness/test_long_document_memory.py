"""One document of megabytes: what is made of it does not take many times its own memory."""

import base64
import tracemalloc

import numpy as np
import pytest

from sparseembed.analyzers.registry import open_analyzer
from sparseembed.data.corpus import Document
from sparseembed.data.passages import Splitting
from sparseembed.pseudo.queries import sentence_pairs
from sparseembed.pseudo.query_like import first_sentence, query_like
from sparseembed.sparse.terms import WordSpace
from sparseembed.sparse.vocabulary import Vocabulary, WordCounter

SIZE = 100_000  # bytes
HAN = np.random.default_rng(1).integers(0x4E00, 0x9FA5, SIZE // 3).astype(np.uint32).tobytes().decode("utf-32-le")
WORDS = "The quick brown fox reads a book about whales while the river carries sand to the sea"
TEXTS = {
    "dots": "." * SIZE,
    "?!": "?!" * (SIZE // 2),
    "Han": HAN,
    "base64": base64.b64encode(np.random.default_rng(2).bytes(SIZE * 3 // 4)).decode(),
    "words": f"{WORDS} " * (SIZE // 86),
    "sentences": f"{WORDS}. " * (SIZE // 87),
    "emoji": "\U0001f600\u200d\U0001f525 " * (SIZE // 12),
}


@pytest.fixture(autouse=True)
def smaller_parts(monkeypatch):
    for module in ("analyzers.base", "pseudo.queries", "pseudo.query_like"):
        monkeypatch.setattr(f"sparseembed.{module}.PART", 1 << 15)
    monkeypatch.setattr("sparseembed.analyzers.words._PART", 1 << 15)


def peak_of(make, text):
    tracemalloc.start()
    try:
        made = make(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert made is not None
    return peak


def growth_of(make, text):
    """Return how much more memory is held at once for each byte more that a text has."""
    make(WORDS)  # what is made once, such as tables
    peaks = [peak_of(make, text * times) for times in (2, 3)]
    return (peaks[1] - peaks[0]) / len(text.encode())


def counted(text):
    with WordCounter(open_analyzer("lucene-english")) as counter:
        counter.add([text])
        return counter.finish()


def known(text):
    return WordSpace.of(Vocabulary(["fox"], ["fox"]), open_analyzer("lucene-english")).count([text])


WAYS = {
    "passages of sentences": Splitting.parse("sentences:128").spans,
    "passages of words": Splitting.parse("128/64").spans,
    "counting words": counted,
    "counting known terms": known,
    "sentences": lambda text: sentence_pairs([Document("1", "", text)], 10),
    "what looks like a query": lambda text: dict(query_like([Document("1", "", text)], first_sentence)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", TEXTS)
def test_a_long_text_takes_a_few_times_its_own_size(kind, way):
    assert growth_of(WAYS[way], TEXTS[kind]) < 16


@pytest.mark.parametrize(("name", "kind"), [("unicode", "words"), ("cjk", "Han")])
def test_words_in_their_context_are_held_once(name, kind):
    assert growth_of(open_analyzer(name).terms, TEXTS[kind]) < 16
