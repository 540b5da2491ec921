"""Are the fields of a manifest what they should be? A manifest is data from anybody."""

import math
from collections.abc import Callable, Mapping
from typing import Any

_LARGEST = 1 << 53  # of a count; above it, numbers of JSON are not exact everywhere
Check = Callable[[Any], bool]


def sound(content: Mapping[str, Any]) -> bool:
    """Say whether all fields are there, with values of the right types and within range.

    :param content: A manifest's fields but its checksum; it may have no others.
    """
    return _MANIFEST(dict(content))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _LARGEST and math.isfinite(value)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _counts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_count, value.values()))


def _having(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None, open_: bool = False) -> Check:
    """Check an object: it has what is needed, and nothing that is not known unless it is open."""
    known = {**needed, **(optional or {})}

    def check(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and needed.keys() <= value.keys()
            and (open_ or value.keys() <= known.keys())
            and all(each(value[name]) for name, each in known.items() if name in value)
        )

    return check


_FILE = _having({"bytes": _count, "sha256": _text})
_TOMBSTONES = _having({"file": _text, "bytes": _count, "sha256": _text, "count": _count})


def _files(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_FILE, value.values()))


_SEGMENT = _having(
    {
        "folder": _text,
        "documents": _count,
        "postings": _count,
        "terms": _count,
        "files": _files,
        "deleted": _or_none(_TOMBSTONES),
    }
)
_DRIFT = _having({"documents": _count, "unknown": _number, "frequency": _number, "embedding": _number})


def _updates(value: Any) -> bool:
    return value == {} or _having({"added": _count, "deleted": _count, "drift": _or_none(_DRIFT)})(value)


_ENCODER = _having({}, {"behind": _mapping, "refused": _text}, open_=True)


def _rescoring(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_ENCODER, value.values()))


_MANIFEST = _having(
    {
        "format": _count,
        "build": _text,
        "generation": _count,
        "corpus": _having({"name": _text, "fingerprint": _text}, {"metadata": _text}),
        "embedder": _having({"name": _text, "weights": _text}, open_=True),
        "embedder_identity": _having({"dtype": _text}, open_=True),
        "sparse": _having({"terms": _text, "adjustment": _text}, open_=True),
        "analyzer": _or_none(_text),
        "quantizer": _having({"scale": _number, "levels": lambda value: _count(value) and 1 <= value <= 0xFFFF}),
        "counts": lambda value: _counts(value) and {"documents", "postings"} <= value.keys(),
        "statistics": _having({"folder": _text, "files": _files}),
        "segments": _list_of(_SEGMENT),
        "lucene": _having({"commit": _text, "files": _files}, {"documents": _count}),
        "versions": _mapping,
    },
    {
        "mix": _or_none(_mapping),
        "rescoring": _or_none(_rescoring),
        "embeddings": _list_of(_text),
        "updates": _updates,
        "shard": _or_none(_having({"number": _count, "of": _count}, open_=True)),
    },
)
