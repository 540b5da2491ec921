"""Texts as passages: no word is lost, the order stays, and sizes and strides are kept."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data.passages import LONGEST_WORD, Splitting, sentence_spans
from sparseembed.errors import ConfigError

WORDS = st.sampled_from(["a", "cat", "Dog.", "whale!", "x" * 30, "é", "river?", "…"])
SPACES = st.sampled_from([" ", "  ", "\n", "\n\n", "\t", "\u00a0"])
TEXTS = st.lists(st.tuples(WORDS, SPACES), max_size=60).map(
    lambda parts: "".join(word + space for word, space in parts)
)
SIZES = st.integers(1, 12).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size)))


def words_in(text, spans):
    """Give the places of the words that stand in passages."""
    found = set()
    for begin, end in spans:
        found |= {match.start() for match in re.finditer(r"\S+", text) if begin <= match.start() and match.end() <= end}
    return found


@given(TEXTS, SIZES)
def test_passages_of_words_are_those_of_a_plain_loop(text, sizes):
    size, stride = sizes
    found = Splitting.parse(f"{size}/{stride}").spans(text)
    words = [match.span() for match in re.finditer(r"\S+", text)]
    expected = []
    for first in range(0, len(words), stride):
        part = words[first : first + size]
        expected.append((part[0][0], part[-1][1]))
        if first + size >= len(words):
            break
    assert found == (expected if len(expected) > 1 else [(0, len(text))])


@given(TEXTS, SIZES)
def test_passages_of_sentences_lose_no_word_and_go_on(text, sizes):
    size, stride = sizes
    found = Splitting.parse(f"sentences:{size}/{stride}").spans(text)
    assert words_in(text, found) == {match.start() for match in re.finditer(r"\S+", text)}
    if len(found) > 1:
        for (begin, end), (after, later) in pairwise(found):
            assert begin < after
            assert end < later
        for begin, end in found:
            assert text[begin:end] == text[begin:end].strip()
            assert len(text[begin:end].split()) <= size


def test_a_sentence_is_not_torn_where_it_fits():
    text = "One two three. Four five six seven. Eight nine. Ten?  Eleven twelve thirteen fourteen fifteen sixteen."
    found = [text[begin:end] for begin, end in Splitting.parse("sentences:5").spans(text)]
    assert found == [
        "One two three.",
        "Four five six seven.",
        "Eight nine. Ten?",
        "Eleven twelve thirteen fourteen fifteen",
        "sixteen.",
    ]
    overlapping = [text[begin:end] for begin, end in Splitting.parse("sentences:7/4").spans(text)]
    assert overlapping == [
        "One two three. Four five six seven.",
        "Four five six seven. Eight nine. Ten?",
        "Ten?  Eleven twelve thirteen fourteen fifteen sixteen.",
    ]


@given(st.text(alphabet=st.sampled_from(" \n.!?。a漢"), max_size=80))
def test_sentences_are_the_whole_text(text):
    assert "".join(text[begin:end] for begin, end in sentence_spans(text)) == text


def test_scripts_without_spaces_and_endless_words_have_words_too():
    found = Splitting.parse("10").spans("漢字" * 20)
    assert [end - begin for begin, end in found] == [10, 10, 10, 10]
    endless = "A" * (LONGEST_WORD * 3 + 5)
    assert [end - begin for begin, end in Splitting.parse("2").spans(endless)] == [2 * LONGEST_WORD, LONGEST_WORD + 5]


@pytest.mark.parametrize("text", ["", "0", "128/0", "64/128", "words", "sentences", "sentences:", "-3", "1/2/3", "1.5"])
def test_what_is_no_splitting_is_refused(text):
    with pytest.raises(ConfigError):
        Splitting.parse(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [("auto", "auto"), ("off", "off"), ("128", "128/128"), ("128/64", "128/64"), ("sentences:90", "sentences:90/90")],
)
def test_a_splitting_has_one_form(text, form):
    assert str(Splitting.parse(text)) == form
    assert Splitting.parse(form) == Splitting.parse(text)
