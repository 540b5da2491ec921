"""Ids and texts out of a record's fields, with errors that name the record's place and the fields that there are."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sparseembed.data.corpus import id_problem
from sparseembed.data.fields import there_are
from sparseembed.data.lines import JSON_TYPES
from sparseembed.data.records.base import Place, Record, Records
from sparseembed.errors import DataError
from sparseembed.text import clean_text, shown


def id_of(records: Records, place: Place, record: Record, names: Sequence[str], kind: str) -> str:
    """Return a record's id.

    :param records: Where the record is from.
    :param place: Its place there.
    :param record: The record.
    :param names: Fields that may have the id; the first that is there counts.
    :param kind: "document" or "query".
    :raises DataError: None is there, or it holds no usable id.
    """
    for name in names:
        if name in record:
            value = record[name]
            break
    else:
        wanted = " or ".join(f'"{name}"' for name in names[:2])
        raise missing(records, place, record, f"no id: give each {kind} {an(wanted)}", "--id-field")
    if isinstance(value, bytes):
        value = _decoded(records, place, value, name, kind)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)  # as databases write whole numbers
    if isinstance(value, bool) or not isinstance(value, str | int | UUID):
        raise wrong_type(records, place, name, value, kind, "a string or whole number")
    identifier = clean_text(str(value))
    if problem := id_problem(identifier):
        raise records.located(place, problem)
    return identifier


def text_in(records: Records, place: Place, record: Record, name: str, owner: str) -> str:
    """Return the text of a field that is there.

    :param owner: Whose it is, for messages.
    :raises DataError: It is no text.
    """
    value = record[name]
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _decoded(records, place, value, name, owner)
    if value is None and records.nullable(place):
        return ""
    raise wrong_type(records, place, name, value, owner, "a string")


def missing(records: Records, place: Place, record: Record, problem: str, option: str) -> DataError:
    """Make the error for a field that is not there.

    :param problem: What is missing, and how a right record looks.
    :param option: The option that names the field.
    """
    named = f", or name its field by {option}" if option else ""
    return records.located(place, f"{problem}{named} ({there_are(records.names(place, record))})")


def wrong_type(records: Records, place: Place, name: str, value: Any, owner: str, wanted: str) -> DataError:
    """Make the error for a field of another type."""
    kind = "a number with a fraction" if isinstance(value, float) else JSON_TYPES.get(type(value), type(value).__name__)
    return records.located(place, f'"{name}" of {owner} is {kind}: make it {wanted}')


def twice(records: Records, first: Place, second: Place, identifier: str) -> DataError:
    """Make the error for an id that occurs twice."""
    problem = f"id {shown(identifier)} occurs twice, first {records.at(first)}: rename or remove one of the two"
    return records.located(second, problem)


def an(name: str) -> str:
    """Put the article before a quoted name."""
    vowel = name.lstrip('"_')[:1] in "aeiou"
    return f"{'an' if vowel else 'a'} {name}"


def _decoded(records: Records, place: Place, value: bytes, name: str, owner: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise records.located(place, f'"{name}" of {owner} is not UTF-8: make it a string') from None
