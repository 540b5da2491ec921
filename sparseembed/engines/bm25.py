"""BM25 as Anserini computes it: the text baseline."""

from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf
from pathlib import Path

from sparseembed.analyzers.base import terms_of_each
from sparseembed.analyzers.registry import DEFAULT, known, open_analyzer
from sparseembed.engines.base import Hit, check_count
from sparseembed.engines.lucene import as_hits
from sparseembed.errors import ConfigError, DataError, EngineError, IndexFolderError
from sparseembed.index.lucene_reader import LuceneReader
from sparseembed.index.lucene_writer import LuceneStore
from sparseembed.sparse.bm25 import K1, B

_BLOCK = 1_000  # documents sent to Java at once


class LuceneWords:
    """How texts are taken apart: in Java; or in Python, where Lucene lacks the analyzer and splits at spaces then."""

    def __init__(self, analyzer: str) -> None:
        """Name the analyzer.

        :param analyzer: A name of `analyzers.registry`.
        """
        lucene = known(analyzer).lucene
        self.key = lucene or "whitespace"
        self._words = None if lucene is not None else open_analyzer(analyzer)

    def texts(self, texts: Sequence[str]) -> Sequence[str]:
        """Return texts as Java is to have them."""
        return texts if self._words is None else list(map(" ".join, terms_of_each(self._words, texts)))


class Bm25Index:
    """Builds the index that `Bm25Engine` searches."""

    @staticmethod
    def build(folder: Path, documents: Iterable[tuple[str, str]], analyzer: str = DEFAULT) -> int:
        """Index texts as Anserini does: by Lucene's own analyzer, and as they stand there.

        :param folder: where to write; made if it is missing, and must be empty.
        :param documents: (id, contents) in any order; a blank text is counted and never found.
        :param analyzer: name of the analyzer; the words of one that Lucene has not are found beforehand.
        :return: the number of documents.
        :raises DataError: for an id that occurs twice or cannot be one.
        :raises IndexFolderError: if the folder is not empty.
        :raises EngineError: if it cannot be written to.
        """
        if folder.is_dir() and any(folder.iterdir()):
            raise IndexFolderError(f"{folder} is not empty: remove what it holds or choose another folder")
        seen: set[str] = set()
        words = LuceneWords(analyzer)
        with LuceneStore.create(folder, analyzer=words.key) as store:
            waiting = iter(documents)
            while block := list(islice(waiting, _BLOCK)):
                for doc_id, _ in block:
                    if doc_id in seen:
                        raise DataError(f"the document id {doc_id!r} occurs twice: give each document its own")
                    seen.add(doc_id)
                texts = words.texts([contents for _, contents in block])
                store.add_texts([doc_id for doc_id, _ in block], texts)
            store.merge()
            written = store.commit().documents
        if written != len(seen):
            raise EngineError(f"the index in {folder} holds {written:,} of {len(seen):,} documents: build it again")
        return written


class Bm25Engine:
    """Searches with plain text: Anserini's analyzers, bag-of-words query and Lucene's BM25; ties by id, ascending."""

    def __init__(
        self, folder: Path, k1: float = K1, b: float = B, verify: bool = True, analyzer: str = DEFAULT
    ) -> None:
        """Open an index for reading.

        :param folder: what `Bm25Index.build` wrote.
        :param k1: how fast repetitions of a term stop counting, 0 or more.
        :param b: how much a document's length counts, 0 to 1.
        :param verify: read every file once and compare its checksum.
        :param analyzer: name of the analyzer that it was built with.
        :raises ConfigError: if k1 or b is out of its range.
        :raises IndexFolderError: if there is no index, or a damaged one.
        """
        if not 0 <= k1 < inf or not 0 <= b <= 1:
            raise ConfigError(f"BM25 with k1 = {k1} and b = {b}: k1 must be 0 or more, b between 0 and 1")
        self._k1, self._b, self._words = float(k1), float(b), LuceneWords(analyzer)
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
        wanted = self._words.texts(texts)
        found = self._reader.search_texts(wanted, int(k), int(threads), self._k1, self._b, self._words.key)
        return [as_hits(each) for each in found]

    def close(self) -> None:
        """Close the index; closing twice is no error."""
        self._reader.close()

    def __enter__(self) -> "Bm25Engine":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
