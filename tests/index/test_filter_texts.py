"""Conditions as text: what they stand for, and what is told where they cannot be read."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.errors import ConfigError
from sparseembed.index.filters import ANYTHING, Between, Filter, Word, filters_of, parse_filter

W = Word


@pytest.mark.parametrize(
    ("text", "field", "operator", "value"),
    [
        ("year>=2019", "year", ">=", (W("2019"),)),
        (" year <= 3.5 ", "year", "<=", (W("3.5"),)),
        ("lang=de", "lang", "=", (W("de"),)),
        ("lang!=de", "lang", "!=", (W("de"),)),
        ("tag=a,b", "tag", "=", (W("a"), W("b"))),
        ("tag=a | b c|d", "tag", "=", (W("a"), W("b c"), W("d"))),
        ("year=2010..2015", "year", "=", (Between(W("2010"), W("2015")),)),
        ("year=2010..|..1990", "year", "=", (Between(W("2010"), None), Between(None, W("1990")))),
        ("day=2019-01-01 .. 2019-12-31", "day", "=", (Between(W("2019-01-01"), W("2019-12-31")),)),
        ('name="a, b|c"', "name", "=", ("a, b|c",)),
        (r'name="say \"x\" \u00e9"|y', "name", "=", ('say "x" é', W("y"))),
        ('name="a".."b, c",d', "name", "=", (Between("a", "b, c"), W("d"))),
        ('name="a..b"', "name", "=", ("a..b",)),
        ('year="2019"', "year", "=", ("2019",)),
        ('name=""', "name", "=", ("",)),
        ("doi=*", "doi", "=", (ANYTHING,)),
        ('doi!=*', "doi", "!=", (ANYTHING,)),
        ('star="*"', "star", "=", ("*",)),
        ('"odd = name">3', "odd = name", ">", (W("3"),)),
        ("author.name=A B", "author.name", "=", (W("A B"),)),
        ("url=http://x/?a=b&c!=d", "url", "=", (W("http://x/?a=b&c!=d"),)),
        ("day<2019-01-01", "day", "<", (W("2019-01-01"),)),
    ],
)  # fmt: skip
def test_what_conditions_stand_for(text, field, operator, value):
    found = parse_filter(text)
    assert (found.field, found.operator, found.value) == (field, operator, value)


@pytest.mark.parametrize(
    "text",
    ["", "year", "=3", " =3", "\n<3", "year=", "year==2019", "year=>2019", "a=b,", "a=b||c", 'a="b', 'a=b"c"', 'a="b"c',
     "a=..", 'a="\\x"', "a>1|2", "a>=", "!a", "a!b", '""', None, 7],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line(text):
    with pytest.raises(ConfigError) as caught:
        filters_of([text])
    assert "\n" not in str(caught.value)
    assert "filter" in str(caught.value)


_MANY = 200_000


@pytest.mark.parametrize(
    ("before", "repeated", "after", "read"),
    [
        ("a", " ", "b", False),
        ("", " ", "!", False),
        ("a", " ", "=b", True),
        ("a=b", " ", "c", True),
        ("a=b", " ", "..c", True),
        ("a=", ".", "", True),
        ("a", '\\"', "", False),
        ("a=", '"', "b", False),
        ('a="', '\\"', "", False),
        ('a="', " ", "b", False),
    ],
)  # fmt: skip
def test_a_long_condition_takes_one_look(before, repeated, after, read):
    """With steps that grow as the square of its length, each of these would take minutes."""
    text = before + repeated * _MANY + after
    if read:
        assert parse_filter(text).field == "a"
    else:
        with pytest.raises(ConfigError):
            parse_filter(text)


@pytest.mark.parametrize(
    ("word", "number"),
    [("3", 3), ("-3", -3), ("+3", 3), ("3.5", 3.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("007", 7),
     (str(2**70), 2**70), ("1e999", math.inf), ("-" + "9" * 400, -math.inf), ("x", None), ("1,5", None), ("nan", None),
     ("inf", None), ("1_000", None), ("٣", None), ("", None), ("-", None), ("2019-01-01", None), ("0x10", None)],
)  # fmt: skip
def test_words_that_read_as_numbers(word, number):
    found = Word(word).number()
    assert (found, type(found)) == (number, type(number))


@given(st.text(min_size=1).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)), st.text())
def test_quoted_text_is_taken_as_it_is(field, value):
    def quoted(text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    found = parse_filter(f"{quoted(field)}={quoted(value)}")
    assert found == Filter(field, "=", value)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        parse_filter(text)
    except ConfigError as error:
        told = str(error)
        assert "\n" not in told


def test_filters_in_python():
    assert Filter("year", "=", [1, 2]).value == (1, 2)
    assert Filter("year", "=", np.int64(3)).value == (3,)
    assert Filter("year", ">", 10**400).value == (math.inf,)
    assert filters_of("a=b") == filters_of([parse_filter("a=b")]) == (Filter("a", "=", Word("b")),)
    assert filters_of([]) == ()
    assert str(Filter("year", "=", [2019, "x", True, Between(1, None), ANYTHING])) == 'year=2019|"x"|true|1..|*'


@pytest.mark.parametrize(
    "parts",
    [("a", "~", 1), ("a", "=", []), ("a", "<", [1, 2]), ("a", "<", True), ("a", "<", ANYTHING), ("a", "=", None),
     ("a", "=", float("nan")), ("a", "=", b"x"), ("a", "=", Between(None, None)), ("a", "=", Between(1, True)),
     ("a", "=", {"b": 1}), (7, "=", 1), ("a", ">", Between(1, 2)), ("a", None, 1)],
)  # fmt: skip
def test_filters_that_make_no_condition_are_told(parts):
    with pytest.raises(ConfigError, match="filter") as caught:
        Filter(*parts)
    assert "\n" not in str(caught.value)
