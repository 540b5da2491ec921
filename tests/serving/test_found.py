"""Titles and excerpts: a part of the passage, with its marks in place."""

from hypothesis import example, given
from hypothesis import strategies as st

from sparseembed.data.metadata import Metadata
from sparseembed.retrieval.association import LITERAL, MEANING, Mark
from sparseembed.serving.found import excerpt, title_of

words = st.text(st.sampled_from("ab é.\n<"), min_size=1, max_size=12)


@st.composite
def passages(draw):
    """Draw a passage and marks of some of its words."""
    text, marks = draw(words), []
    for _ in range(draw(st.integers(0, 30))):
        text += draw(st.sampled_from([" ", ". ", "\n\n"]))
        word = draw(words)
        if draw(st.booleans()):
            kind = draw(st.sampled_from([LITERAL, MEANING]))
            marks.append(Mark(len(text), len(text) + len(word), kind, draw(st.sampled_from("xyz"))))
        text += word
    return text, marks


@given(passages(), st.integers(8, 80))
@example(("rivers.\n ", []), 8)
def test_an_excerpt_is_part_of_the_passage_and_marks_stay_in_place(passage, size):
    text, marks = passage
    part = excerpt(text, marks, size)
    assert part.text in text
    assert len(part.text) <= size
    assert part.cut_after or text.rstrip().endswith(part.text)
    assert part.cut_before or text.lstrip().startswith(part.text)
    known = {(text[mark.start : mark.end], mark.kind, mark.term) for mark in marks}
    for mark in part.marks:
        assert (part.text[mark.start : mark.end], mark.kind, mark.term) in known


def test_an_excerpt_has_the_most_different_terms():
    text = "Nothing here. One cat, one cat, one cat. Then a dog and a cat. " + "The end of it all. " * 20
    marks = [
        Mark(text.index(word, at), text.index(word, at) + 3, LITERAL, word)
        for word, at in (("cat", 0), ("cat", 25), ("cat", 33), ("dog", 0), ("cat", 50))
    ]
    part = excerpt(text, marks, 30)
    assert part.text == "Then a dog and a cat. The end"
    assert [(part.text[mark.start : mark.end]) for mark in part.marks] == ["dog", "cat"]
    assert (part.cut_before, part.cut_after) == (True, True)


def test_an_endless_sentence_is_cut_before_a_mark():
    text = "word " * 200 + "cat " + "word " * 200
    part = excerpt(text, [Mark(1000, 1003, LITERAL, "cat")], 60)
    assert "cat" in part.text
    [mark] = part.marks
    assert part.text[mark.start : mark.end] == "cat"


def test_the_title_before_a_text_is_no_cut():
    part = excerpt("random.choice Choose one.", [Mark(14, 20, MEANING, "pick")], 300, len("random.choice"))
    assert (part.text, part.cut_before, part.cut_after) == ("Choose one.", False, False)


def test_titles():
    assert title_of("d1", "Some text.", Metadata({"title": " A\ntitle "})) == "A title"
    assert title_of("random.choice", "random.choice Choose one.", Metadata()) == "random.choice"
    assert title_of("7", "The first sentence. The second.", Metadata({"title": 3})) == "The first sentence."
    assert title_of("7", " \n", Metadata()) == "7"
    long = title_of("7", "word " * 100, Metadata())
    assert long.endswith("word…")
    assert len(long) <= 112
