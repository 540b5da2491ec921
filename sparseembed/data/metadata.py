"""Metadata of documents: values by the names of fields, brought to one flat form when a document is made.

A value is text, a number, true or false, null, or a list of these. An object within is taken apart, and its names are
joined by dots: `{"author": {"name": "A"}}` is the field `author.name`. So are objects in lists, whose values become
lists, and lists in lists become one list.
"""

import json
import math
from collections.abc import Collection, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, NoReturn
from uuid import UUID

from sparseembed.errors import DataError
from sparseembed.text import clean_text, shown

Scalar = str | int | float | bool | None
Value = Scalar | list[Scalar]

LARGEST = 16 << 20
"""Bytes of a document's packed metadata, at most."""

_OBJECT = "metadata"  # of a record, as BEIR has it
_DEEPEST = 32  # objects and lists within each other
_BITS = 1023  # of a whole number: a float, by whose order numbers are sorted, holds no more


class Metadata(dict[str, Value]):
    """The metadata of a document, flat and in its own order; not to be changed."""

    __slots__ = ()

    def _refused(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("metadata is read-only: make a dict of it and change that")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refused

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))

    def __reduce__(self) -> tuple[type["Metadata"], tuple[dict[str, Value]]]:
        return Metadata, (dict(self),)


NONE = Metadata()


def metadata_of(values: Mapping[str, Any]) -> Metadata:
    """Bring metadata to its flat form.

    Dates, times and UUIDs become text, in ISO's form, durations seconds, numbers of other libraries plain ones, NaN
    null, and lone surrogates U+FFFD.

    :param values: What a source says of a document, by name.
    :return: The metadata.
    :raises DataError: A value is of another kind, infinite, or has no end, or two values have one name.
    """
    if isinstance(values, Metadata):
        return values
    if not values:
        return NONE
    flat: dict[str, Value] = {}
    for name, value in values.items():
        for path, each in _flat(clean_text(str(name)), value, 0):
            if path in flat and (type(flat[path]) is not type(each) or flat[path] != each):
                raise DataError(f"the metadata has two values of the name {shown(path)}: rename or remove one")
            flat[path] = each
    return Metadata(flat)


def extra_fields(record: Mapping[str, Any], others: Collection[str]) -> dict[str, Any]:
    """Return what is metadata in a record of a file: all but some fields, and in place of an object `metadata` its own.

    :param record: The record.
    :param others: Fields that are no metadata.
    :raises DataError: A field stands in both with different values.
    """
    inner = record.get(_OBJECT)
    if not isinstance(inner, Mapping):
        inner = {}
    own = {name: value for name, value in record.items() if name not in others and not (name == _OBJECT and inner)}
    if own.get(_OBJECT) in (None, {}):
        own.pop(_OBJECT, None)  # BEIR writes an empty object
    for name, value in inner.items():
        if name in own and own[name] != value:
            raise DataError(f"{shown(name)} stands beside the object metadata and in it: rename or remove one")
    return {**own, **inner}


def packed(metadata: Mapping[str, Value]) -> bytes:
    """Return metadata as one line of JSON in UTF-8; nothing where there is none.

    :raises DataError: It has more than `LARGEST` bytes.
    """
    if not metadata:
        return b""
    data = json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > LARGEST:
        raise DataError(
            f"the metadata of a document has {len(data):,} bytes: {LARGEST:,} is the most, so leave some out"
        )
    return data


def unpacked(data: bytes) -> Metadata:
    """Return what `packed` was given.

    :raises ValueError: It is something else.
    """
    if not data:
        return NONE
    read = json.loads(data)
    if not isinstance(read, dict):
        raise ValueError("no object")
    return Metadata(read)


def _flat(name: str, value: Any, depth: int) -> Iterator[tuple[str, Value]]:
    """Yield the fields that a value gives."""
    if depth > _DEEPEST:
        raise DataError(f"the metadata {shown(name)} is nested more than {_DEEPEST} deep: leave it out")
    value = _plain(value)
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(f"{name}.{clean_text(str(key))}", each, depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        gathered: dict[str, list[Scalar]] = {} if value else {name: []}
        for item in value:
            for path, each in _flat(name, item, depth + 1):
                gathered.setdefault(path, []).extend(each if isinstance(each, list) else [each])
        yield from gathered.items()
    else:
        yield name, _scalar(name, value)


def _plain(value: Any) -> Any:
    """Return an array as a list, and what stands for one number in another library as that."""
    return value.tolist() if hasattr(value, "tolist") else value


def _scalar(name: str, value: Any) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(str(value))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, timedelta):
        value = value.total_seconds()
        value = int(value) if value.is_integer() else value
    if isinstance(value, Decimal) and value.is_finite():
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Integral):
        if int(value).bit_length() > _BITS:
            raise DataError(f"the metadata {shown(name)} is a number of more than 307 digits: write it as text")
        return int(value)
    if isinstance(value, Real | Decimal):
        number = float(value)
        if math.isinf(number):
            raise DataError(f"the metadata {shown(name)} is infinite: write a finite number, or null")
        return None if math.isnan(number) else number
    raise DataError(
        f"the metadata {shown(name)} is of the type {type(value).__name__}: text, numbers, true, false, null, and "
        "lists and objects of these can be kept"
    )
