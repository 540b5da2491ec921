"""Texts that an embedder would cut, as passages of which it takes each whole."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.data.passages import Splitting
from sparseembed.embedders.windows import fitting, windows

LIMIT = 24
WORDS = [
    "the",
    "cat",
    "photosynthesis",
    "x.",
    "漢字。",
    "river!",
    "a" * 90,
    "é?",
    "  ",
    "\n\n",
    ".......................",
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=70).map(" ".join)


@pytest.fixture(scope="module")
def reach(tiny_tokenizer):
    from sparseembed.embedders.prompts import Prompter

    prompter = Prompter(tiny_tokenizer, "Text: {text} In one word:")
    return lambda texts: prompter.reach(texts, LIMIT)


def covered(text, spans):
    places = set()
    for begin, end in spans:
        places |= set(range(begin, end))
    return {place for place, letter in enumerate(text) if not letter.isspace()} <= places


@given(TEXTS)
@settings(max_examples=150)
def test_windows_are_embedded_whole_and_lose_nothing(reach, text):
    spans = windows(text, 0, len(text), reach)
    assert covered(text, spans)
    assert all(text[begin:end].strip() for begin, end in spans)
    assert all(taken is None for taken in reach([text[begin:end] for begin, end in spans]))
    assert all(end <= after for (_, end), (after, _) in pairwise(spans))


def test_passages_of_a_size_are_split_where_the_embedder_cuts_them(reach):
    text = "the cat sat on the mat. " * 20
    spans = fitting(text, Splitting.parse("50"), reach)
    assert len(spans) > 3
    assert covered(text, spans)
    assert all(each is None for each in reach([text[begin:end] for begin, end in spans]))


def test_a_reach_is_where_the_embedder_cuts(tiny_embedder):
    embedder = tiny_embedder(max_length=LIMIT)
    text = "photosynthesis is how green plants make sugar from light, water and carbon dioxide. " * 3
    (taken,) = embedder.reach([text])
    assert 0 < taken < len(text)
    whole, part = embedder.encode([text, text[:taken]])
    assert (whole == part).all()
    assert embedder.encode_counted([text]).cut == 1
    assert embedder.reach(["short", ""]) == [None, None]
