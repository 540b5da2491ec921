"""Checks every byte of a segment, and that its tables say what its postings say."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sparseembed.index.segment.format import DOCUMENTS, PASSAGES, POSTINGS, SEEDS, TERMS, damaged
from sparseembed.index.segment.slices import Slices, unpacked
from sparseembed.index.segment.strings import decode, sort

if TYPE_CHECKING:
    from sparseembed.index.segment.reader import SegmentReader

POSTINGS_AT_ONCE = 1 << 21


def verify(reader: "SegmentReader") -> None:
    """Read everything.

    :param reader: a reader that was just opened: opening compares the checksums of all tables.
    :raises IndexFolderError: for a file that is damaged.
    """
    _documents(reader)
    reader.check(np.arange(reader.terms))
    _postings(reader)
    for _ in reader.embedding_blocks():
        pass  # each row is compared with its checksum as it is read
    if reader.metadata is not None:
        reader.metadata.verify()
    for number in reader.split.tolist():
        passages = reader.passages(number)
        if passages is not None and int(passages.spans.max()) > len(reader.text(number)):
            raise damaged(reader.folder / PASSAGES, f"a passage of document {number:,} ends behind its text")


def _documents(reader: "SegmentReader") -> None:
    path = reader.folder / DOCUMENTS
    data, offsets = reader._ids.data, reader._ids.offsets
    order, twice = sort(data, offsets)
    if twice is not None or np.any(reader.ranks[order] != np.arange(reader.documents)):
        raise damaged(path, "its ids are not in the order of their ranks")
    try:
        for raw in reader.raw_ids():
            decode(raw)
    except UnicodeDecodeError:
        raise damaged(path, "an id is no UTF-8") from None
    reader._texts.verify()


def _postings(reader: "SegmentReader") -> None:
    from sparseembed.index.segment.kernels import check_slices, largest

    path, arrays = reader.folder / TERMS, reader.arrays
    for first in range(0, reader.terms, 4096):
        names = reader.raw_terms(max(first - 1, 0), min(first + 4096, reader.terms))
        if any(before >= after for before, after in pairwise(names)):
            raise damaged(path, "its terms are not in order")
        try:
            for raw in names:
                decode(raw)
        except UnicodeDecodeError:
            raise damaged(path, "a term is no UTF-8") from None
    found = 0
    for first, last in pairwise(_ranges(arrays.frequencies)):
        packed = unpacked(arrays, np.arange(arrays.starts[first], arrays.starts[last]))
        tables = (arrays.starts, arrays.chunks, arrays.maxima, arrays.frequencies)
        if check_slices(*packed, *tables, first, last) >= 0 or _beyond(reader, packed, first, last):
            raise damaged(reader.folder / POSTINGS, "its documents or impacts are not those of its slices")
        bounds = packed.bounds[arrays.starts[first : last + 1] - arrays.starts[first]]
        tops = np.empty((last - first, 1 + len(SEEDS)), dtype=np.uint16)
        largest(packed.impacts, bounds, np.array(SEEDS, dtype=np.int64), tops)
        if np.any(tops != arrays.largest[first:last]):
            raise damaged(path, "its largest impacts are not those of its postings")
        found += len(packed.docs)
    if found != reader.postings:
        raise damaged(path, "its number of postings is not that of its terms")


def _ranges(frequencies: np.ndarray) -> list[int]:
    """Return the terms at which ranges of about `POSTINGS_AT_ONCE` postings begin, and the end."""
    batches = np.cumsum(frequencies, dtype=np.int64) // POSTINGS_AT_ONCE
    return [0, *(np.flatnonzero(np.diff(batches)) + 1).tolist(), len(frequencies)]


def _beyond(reader: "SegmentReader", packed: Slices, first: int, last: int) -> bool:
    """Say whether postings are of documents that do not exist."""
    arrays = reader.arrays
    chunks = arrays.chunks[arrays.starts[first] : arrays.starts[last]].astype(np.int64)
    whole = packed.docs + (np.repeat(chunks, np.diff(packed.bounds)) << arrays.chunk_bits)
    return bool(len(whole)) and int(whole.max()) >= reader.documents
