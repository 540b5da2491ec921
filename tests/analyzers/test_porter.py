"""The stemmer against the examples of Porter's paper, and against Lucene's own on random words."""

import os
import random

import pytest

from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer
from sparseembed.analyzers.porter import stem

WORDS = int(os.environ.get("ENGLISH_WORDS", "100000"))
_ENDINGS = """
s ed ing y at bl iz ational tional enci anci izer bli alli entli eli ousli ization ation ator alism iveness fulness
ousness aliti iviti biliti logi icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent
ion sion tion ou ism ate iti ous ive ize e l ll ss zz eed sses ies es
"""
ENDINGS = _ENDINGS.split()
LETTERS = [*"aeiouy" * 4, *"bcdfghjklmnpqrstvwxyz", "é", "ß", "א", "中", "_", "0", "yy", "ll", "𝐚", "😀", "😀😀"]
# The paper's examples go through one step each; these are what all steps make of them, worked by hand.
_EXAMPLES = """
caresses caress ponies poni ties ti caress caress cats cat feed feed agreed agre plastered plaster bled bled motoring
motor sing sing conflated conflat troubled troubl sized size hopping hop tanned tan falling fall hissing hiss fizzed
fizz failing fail filing file happy happi sky sky relational relat conditional condit rational ration digitizer digit
radically radic vietnamization vietnam operator oper feudalism feudal decisiveness decis hopefulness hope callousness
callous formality formal sensitivity sensit sensibility sensibl triplicate triplic formative form formalize formal
electrical electr goodness good revival reviv allowance allow inference infer airliner airlin gyroscopic gyroscop
adjustable adjust defensible defens irritant irrit replacement replac adjustment adjust dependent depend adoption
adopt communism commun activate activ effective effect probate probat rate rate cease ceas controlling control roll
roll as as is is ion ion aed a possibly possibl apology apolog
"""
EXAMPLES = _EXAMPLES.split()


@pytest.mark.parametrize(("word", "expected"), list(zip(EXAMPLES[::2], EXAMPLES[1::2], strict=True)))
def test_examples(word, expected):
    assert stem(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("", ""), ("s", "s"), ("y", "y"), ("ss", "ss"), ("sss", "sss"), ("yyy", "yyi"), ("éed", "éed"), ("café", "café")],
)
def test_short_words_and_other_letters(word, expected):
    assert stem(word) == expected


def test_a_character_outside_the_basic_plane_counts_twice():
    assert stem("😀s") == "😀"  # three units, and words of two are left as they are
    assert stem("a😀😀ed") == "a😀😀"  # no unit stands there twice
    assert stem("aééed") == "aé"


@pytest.mark.jvm
def test_random_words_have_lucenes_stems():
    source, lucene = random.Random(WORDS), LuceneEnglishAnalyzer()

    def word():
        start = "".join(source.choices(LETTERS, k=source.randint(1, 6)))
        return start + "".join(source.choices(ENDINGS, k=source.randint(0, 3)))

    for _ in range(0, WORDS, 50_000):
        words = [word() for _ in range(50_000)]
        terms = lucene.terms_of(words)
        assert [stem(word) for word, term in zip(words, terms, strict=True) if term is not None] == [
            term for term in terms if term is not None
        ]
