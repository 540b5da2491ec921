"""The Lucene engine: an impact index that stock Pyserini reads, searched exactly."""

from pathlib import Path
from typing import TYPE_CHECKING

from sparseembed.engines.base import Engine, Hit
from sparseembed.index.lucene_reader import Found, LuceneReader

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection


class LuceneEngine(Engine):
    """Searches an impact index: the score is the sum over the shared terms of document weight x query weight.

    Lucene gives float32 scores, which are exact below 2^24. Where a query's scores could reach that, all its postings
    are summed in 64-bit integers instead, which is slower.
    """

    def __init__(self, folder: Path, commit: str | None = None, verify: bool = True) -> None:
        """Open an index for reading.

        :param folder: what a `LuceneStore` wrote.
        :param commit: its commit's file, such as `segments_3`; the last one when None.
        :param verify: read every file once and compare its checksum (about 1 s a gigabyte).
        :raises IndexFolderError: if there is no such index, or a damaged one.
        :raises EngineError: if Java cannot be started, or not in this process.
        """
        self._reader = LuceneReader(folder, commit, verify)

    @property
    def documents(self) -> int:
        """Number of documents, those without terms included."""
        return self._reader.documents

    def close(self) -> None:
        """Close the index; closing twice is no error."""
        self._reader.close()

    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        return self._search_batch([query], k, 1, selection)[0]

    def _search_batch(
        self, queries: list[dict[str, int]], k: int, threads: int, selection: "Selection | None"
    ) -> list[list[Hit]]:
        # Lucene's documents stand in the order of the segments', so that one bit for each live one names them.
        bits = None if selection is None else selection.bits
        return [as_hits(found) for found in self._reader.search(queries, k, threads, bits)]


def as_hits(found: Found) -> list[Hit]:
    """Rank what a reader found.

    :param found: ids and scores, best first.
    :return: the hits.
    """
    ids, scores = found
    return list(map(Hit, ids, scores, range(1, len(ids) + 1)))
