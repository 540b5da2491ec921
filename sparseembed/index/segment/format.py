"""The files of a segment and its constants."""

import mmap
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparseembed.errors import IndexFolderError

CHUNK_BITS = 16
"""Documents are divided in chunks of 2^16 numbers; the postings of a term in a chunk are a slice."""

TEXT_BLOCK = 16_384
"""A block of texts is closed once it holds this many bytes."""

LARGEST_TEXT = 1 << 30
"""The longest text, in bytes of UTF-8: lz4 compresses at most about 2^31 bytes at once."""

SEEDS = (10, 100, 1000)
"""The k of the k-th largest impacts that are stored for each term, beside the largest one."""

METADATA_BLOCK = 64
"""Documents of a block of metadata."""

COLUMN_ALIGN = 8
"""A column of metadata begins at a multiple of so many bytes."""

TERMS = "terms.tables"
DOCUMENTS = "documents.tables"
POSTINGS = "postings.bits"
TEXTS = "texts.lz4"
EMBEDDINGS = "embeddings.i8"
ROWS = "embeddings.tables"
METADATA = "metadata.lz4"
COLUMNS = "metadata.columns"
METADATA_ROWS = "metadata.tables"
METADATA_FILES = (METADATA, COLUMNS, METADATA_ROWS)
PASSAGES = "passages.bin"
PLACES = "passages.tables"

CRC_BLOCK = 4096
"""Bytes of the postings that have a checksum of their own: a page."""

TERM_TABLES = {
    "term_bytes": "|u1",
    "term_sizes": "<u4",
    "term_slices": "<u4",
    "slice_chunks": "<u2",
    "slice_postings": "<u4",
    "slice_extra": "<u4",
    "slice_packing": "|u1",
    "slice_maxima": "<u2",
    **{f"largest_{k}": "<u2" for k in SEEDS},
    "crcs": "<u4",
}
"""UTF-8 and sizes of the terms; each term's number of slices; each slice's chunk, postings, fields beyond these,
width - 1 and bits - 1 (the upper and the lower four bits), and largest impact; the k-th largest impact of each term
that has k postings; and the crc32 of each `CRC_BLOCK` bytes of the postings. What else is asked for follows: a slice's
bytes from its fields, where it begins from the bytes before it, a term's postings from its slices'."""

TEXT_TABLES = {"text_sizes": "<u4", "block_documents": "<u4", "block_sizes": "<u4", "block_crcs": "<u4"}
"""The bytes of each text, and each block's number of documents, bytes in the file, and crc32."""

DOCUMENT_TABLES = {"id_bytes": "|u1", "id_sizes": "<u4", "ranks": "<i4", **TEXT_TABLES}
"""UTF-8 and sizes of the ids, the place of each id among all when sorted as bytes, and the tables of the texts."""

EMBEDDING_TABLES = {"row_crcs": "<u4"}
"""The crc32 of each document's row of the embeddings, where the segment has them."""

PASSAGE_TABLES = {"passage_documents": "<i4", "passage_offsets": "<i8", "passage_crcs": "<u4"}
"""The documents of several passages, where the record of each begins, and its crc32."""


METADATA_TABLES = {
    "row_places": "<i8",
    "row_sizes": "<u4",
    "row_crcs": "<u4",
    "field_bytes": "|u1",
    "field_offsets": "<i8",
    "field_places": "<i8",
    "field_keys": "<i8",
    "field_entries": "<i8",
    "field_key_bytes": "<i8",
    "field_crcs": "<u4",
}
"""Where the segment has metadata: the place, unpacked size and crc32 of each block of rows; UTF-8 and offsets of the
names of fields, which ascend; and of each field's column the place, the numbers of keys, of entries and of bytes of
keys, and the crc32."""


def column_width(keys: int, documents: int) -> np.dtype:
    """Return the type of the offsets in a column of metadata.

    :param keys: bytes of its keys.
    :param documents: its entries.
    """
    return np.dtype("<u4" if max(keys, documents) < 1 << 32 else "<i8")


class SegmentInfo(NamedTuple):
    """What a finished segment holds.

    :param documents: number of documents.
    :param postings: number of (document, term) pairs.
    :param terms: number of distinct terms.
    :param files: file name -> {"bytes": size, "sha256": 64 hexadecimal digits}.
    """

    documents: int
    postings: int
    terms: int
    files: dict[str, dict[str, Any]]


def damaged(path: Path, what: str) -> IndexFolderError:
    """Make the error for a file that does not hold what it should.

    :param path: the file.
    :param what: what is wrong with it.
    :return: the error, to be raised.
    """
    return IndexFolderError(f"{path} is damaged: {what}; restore it from a copy or build the index again")


def map_file(path: Path) -> np.ndarray:
    """Map a file into memory.

    :param path: the file.
    :return: uint8 (bytes,), read-only; the mapping lives as long as an array over it.
    :raises IndexFolderError: if the file cannot be read.
    """
    try:
        with path.open("rb") as handle:
            if os.fstat(handle.fileno()).st_size == 0:
                return np.frombuffer(b"", dtype=np.uint8)
            return np.frombuffer(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.uint8)
    except OSError as error:
        reason = error.strerror or str(error)
        raise IndexFolderError(
            f"{path} cannot be read ({reason}): restore it from a copy or build the index again"
        ) from None


def as_bytes(array: np.ndarray) -> memoryview:
    """Return the bytes of a contiguous array, without a copy."""
    return array.data.cast("B") if array.nbytes else memoryview(b"")
