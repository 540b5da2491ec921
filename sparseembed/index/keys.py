"""Keys of metadata values: bytes that are in the order of the values, so that terms and ranges are found by bisection.

A key begins with the kind of the value. Numbers are ordered by their exact values, whole ones and others alike; text by
its code points. Of long text the key has the beginning and a digest.
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping

from sparseembed.data.metadata import Scalar, Value

BOOLEAN, NUMBER, TEXT = b"b", b"n", b"s"
KINDS = {BOOLEAN: "true or false", NUMBER: "numbers", TEXT: "text"}

LONGEST = 192
"""Bytes of text that a key holds; what is longer has a digest behind that many."""

_DIGEST = 16
_SIGN = 1 << 63
_ALL = (1 << 64) - 1


def key_of(value: Scalar) -> bytes | None:
    """Return the key of a value; None for null, which has none.

    :param value: Text without surrogates, a number (whole ones of at most 1,023 bits; infinite ones are in their place
        too), true, false or null.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return BOOLEAN + (b"\1" if value else b"\0")
    if isinstance(value, str):
        data = value.encode()
        if len(data) <= LONGEST:
            return TEXT + data
        return TEXT + data[:LONGEST] + hashlib.blake2b(data, digest_size=_DIGEST).digest()
    return NUMBER + _number(value)


def entries(metadata: Mapping[str, Value]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields of a document, in UTF-8, and the keys of their values: one for each item of a list.

    :param metadata: its metadata.
    """
    for name, value in metadata.items():
        field = name.encode()
        for each in value if isinstance(value, list) else (value,):
            key = key_of(each)
            if key is not None:
                yield field, key


def after(kind: bytes) -> bytes:
    """Return a key behind all keys of a kind."""
    return bytes([kind[0] + 1])


def _number(value: int | float) -> bytes:
    """Return the nearest float, and what a whole number has beyond it."""
    nearest = float(value) or 0.0  # -0.0 is 0.0
    bits = int.from_bytes(struct.pack(">d", nearest))
    ordered = (bits ^ _SIGN if bits < _SIGN else bits ^ _ALL).to_bytes(8)
    rest = value - int(nearest) if isinstance(value, int) else 0
    size = (abs(rest).bit_length() + 7) >> 3
    if rest < 0:
        return ordered + bytes([0x80 - size]) + (rest + (1 << 8 * size)).to_bytes(size)
    return ordered + bytes([0x80 + size]) + rest.to_bytes(size)
