"""Lucene's English analysis in Python: what is known by hand, and what must hold for every text."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.analyzers import english, words
from sparseembed.analyzers.english import EnglishAnalyzer
from sparseembed.analyzers.words import find_words

PIECES = [
    "The",
    "it's",
    "foxes’",
    "1,000.5",
    "e\u0301",
    "👩‍👩‍👧",
    "漢字",
    "カナ",
    "ไทย",
    'מ"ם',
    "İs",
    "ΟΔΟΣ",
    "_",
    "x" * 130,
]
TEXTS = st.text() | st.lists(st.sampled_from([*PIECES, " ", "'", ".", "\u200d", "\ud83d", "\ude00"])).map("".join)


@pytest.fixture
def ours():
    return EnglishAnalyzer()


def test_english_by_hand(ours):
    assert ours.terms("The quick foxes of Bob's, running!") == ["quick", "fox", "bob", "run"]
    assert ours.surfaces("The quick foxes of Bob's!") == ["The", "quick", "foxes", "of", "Bob's"]
    assert ours.terms_of(["The", "Bob's", "the's", "Running", "BOB\uff07S"]) == [None, "bob", None, "run", "bob"]
    assert [ours.term_of(surface) for surface in ("Foxes", "of", "")] == ["fox", None, None]
    assert ours.name == "lucene-english"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("U.S.A. can't a..b a:b it''s", ["U.S.A", "can't", "a", "b", "a:b", "it", "s"]),
        ("1,000.5 3.x x.3 1:2 4th", ["1,000.5", "3", "x", "x", "3", "1", "2", "4th"]),
        ("_a_b_ __ _1_ a_.b", ["_a_b_", "_1_", "a_", "b"]),
        ("don’t l’été", ["don’t", "l’été"]),
        ("東京 とう トウキョウ ไทยแลนด์ 서울", ["東", "京", "と", "う", "トウキョウ", "ไทยแลนด์", "서울"]),
        ("צה\"ל ג'", ["צה\"ל", "ג'"]),
        ("👩‍👩‍👧 ❤\ufe0f 🇫🇷🇩🇪🇫 #\ufe0f\u20e3 # 👍🏽", ["👩‍👩‍👧", "❤\ufe0f", "🇫🇷", "🇩🇪", "#\ufe0f\u20e3", "👍🏽"]),
        ("3\u202f000 a\u200db \ufeff \0x", ["3\u202f000", "a\u200db", "x"]),
    ],
)  # fmt: skip
def test_words_by_hand(text, words):
    assert find_words(text) == words


def test_a_word_has_at_most_255_utf_16_units():
    assert list(map(len, find_words("a" * 600))) == [255, 255, 90]
    assert list(map(len, find_words("é" * 600))) == [255, 255, 90]
    assert list(map(len, find_words("𝐚" * 300))) == [127, 127, 46]
    assert find_words("a" * 254 + "𝐚b") == ["a" * 254, "𝐚b"]
    assert find_words("_" * 300 + "a") == ["_" * 254 + "a"]


def test_surrogates(ours):
    assert ours.terms("fox\ud800run") == ours.terms("fox\ufffdrun") == ["fox", "run"]
    assert ours.surfaces("\ud83d\ude00") == ["😀"]  # Java reads the two as one character


@pytest.mark.parametrize(
    ("surface", "term"),
    [("İSTANBUL", "istanbul"), ("ΟΔΟΣ", "οδοσ"), ("İs", None), ("\u212aING", "king"), ("ＡＢ", "ａｂ"), ("𐐀", "𐐨")],
)
def test_case_is_lowered_character_by_character(ours, surface, term):
    assert ours.term_of(surface) == term


@given(TEXTS)
def test_the_terms_are_those_of_the_surfaces(text):
    ours = EnglishAnalyzer()
    surfaces = ours.surfaces(text)
    assert ours.terms(text) == [term for term in map(ours.term_of, surfaces) if term is not None]
    assert ours.terms_of(surfaces) == list(map(ours.term_of, surfaces))


@given(TEXTS)
def test_words_stand_in_the_text_and_are_whole(text):
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    place = 0
    for word in find_words(text):
        assert 0 < len(word.encode("utf-16-le")) <= 2 * 255
        place = text.index(word, place) + len(word)


@given(st.text(st.characters(codec="ascii")))
def test_ascii_has_the_words_that_it_has_beside_other_scripts(text):
    assert find_words(text + " é") == [*find_words(text), "é"]


@given(st.lists(TEXTS | st.text("漢字かな \u3099\u0301a.'\t\u200d😀", max_size=12), max_size=20).map("".join))
def test_words_of_a_long_text_are_those_that_it_has_as_a_whole(text):
    with pytest.MonkeyPatch.context() as patch:
        whole = find_words(text)
        patch.setattr(words, "_PART", 5)
        assert find_words(text) == whole


@pytest.mark.parametrize("code", [0xD800, 0xE000, 0xFFFF, 0xE0001, 0xF0000, 0x10FFFF])
def test_a_long_text_may_hold_any_character_at_its_edges(code):
    text = "word " * 20_000 + chr(code) + " end"
    assert find_words(text)[-2:] == ["word", "end"]


@pytest.mark.parametrize(
    "row", ["_", "_\u0301", "\u200d", "a", "a.", "é", "😀", "😀\ufe0f\u200d", 'א"', "🇫", "#\u20e3", "Ⓜ"]
)
def test_long_rows_take_linear_time(row):
    for text in (row * 50_000, row * 50_000 + " é"):
        assert len(set(find_words(text))) <= 4  # would take hours if each character began a search to the end


def test_a_full_cache_starts_anew(monkeypatch):
    monkeypatch.setattr(english, "_CACHE_LIMIT", 3)
    ours = EnglishAnalyzer()
    text = "cats and dogs and cows and mice ran"
    assert ours.terms(text) == ours.terms(text) == ["cat", "dog", "cow", "mice", "ran"]
    assert len(ours._term_of) <= 3


def test_threads_share_an_analyzer(monkeypatch):
    monkeypatch.setattr(english, "_CACHE_LIMIT", 50)
    ours = EnglishAnalyzer()
    texts = [" ".join(f"running{place + shift}" for place in range(100)) for shift in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ours.terms, texts)) == [EnglishAnalyzer().terms(text) for text in texts]


def test_an_analyzer_can_be_sent_to_another_process(ours):
    ours.terms("foxes")
    assert pickle.loads(pickle.dumps(ours)).terms("Foxes the") == ["fox"]


def test_neither_java_nor_heavy_modules_are_loaded():
    program = (
        "import sys; from sparseembed.analyzers.english import EnglishAnalyzer; EnglishAnalyzer().terms('foxes é');"
        "print(sorted({'jnius', 'torch', 'numpy', 'nltk'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
