"""Sentence splitting against the plain rule, whose time grows with the square of a text's length."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libraries import faults

from sparseembed.pseudo import sentences
from sparseembed.pseudo.folding import squeeze
from sparseembed.pseudo.sentences import split_sentences

PLAIN_END = re.compile(r"(?:[.!?…؟۔।॥]+[\"'”’»)\]]*(?=\s)|[。！？｡]+[」』”’）]*)")


def plain(text):
    cased = any(map(str.isupper, text))
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        start = 0
        for end in PLAIN_END.finditer(paragraph):
            if plain_ends(paragraph[start : end.end()], paragraph[end.end() :].lstrip()[:2], cased):
                found.append(squeeze(paragraph[start : end.end()]))
                start = end.end()
        found.append(squeeze(paragraph[start:]))
    return [sentence for sentence in found if sentence]


def plain_ends(sentence, following, cased):
    if sentence[-1] in "。！？｡」』）":
        return True
    follower = following.lstrip(sentences._OPENING)[:1] or following[:1]
    if cased and follower.islower():
        return False
    if word := sentences._WORD_AND_STOP.fullmatch(sentence.rsplit(None, 1)[-1].lstrip(sentences._OPENING)):
        return word[1].lower() not in sentences._ABBREVIATIONS and not (len(word[1]) == 1 and word[1].isupper())
    return True


PIECES = [
    *".!?…؟। \n\t\"'”’»)](«“A1é",
    "\u2028",
    "\x1c",
    "\u3000",
    "word",
    "Dr.",
    "e.g.",
    "al.",
    "。",
    "」",
    "）",
    "J.",
]


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_the_same_sentences_as_by_the_plain_rule(text):
    assert split_sentences(text) == plain(text)


LONG = 200_000  # by the plain rule each of these takes minutes to hours


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("x" + "." * LONG, 1),
        ("." * LONG + ' "', 2),
        ("." * LONG + '"' * LONG + "x", 1),
        (".)" * LONG + "x", 1),
        ("e.g. " * LONG, 1),
        ("A b. " * LONG, LONG),
        ("a. " + " " * LONG + "b", 2),
        ("." + "\n" * LONG + ".", 2),
        ("\n " * LONG + "x", 1),
        ("a." * LONG + " B", 2),
        ("。" * LONG, 1),
        ("。」" * LONG, LONG),
        ("( " * LONG + "x", 1),
        ("x. " + "(" * LONG, 2),
        ("\r\x1c" * LONG, 0),
    ],
    ids=range(15),
)
def test_long_texts_of_few_kinds_of_characters(text, count):
    assert len(split_sentences(text)) == count


def test_sentences_of_several_languages():
    assert faults(split_sentences) == ["German", "German"]  # "z. B." and "3. Mai"
