"""Fields of metadata as mappings: numbers, true and false, and text that is one value, to filter by."""

from typing import Any

from sparseembed.errors import ConfigError
from sparseembed.index.keys import BOOLEAN, KINDS, NUMBER, after
from sparseembed.index.snapshot import Snapshot
from sparseembed.text import shown

DEEPEST = 18
"""Names within each other: the engines allow 20, and ours stand in an object."""

_TEXT = {"type": "keyword", "ignore_above": 8191}  # characters, of at most 4 bytes: an engine's term has 32,766 bytes


def metadata_mapping(snapshot: Snapshot) -> dict[str, Any]:
    """Return the mappings of an index's metadata, by name; names with dots as objects.

    A field of values of several kinds is mapped as text, which numbers are read as too.

    :param snapshot: The index.
    :raises ConfigError: An engine allows no field of that name, or no such two fields; the first one is named.
    """
    found: dict[str, Any] = {}
    for name, kinds in sorted(_kinds(snapshot).items()):
        if kinds == {BOOLEAN}:
            mapping: dict[str, Any] = {"type": "boolean"}
        elif kinds == {NUMBER}:
            mapping = {"type": "double"}
        else:
            mapping = dict(_TEXT)
        _put(found, name, mapping)
    return found


def _kinds(snapshot: Snapshot) -> dict[str, set[bytes]]:
    """Return the kinds of values that each field has."""
    found: dict[str, set[bytes]] = {}
    for segment in snapshot.segments:
        reader = segment.metadata
        for name in reader.fields if reader is not None else ():
            column = reader.column(name) if reader is not None else None
            if column is not None:
                kinds = found.setdefault(name, set())
                kinds |= {kind for kind in KINDS if column.first(kind) < column.first(after(kind))}
    return found


def _put(properties: dict[str, Any], name: str, mapping: dict[str, Any]) -> None:
    parts = name.split(".")
    if not all(part.strip() for part in parts) or "\0" in name or len(parts) > DEEPEST:
        raise ConfigError(
            f"the metadata field {shown(name)} can have no such name there: names between dots must not be blank, and "
            f"at most {DEEPEST}; rename it in the documents, and build the index again"
        )
    *outer, last = parts
    for part in outer:
        inner = properties.setdefault(part, {"properties": {}})
        if "properties" not in inner:
            raise _both(name)
        properties = inner["properties"]
    if last in properties:
        raise _both(name)
    properties[last] = mapping


def _both(name: str) -> ConfigError:
    return ConfigError(
        f"the metadata field {shown(name)} is a value in some documents and holds other fields in others, which an "
        "engine does not allow: rename one of them, and build the index again"
    )
