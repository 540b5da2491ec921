"""English analysis in Python against Lucene's: equal for texts of all scripts, and for each code point of some planes.

ENGLISH_TEXTS sets the number of random texts (3,000 by default): ENGLISH_TEXTS=100000 takes about a minute.
"""

import os
import random
from itertools import groupby, islice, product

import pytest

from sparseembed.analyzers.english import EnglishAnalyzer
from sparseembed.analyzers.english_tables import RUNS
from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer

pytestmark = pytest.mark.jvm

TEXTS = int(os.environ.get("ENGLISH_TEXTS", "3000"))
CLASSES = "".join(run[0] * int(run[1:]) for run in RUNS.split())
MEMBERS = {
    letter: [code for code, other in enumerate(CLASSES) if other == letter] for letter in sorted(set(CLASSES))
}  # fmt: skip
COMMON = [
    "The ",
    "'s",
    "’S",
    "ing",
    "ies",
    "ational",
    "s ",
    "ed ",
    " ",
    "\n",
    ". ",
    "\ud83d",
    "\ude00",
    "İ",
    "Σ",
    "Straße",
]


@pytest.fixture(scope="module")
def oracle():
    return LuceneEnglishAnalyzer()


@pytest.fixture(scope="module")
def ours():
    return EnglishAnalyzer()


def random_piece(source):
    """A character of any class, each class as often as the others; or something common; or any code point."""
    kind = source.random()
    if kind < 0.6:
        return chr(source.choice(MEMBERS[source.choice(list(MEMBERS))]))
    if kind < 0.75:
        return source.choice(COMMON)
    return chr(source.randrange(128 if kind < 0.9 else 0x110000))


def random_text(source):
    """A short text of many characters or of few; or a long one with rows of the same character."""
    few = [random_piece(source) for _ in range(source.randint(1, 7))]
    kind = source.random()
    if kind < 0.05:
        return "".join(source.choice(few) * source.choice([1, 1, 2, 50, 120, 250]) for _ in range(15))
    pieces = (source.choice(few) if kind < 0.5 else random_piece(source) for _ in range(source.randint(0, 40)))
    return "".join(pieces)


def test_random_texts_of_all_scripts(oracle, ours):
    source = random.Random(TEXTS)
    for _ in range(TEXTS):
        text = random_text(source)
        assert ours.surfaces(text) == oracle.surfaces(text), ascii(text)
        assert ours.terms(text) == oracle.terms(text), ascii(text)


def test_each_code_point_between_letters_and_by_itself(oracle, ours):
    astral = [code for code, letter in enumerate(CLASSES) if code > 0xFFFF and letter not in "OI"]
    codes = map(chr, [*range(0xD800), *range(0xE000, 0x10000), *astral, *range(0x10000, 0x110000, 31)])
    while block := list(islice(codes, 50_000)):
        text = "\n".join(f"x{code}Xed{code}\n{code}X's{code}1" for code in block)
        assert ours.surfaces(text) == oracle.surfaces(text)
        assert ours.terms(text) == oracle.terms(text)


@pytest.mark.parametrize(
    ("letters", "length"),
    [("".join(MEMBERS), 3), ("CDMVzgGkL", 5), ("LHNEKsqmcpx", 5), ("HLNsqE", 6), ("CMVzgG", 6), ("bkVzxL", 5)],
)
def test_every_short_text_of_these_classes(oracle, ours, letters, length):
    characters = [chr(MEMBERS[letter][0]) for letter in letters]
    texts = map("".join, product(characters, repeat=length))
    while block := list(islice(texts, 50_000)):
        text = "\n".join(block)
        assert ours.surfaces(text) == oracle.surfaces(text)


def test_real_text_with_typographic_marks(oracle, ours):
    text = "“Don’t—ever—say ‘it’s over’,” she said… naïvely; the émigrés’ cafés cost €3.50 (or £2,90)… №5 ½ x² ﬁne"
    assert ours.terms(text) == oracle.terms(text)
    assert ours.surfaces(text) == oracle.surfaces(text)


def test_words_of_about_255_units(oracle, ours):
    for ending in ("b", "é", "𝐚", "𝐚𝐚", "'b", "..", "\u0301", "Ⓜ\u200d😀", "_"):
        for length in range(250, 258):
            text = "a" * length + ending + "cd " + "𝐚" * (length // 2) + ending
            assert ours.surfaces(text) == oracle.surfaces(text)
            assert ours.terms(text) == oracle.terms(text)


def test_terms_of_tokens(oracle, ours):
    source = random.Random(1)
    surfaces = [surface for _ in range(500) for surface in oracle.surfaces(random_text(source))]
    assert ours.terms_of(surfaces) == oracle.terms_of(surfaces)


def test_the_table_has_no_run_twice():
    assert [run[0] for run in RUNS.split()] == [letter for letter, _ in groupby(CLASSES)]
