"""BM25 as Anserini computes it: the text baseline."""

from collections.abc import Iterable, Sequence
from math import inf
from pathlib import Path

from sparseembed.engines.base import Hit, check_count
from sparseembed.engines.lucene_folder import LuceneFolder, raise_clause_limit
from sparseembed.errors import ConfigError
from sparseembed.index.lucene_writer import FIELD, LuceneWriter
from sparseembed.java.jvm import in_threads, java, java_errors, safe_text


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
        with java_errors("setting up Lucene"):
            analyzer = java("io.anserini.analysis.DefaultEnglishAnalyzer").newDefaultInstance()
            similarity = java("org.apache.lucene.search.similarities.BM25Similarity")()
        with LuceneWriter(folder, analyzer, similarity) as writer:
            for doc_id, contents in sorted(documents, key=lambda document: document[0]):
                writer.add_text(doc_id, safe_text(contents))
        return writer.documents


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
        with java_errors("setting up Lucene"):
            raise_clause_limit()
            self._analyzer = java("io.anserini.analysis.DefaultEnglishAnalyzer").newDefaultInstance()
            self._generator = java("io.anserini.search.query.BagOfWordsQueryGenerator")()
            similarity = java("org.apache.lucene.search.similarities.BM25Similarity")(float(k1), float(b))
        self._reader = LuceneFolder(folder, similarity, verify)

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
        check_count("k", k)
        return self._search(text, int(k))

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
        return in_threads(lambda text: self._search(text, int(k)), texts, int(threads))

    def close(self) -> None:
        """Close the index; closing twice is no error."""
        self._reader.close()

    def __enter__(self) -> "Bm25Engine":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _search(self, text: str, k: int) -> list[Hit]:
        text, analyzer, generator = safe_text(text), self._analyzer, self._generator
        with java_errors("building a query"):
            query = generator.buildQuery(FIELD, analyzer, text)
        return self._reader.top(query, k)
