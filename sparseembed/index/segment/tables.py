"""A file of named arrays with checksums.

Layout: the magic bytes, the size of the header and its crc32 as little-endian uint32, the header as JSON, then the
arrays, each from a multiple of 64 bytes. The header lists name, dtype, count, planes, bytes in the file and crc32
(padding included) of each. How an array is stored is told in `planes`; what is stored as it is, is read without copies.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.index.segment.columns import Column
from sparseembed.index.segment.format import as_bytes, damaged, map_file
from sparseembed.index.segment.hashed import HashedFile
from sparseembed.index.segment.planes import blocks, shortened, whole

MAGIC = b"SPARSEG2"
_START = struct.Struct("<8sII")
_ALIGN = 64


def write_tables(file: HashedFile, meta: Mapping[str, int], arrays: "Mapping[str, np.ndarray | Column]") -> None:
    """Write arrays into a new file.

    :param file: the file, empty.
    :param meta: whole numbers that are kept in the header.
    :param arrays: name -> array of one dimension, or a column.
    """
    entries, stored = [], []
    for name, array in arrays.items():
        used, kept = shortened(array, file.folder)
        size = len(kept) * kept.dtype.itemsize
        crc = kept.crc if isinstance(kept, Column) else zlib.crc32(as_bytes(kept))
        entries.append([name, array.dtype.str, len(array), used, size, zlib.crc32(_padding(size), crc)])
        stored.append((kept, size))
    header = json.dumps({"meta": dict(meta), "arrays": entries}, sort_keys=True).encode()
    header += b" " * len(_padding(_START.size + len(header)))
    file.write(_START.pack(MAGIC, len(header), zlib.crc32(header)))
    file.write(header)
    for kept, size in stored:
        for block in blocks(kept):
            file.write(block)
        file.write(_padding(size))
        if isinstance(kept, Column):
            kept.close()


def read_tables(path: Path, dtypes: Mapping[str, str]) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Map or unpack arrays and compare their checksums.

    :param path: the file.
    :param dtypes: name -> dtype of the arrays that it must hold.
    :return: the whole numbers of the header, and the arrays, read-only.
    :raises IndexFolderError: if the file is missing, cut, damaged or of another layout.
    """
    return parse_tables(path, map_file(path), dtypes)


def parse_tables(
    path: Path, data: np.ndarray, dtypes: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Find the arrays in a file that is mapped, as `read_tables` does.

    :param path: the file, for messages.
    :param data: its bytes.
    :param dtypes: name -> dtype of the arrays that it must hold.
    :return: as `read_tables`.
    :raises IndexFolderError: as `read_tables`.
    """
    if len(data) < _START.size:
        raise damaged(path, f"it has {len(data)} bytes")
    magic, size, crc = _START.unpack(data[: _START.size].tobytes())
    if magic != MAGIC:
        raise damaged(path, "it does not begin as a segment's file")
    if size > len(data) - _START.size:
        raise damaged(path, "its header is cut")
    raw = data[_START.size : _START.size + size].tobytes()
    if zlib.crc32(raw) != crc:
        raise damaged(path, "the checksum of its header is off")
    meta, entries = _header(path, raw)
    if {name: dtype for name, dtype, *_ in entries} != dict(dtypes) or len(entries) != len(dtypes):
        raise damaged(path, "it holds other arrays than this version reads")
    arrays = {}
    place = _START.size + size
    for name, dtype, count, used, nbytes, crc in entries:
        end = place + nbytes + len(_padding(nbytes))
        if end > len(data):
            raise damaged(path, f"it ends within {name!r}")
        if zlib.crc32(as_bytes(data[place:end])) != crc:
            raise damaged(path, f"the checksum of {name!r} is off")
        arrays[name] = _array(path, name, data[place : place + nbytes], np.dtype(dtype), count, used)
        place = end
    if place != len(data):
        raise damaged(path, f"it has {len(data) - place:,} bytes too many")
    return meta, arrays


def _array(path: Path, name: str, stored: np.ndarray, dtype: np.dtype, count: int, used: int) -> np.ndarray:
    try:
        return whole(stored, dtype, count, used)
    except ValueError as error:
        raise damaged(path, f"{name!r} cannot be read: {error}") from None


def _header(path: Path, raw: bytes) -> tuple[dict[str, int], list[Any]]:
    try:
        header = json.loads(raw)
        meta, entries = header["meta"], header["arrays"]
        sound = all(type(value) is int and value >= 0 for value in meta.values()) and all(
            type(name) is type(dtype) is str
            and all(type(value) is int and value >= 0 for value in numbers)
            and len(numbers) == 4
            for name, dtype, *numbers in entries
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise damaged(path, "its header cannot be read")
    return meta, entries


def _padding(nbytes: int) -> bytes:
    return bytes(-nbytes % _ALIGN)
