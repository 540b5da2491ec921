"""Words of texts, folded."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sparseembed.pseudo.folding import words_of


@given(st.text(st.characters(categories=("L", "M", "Nd", "Zs", "Po")), max_size=25))
def test_words_are_those_of_the_normal_form(text):
    assert words_of(text) == words_of(unicodedata.normalize("NFKC", text))


def test_a_long_row_of_marks_takes_linear_time():
    # To be put in their order, each pair of these marks would be compared: for hours.
    text = "e" + "\u0301\u0316" * 2_000_000 + "a"
    assert words_of(text) == ["é", "a"]


def test_rows_of_usual_length_are_left_alone():
    row = "\u0316" * 29 + "\u0301"
    assert words_of("e" + row) == ["é"]
