"""Segments: immutable parts of an index, each a folder of few files that are written once and mapped into memory.

`terms.tables` and `documents.tables` hold the small arrays, with checksums that are compared at open (`format` says
which, `planes` how they are stored); `postings.bits` holds the postings, ordered by (term, document) and packed
(`packing` says how), with a checksum for each page; `texts.lz4` holds the texts, compressed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparseembed.index.segment.format import SegmentInfo
    from sparseembed.index.segment.merge import merge_segments
    from sparseembed.index.segment.reader import SegmentReader
    from sparseembed.index.segment.writer import SegmentWriter

__all__ = ["SegmentInfo", "SegmentReader", "SegmentWriter", "merge_segments"]

_HOME = {"SegmentInfo": "format", "SegmentReader": "reader", "SegmentWriter": "writer", "merge_segments": "merge"}


def __getattr__(name: str) -> Any:
    if name in _HOME:  # a search needs no writer
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
