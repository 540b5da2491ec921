"""Opens the postings of a segment: the tables are checked, and what follows from them is computed."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparseembed.index.segment.format import (
    CRC_BLOCK,
    POSTINGS,
    SEEDS,
    TERM_TABLES,
    TERMS,
    damaged,
    map_file,
)
from sparseembed.index.segment.packing import PADDING
from sparseembed.index.segment.strings import Strings, places_of, sized
from sparseembed.index.segment.tables import read_tables


class PostingArrays(NamedTuple):
    """The postings of a segment and where they are; all read-only.

    :param words: uint32, the packed postings (see `packing`), and padding.
    :param starts: int64 (terms + 1,), the first slice of each term.
    :param chunks: uint16 (slices,).
    :param begins: int64 (slices + 1,), the first byte of each slice.
    :param widths: uint8 (slices,), bits of the distances of each slice, 1 to 16.
    :param bits: uint8 (slices,), bits of the impacts of each slice, 1 to 16.
    :param maxima: uint16 (slices,), the largest impact of each slice.
    :param frequencies: uint32 (terms,), postings of each term.
    :param largest: uint16 (terms, 4), the largest, 10th, 100th and 1000th largest impact of each term; 0 for none.
    :param crcs: uint32 (blocks,), of each `CRC_BLOCK` bytes of postings.
    :param chunk_bits: a chunk has 2^chunk_bits document numbers.
    """

    words: np.ndarray
    starts: np.ndarray
    chunks: np.ndarray
    begins: np.ndarray
    widths: np.ndarray
    bits: np.ndarray
    maxima: np.ndarray
    frequencies: np.ndarray
    largest: np.ndarray
    crcs: np.ndarray
    chunk_bits: int


class Opened(NamedTuple):
    """Postings with their terms: bits of the largest impact that may occur, the number of postings, terms, arrays."""

    bits: int
    postings: int
    terms: Strings
    arrays: PostingArrays


def open_postings(folder: Path, documents: int) -> Opened:
    """Map the postings of a segment and read their tables.

    :param folder: the segment's folder.
    :param documents: how many documents it has.
    :return: the postings.
    :raises IndexFolderError: if a file is missing, cut or damaged.
    """
    path = folder / TERMS
    meta, tables = read_tables(path, TERM_TABLES)
    bits, chunk_bits, postings = (meta.get(name, -1) for name in ("bits", "chunk_bits", "postings"))
    if not 1 <= bits <= 16 or not 1 <= chunk_bits <= 16 or meta.get("documents") != documents:
        raise damaged(path, "its header does not fit")
    offsets, per_term = places_of(tables["term_sizes"]), tables["term_slices"]
    if len(per_term) != len(offsets) - 1:
        raise damaged(path, "its numbers of terms do not agree")
    if offsets[-1] != len(tables["term_bytes"]):
        raise damaged(path, "its terms have not the bytes that are there")
    chunks, counts, packing, maxima = _slices(path, tables, documents, bits, chunk_bits)
    starts = places_of(per_term)
    if not sized(per_term, len(chunks)):
        raise damaged(path, "its slices are not those of its terms")
    falls = chunks[1:] <= chunks[:-1]
    falls[starts[1:-1] - 1] = False
    if falls.any():
        raise damaged(path, "the slices of a term are out of order")
    frequencies = _by_term(np.add, counts, starts)
    if int(counts.sum(dtype=np.int64)) != postings:
        raise damaged(path, "its number of postings is not that of its terms")
    widths, own = (packing >> 4) + 1, (packing & 15) + 1
    fields = counts.astype(np.int64) + tables["slice_extra"]
    begins = places_of((fields * (widths + own) + 7) >> 3)
    words = _map_words(folder, int(begins[-1]), len(tables["crcs"]))
    largest = _largest(path, tables, starts, maxima, frequencies)
    for made in (widths, own, frequencies, largest):
        made.flags.writeable = False
    arrays = PostingArrays(
        words, starts, chunks, begins, widths, own, maxima, frequencies, largest, tables["crcs"], chunk_bits
    )
    return Opened(bits, postings, Strings(tables["term_bytes"], offsets), arrays)


def _slices(
    path: Path, tables: dict[str, np.ndarray], documents: int, bits: int, chunk_bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return chunks, numbers of postings, widths and bits, and largest impacts of the slices, checked."""
    names = ("slice_chunks", "slice_postings", "slice_packing", "slice_maxima")
    chunks, counts, packing, maxima = (tables[name] for name in names)
    if {len(chunks), len(counts), len(packing), len(maxima)} != {len(tables["slice_extra"])}:
        raise damaged(path, "its numbers of slices do not agree")
    if not len(chunks):
        return chunks, counts, packing, maxima
    if maxima.min() < 1 or int(maxima.max()) >> bits or int((packing & 15).max()) >= bits:
        raise damaged(path, "a slice has no such impact or no such width")
    if counts.min() < 1 or int(counts.max()) > 1 << chunk_bits:
        raise damaged(path, "a slice has no such number of postings")
    if int(chunks.max()) << chunk_bits >= documents:
        raise damaged(path, "a slice is out of range")
    return chunks, counts, packing, maxima


def _map_words(folder: Path, size: int, blocks: int) -> np.ndarray:
    """Map the packed postings, which have so many bytes, and as many checksums as blocks."""
    path = folder / POSTINGS
    data = map_file(path)
    if len(data) != size + PADDING + -size % 4 or data[size:].any():
        raise damaged(path, f"it has {len(data):,} bytes, not {size + PADDING + -size % 4:,}")
    if blocks != -(-size // CRC_BLOCK):
        raise damaged(folder / TERMS, "its checksums are not those of the postings")
    return data.view(np.uint32)


def _largest(
    path: Path, tables: dict[str, np.ndarray], starts: np.ndarray, maxima: np.ndarray, frequencies: np.ndarray
) -> np.ndarray:
    """Put each term's largest and k-th largest impacts together, uint16 (terms, 4)."""
    largest = np.zeros((len(frequencies), 1 + len(SEEDS)), dtype=np.uint16)
    largest[:, 0] = _by_term(np.maximum, maxima, starts)
    for column, k in enumerate(SEEDS, start=1):
        has = frequencies >= k
        if np.count_nonzero(has) != len(tables[f"largest_{k}"]):
            raise damaged(path, f"its {k}th largest impacts are not those of its terms")
        largest[has, column] = tables[f"largest_{k}"]
    return largest


def _by_term(reduce: np.ufunc, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Put the values of each term's slices together; there is one slice a term in all but large segments."""
    return values if len(values) == len(starts) - 1 else reduce.reduceat(values, starts[:-1])
