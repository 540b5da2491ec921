"""Rows of combining marks are cut as UAX #15 says, and nothing else is changed."""

from unicodedata import combining, normalize

from hypothesis import given
from hypothesis import strategies as st

from sparseembed.analyzers.registry import open_analyzer
from sparseembed.pseudo.folding import words_of
from sparseembed.text import stream_safe

MARKS = st.text(st.sampled_from("\u0301\u0327\u0345\u05b0\u0e38"), max_size=70)


def plainly(text):
    kept, row = [], 0
    for character in text:
        row = row + 1 if combining(character) else 0
        if row <= 30:
            kept.append(character)
    return "".join(kept)


@given(st.lists(st.tuples(st.text(max_size=5), MARKS), max_size=4).map(lambda parts: "".join(map("".join, parts))))
def test_rows_of_marks_are_cut(text):
    assert stream_safe(text) == plainly(text)
    assert stream_safe(stream_safe(text)) == stream_safe(text)


@given(st.text(st.characters(max_codepoint=0x36F), max_size=200))
def test_usual_texts_stay(text):
    if plainly(text) == text:
        assert stream_safe(text) == text


def test_long_rows_end():
    """In the square of their length these would take hours."""
    text = "a" + "\u0301\u0327" * 1_000_000
    cut = "a" + "\u0301\u0327" * 15
    assert words_of(text) == words_of(cut)
    for name in ("lucene-english", "lucene-german", "unicode", "cjk"):
        assert open_analyzer(name).terms(text) == open_analyzer(name).terms(cut)
    assert normalize("NFC", stream_safe(text)) == normalize("NFC", cut)
