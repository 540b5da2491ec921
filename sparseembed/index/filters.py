"""Conditions on documents' metadata, in Python and as text: `year>=2019`, `lang=de|fr`, `year=2010..2015`."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sparseembed.data.metadata import Scalar
from sparseembed.errors import ConfigError
from sparseembed.index.keys import KINDS, LONGEST, NUMBER, TEXT, after, key_of
from sparseembed.text import clean_text, shown

OPERATORS = ("!=", "<=", ">=", "=", "<", ">")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_QUOTE = re.compile(_QUOTED, re.DOTALL)
# Each alternative ends where an operator begins, so that no text of any length takes more than one look at it.
_CONDITION = re.compile(rf'({_QUOTED}\s*|[^"=!<>][^=!<>]*)(!=|<=|>=|=|<|>)\s*(.*)', re.DOTALL)
_WORD = re.compile(rf'((?:{_QUOTED}|[^",|])*)(?:([,|])|$)', re.DOTALL)
_DOTS = ".."
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DIGITS = 308  # of a whole number, at most: a longer one is beyond all that there are
_EXAMPLE = 'write FIELD=VALUE, such as year>=2019, lang=de|fr, year=2010..2015 or title="a, b"'


class Word(NamedTuple):
    """A value as a user spells it without quotes: text, and a number, true or false where it reads as one."""

    text: str

    def values(self) -> list[Scalar]:
        """Return all that it may stand for."""
        number = self.number()
        truth = {"true": True, "false": False}.get(self.text)
        return [self.text, *([number] if number is not None else []), *([truth] if truth is not None else [])]

    def number(self) -> int | float | None:
        """Return the number that it reads as; None where it does not."""
        if not _NUMBER.fullmatch(self.text):
            return None
        digits = self.text.lstrip("+-")
        return int(self.text) if digits.isdecimal() and len(digits) <= _DIGITS else float(self.text)


class Between(NamedTuple):
    """A range of numbers, or of text by its code points: both ends belong to it, and None leaves one open."""

    low: "Scalar | Word"
    high: "Scalar | Word"


class Anything(NamedTuple):
    """Whatever value there is."""


ANYTHING = Anything()

Wanted = Scalar | Word | Between | Anything


class Span(NamedTuple):
    """Keys that a condition wants: from one on to another.

    :param first: The first; past it where it does not belong to them.
    :param last: The last.
    :param after_first: Whether `first` itself is left out.
    :param with_last: Whether `last` itself is kept.
    """

    kind: bytes
    first: bytes
    last: bytes
    after_first: bool = False
    with_last: bool = True


@dataclass(frozen=True)
class Filter:
    """A condition that a document meets or not.

    `=` is met where a value of the field (one item of a list is enough) is one of those that are wanted, `!=` wherever
    `=` is not, also without the field; `<`, `<=`, `>`, `>=` compare numbers with a number, or text by its code points.

    :param field: The field's name.
    :param operator: One of `OPERATORS`.
    :param value: A value: text, a number, true or false; a `Between`; `ANYTHING`; or for `=` and `!=` several of them.
    :raises ConfigError: They make no condition.
    """

    field: str
    operator: str
    value: Any

    def __post_init__(self) -> None:
        """Check it, and take several values as a tuple."""
        several = isinstance(self.value, list | tuple | set | frozenset) and not isinstance(
            self.value, Word | Between | Anything
        )
        object.__setattr__(self, "value", tuple(self.value) if several else (self.value,))
        if self.operator not in OPERATORS:
            raise ConfigError(f"a filter has the operator {shown(self.operator)}: operators are {', '.join(OPERATORS)}")
        if not isinstance(self.field, str) or not self.value:
            raise ConfigError(f"the filter {self} has no field or no value: {_EXAMPLE}")
        single = self.operator in ("=", "!=")
        if not single and (len(self.value) > 1 or isinstance(self.value[0], Between | Anything | bool)):
            raise ConfigError(f"the filter {self}: {self.operator} compares with one number or text")
        object.__setattr__(self, "value", tuple(_checked(each, self) for each in self.value))

    def __str__(self) -> str:
        """Return it as a user writes it."""
        return shown(f"{self.field}{self.operator}{'|'.join(map(_spelled, self.value))}")[1:-1]

    def spans(self, kinds: set[bytes]) -> list[Span]:
        """Return the keys of which one is wanted.

        :param kinds: The kinds of values that the field has.
        :raises ConfigError: A value is of no kind that the field has.
        """
        if self.operator not in ("=", "!="):
            return [self._ordered(kinds)]
        return [span for wanted in self.value for span in self._equal(wanted, kinds)]

    def _equal(self, wanted: Wanted, kinds: set[bytes]) -> list[Span]:
        if isinstance(wanted, Anything):
            return [Span(kind, kind, after(kind)) for kind in sorted(kinds)]
        if isinstance(wanted, Between):
            ends = [end for end in wanted if end is not None]
            kind = self._kind(ends, kinds)
            low, high = (None if end is None else _end(end, kind, self) for end in wanted)
            if low is not None and high is not None and low > high:
                raise ConfigError(f"the filter {self}: the range is empty, its lower end comes first")
            return [Span(kind, low or kind, high or after(kind))]
        keys = [key_of(each) for each in (wanted.values() if isinstance(wanted, Word) else [wanted])]
        spans = [Span(key[:1], key, key) for key in keys if key is not None and key[:1] in kinds]
        if not spans:
            raise self._mismatch(wanted, kinds)
        return spans

    def _ordered(self, kinds: set[bytes]) -> Span:
        (wanted,) = self.value
        kind = self._kind([wanted], kinds)
        end = _end(wanted, kind, self)
        if self.operator[0] == "<":
            return Span(kind, kind, end, with_last=self.operator == "<=")
        return Span(kind, end, after(kind), after_first=self.operator == ">")

    def _kind(self, ends: Sequence[Scalar | Word], kinds: set[bytes]) -> bytes:
        """Return the kind in which values are compared: numbers where all read as such, else text."""
        numbers = all(_number(end) is not None for end in ends)
        if not numbers and any(isinstance(end, int | float) for end in ends):
            raise ConfigError(f"the filter {self}: a range is of numbers or of text, and this one has one of each")
        kind = NUMBER if numbers else TEXT
        if kind not in kinds:
            raise self._mismatch(ends[0], kinds, compares=KINDS[kind])
        return kind

    def _mismatch(self, wanted: Wanted, kinds: set[bytes], compares: str = "") -> ConfigError:
        held = " and ".join(KINDS[kind] for kind in sorted(kinds, reverse=True))
        value = _spelled(wanted)
        if compares == KINDS[NUMBER] and TEXT in kinds:
            hint = f"it compares numbers; put the value in quotes, {json.dumps(value)}, to compare by spelling"
        elif compares:
            hint = f"it compares {compares}"
        else:
            hint = f"which {value} is not"
        return ConfigError(f"the filter {self}: the field {shown(self.field)} holds {held or 'nothing'}, {hint}")


FilterLike = str | Filter | Sequence[str | Filter]


def filters_of(given: FilterLike) -> tuple[Filter, ...]:
    """Return the conditions that are given, all of which are to be met.

    :param given: One, or several, as text or as `Filter`.
    :raises ConfigError: One is no condition.
    """
    listed = [given] if isinstance(given, str | Filter) else list(given)
    return tuple(each if isinstance(each, Filter) else parse_filter(each) for each in listed)


def parse_filter(text: str) -> Filter:
    """Read a condition.

    It is a field, an operator and a value. `=` and `!=` take several values, with `|` or a comma between them, ranges
    with `..` between their ends (both belong to it; one may be left out), and `*` for whatever value. A field or value
    with one of these characters in it, or white space at an end, stands in double quotes, escaped as in JSON. What
    reads as a number, as true or as false stands for these and for the same as text; in quotes for text alone.

    :param text: The condition.
    :raises ConfigError: It is none.
    """
    found = _CONDITION.fullmatch(text.lstrip()) if isinstance(text, str) else None
    if found is None:
        raise ConfigError(f"the filter {shown(text)} cannot be read: {_EXAMPLE}")
    field, operator, rest = found.groups()
    if rest[:1] in ("=", "<", ">", "!"):
        raise ConfigError(f"the filter {shown(text)} has two operators: put a value that begins with one in quotes")
    name = _unquoted(field.rstrip(), text)
    wanted = list(_values(rest, operator in ("=", "!="), text))
    return Filter(name.text if isinstance(name, Word) else name, operator, wanted)


def _values(rest: str, several: bool, text: str) -> Iterator[Wanted]:
    """Yield the values of a condition."""
    place = 0
    while True:
        found = _WORD.match(rest, place)
        if found is None:
            raise ConfigError(f"the filter {shown(text)}: {shown(rest[place:])} cannot be read: {_EXAMPLE}")
        yield _wanted(found[1].strip(), several, text)
        place = found.end()
        if not found[2]:
            return


def _wanted(word: str, several: bool, text: str) -> Wanted:
    """Return what one word of a condition stands for."""
    if not word:
        raise ConfigError(f'the filter {shown(text)} lacks a value: {_EXAMPLE}; an empty text is ""')
    if not several:
        return _unquoted(word, text)
    if word == "*":
        return ANYTHING
    ends = _ends(word)
    if ends is None:
        return _unquoted(word, text)
    if not any(ends):
        raise ConfigError(f"the filter {shown(text)}: a range has at least one end; * is whatever value")
    return Between(*(_unquoted(end, text) if end else None for end in ends))


def _ends(word: str) -> tuple[str, str] | None:
    """Return the ends of a range as they are written; None for what is none."""
    quoted = _QUOTE.match(word)
    if quoted is not None:
        if quoted.end() == len(word):
            return None
        rest = word[quoted.end() :].lstrip()
        if rest.startswith(_DOTS):
            return quoted[0], rest.removeprefix(_DOTS).lstrip()
    low, dots, high = word.partition(_DOTS)
    return (low.rstrip(), high.lstrip()) if dots else None


def _unquoted(word: str, text: str) -> str | Word:
    if '"' not in word:
        return Word(clean_text(word))
    try:
        return clean_text(str(json.loads(word, strict=False)))
    except ValueError:
        raise ConfigError(f"the filter {shown(text)}: {shown(word)} is no JSON text: put all of it in quotes") from None


def _checked(value: Any, condition: Filter) -> Wanted:
    """Return a value that can be compared."""
    if isinstance(value, Between):
        low, high = (None if end is None else _checked(end, condition) for end in value)
        if low is None and high is None:
            raise ConfigError(f"the filter {condition}: a range has at least one end")
        if any(isinstance(end, bool | Between | Anything) for end in (low, high)):
            raise ConfigError(f"the filter {condition}: a range is of numbers or of text")
        return Between(low, high)  # type: ignore[arg-type]
    if isinstance(value, str):
        return clean_text(value)
    value = value.item() if hasattr(value, "item") else value  # a number of numpy
    if isinstance(value, float) and math.isnan(value):
        raise ConfigError(
            f"the filter {condition}: no value is like NaN: take {condition.field}!=* for documents without"
        )
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 1023:
        return math.inf if value > 0 else -math.inf
    if not isinstance(value, bool | int | float | Word | Anything):
        raise ConfigError(f"the filter {condition}: a value is text, a number, true or false, not {shown(value)}")
    return value


def _number(value: Scalar | Word) -> int | float | None:
    if isinstance(value, Word):
        return value.number()
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _end(value: Scalar | Word, kind: bytes, condition: Filter) -> bytes:
    """Return the key that values are compared with."""
    text = value.text if isinstance(value, Word) else value
    if kind == TEXT and len(str(text).encode()) > LONGEST:
        raise ConfigError(f"the filter {condition}: text is compared by at most {LONGEST} bytes")
    key = key_of(_number(value) if kind == NUMBER else str(text))
    assert key is not None
    return key


def _spelled(value: Any) -> str:
    if isinstance(value, Word):
        return value.text
    if isinstance(value, Between):
        return (
            f"{'' if value.low is None else _spelled(value.low)}..{'' if value.high is None else _spelled(value.high)}"
        )
    if isinstance(value, Anything):
        return "*"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
