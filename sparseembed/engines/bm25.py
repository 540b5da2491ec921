"""BM25 as Anserini computes it: the text baseline."""

from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf
from pathlib import Path

from sparseembed.engines.base import Hit, check_count
from sparseembed.engines.lucene import as_hits
from sparseembed.errors import ConfigError, DataError, EngineError, IndexFolderError
from sparseembed.index.lucene_reader import LuceneReader
from sparseembed.index.lucene_writer import LuceneStore

_BLOCK = 1_000  # documents sent to Java at once


class Bm25Index:
    """Builds the index that `Bm25Engine` searches."""

    @staticmethod
    def build(folder: Path, documents: Iterable[tuple[str, str]]) -> int:
        """Index texts with Anserini's English analyzer.

        :param folder: where to write; made if it is missing, and must be empty.
        :param documents: (id, contents) in any order; a blank text is counted and never found.
        :return: the number of documents.
        :raises DataError: for an id that occurs twice or cannot be one.
        :raises IndexFolderError: if the folder is not empty.
        :raises EngineError: if it cannot be written to.
        """
        if folder.is_dir() and any(folder.iterdir()):
            raise IndexFolderError(f"{folder} is not empty: remove what it holds or choose another folder")
        seen: set[str] = set()
        with LuceneStore.create(folder, analysed=True) as store:
            waiting = iter(documents)
            while block := list(islice(waiting, _BLOCK)):
                for doc_id, _ in block:
                    if doc_id in seen:
                        raise DataError(f"the document id {doc_id!r} occurs twice: give each document its own")
                    seen.add(doc_id)
                store.add_texts([doc_id for doc_id, _ in block], [contents for _, contents in block])
            store.merge()
            written = store.commit().documents
        if written != len(seen):
            raise EngineError(f"the index in {folder} holds {written:,} of {len(seen):,} documents: build it again")
        return written


class Bm25Engine:
    """Searches with plain text: Anserini's analyzer, bag-of-words query and Lucene's BM25; ties by id, ascending."""

    def __init__(self, folder: Path, k1: float = 0.9, b: float = 0.4, verify: bool = True) -> None:
        """Open an index for reading.

        :param folder: what `Bm25Index.build` wrote.
        :param k1: how fast repetitions of a term stop counting, 0 or more.
        :param b: how much a document's length counts, 0 to 1.
        :param verify: read every file once and compare its checksum.
        :raises ConfigError: if k1 or b is out of its range.
        :raises IndexFolderError: if there is no index, or a damaged one.
        """
        if not 0 <= k1 < inf or not 0 <= b <= 1:
            raise ConfigError(f"BM25 with k1 = {k1} and b = {b}: k1 must be 0 or more, b between 0 and 1")
        self._k1, self._b = float(k1), float(b)
        self._reader = LuceneReader(folder, verify=verify)

    @property
    def documents(self) -> int:
        """Number of documents, blank ones included."""
        return self._reader.documents

    def search(self, text: str, k: int) -> list[Hit]:
        """Find the k best documents for one query.

        :param text: plain text.
        :param k: number of hits wanted, 1 or more.
        :return: at most k hits, best first; none if no word of the query is in the index.
        :raises ConfigError: for k < 1.
        """
        return self.search_batch([text], k)[0]

    def search_batch(self, texts: Sequence[str], k: int, threads: int = 1) -> list[list[Hit]]:
        """Find the k best documents for each of many queries; the same hits as one `search` a query.

        :param texts: plain texts.
        :param k: number of hits wanted for each, 1 or more.
        :param threads: number of queries searched at the same time.
        :return: one list of hits a query, in the order of the queries.
        :raises ConfigError: for k or threads < 1.
        """
        check_count("k", k)
        check_count("threads", threads)
        found = self._reader.search_texts(texts, int(k), int(threads), self._k1, self._b)
        return [as_hits(each) for each in found]

    def close(self) -> None:
        """Close the index; closing twice is no error."""
        self._reader.close()

    def __enter__(self) -> "Bm25Engine":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
