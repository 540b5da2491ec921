"""The default engine: a Lucene impact index, searched exactly."""

from pathlib import Path

from sparseembed.engines.base import Engine, Hit
from sparseembed.engines.lucene_folder import LuceneFolder, raise_clause_limit
from sparseembed.index.lucene_writer import FIELD, delimited_analyzer
from sparseembed.java.jvm import in_threads, java, java_errors
from sparseembed.sparse.impacts import as_text, is_term


class LuceneEngine(Engine):
    """Searches an impact index: the score is the sum over the shared terms of document weight x query weight.

    Lucene sums in double and gives float32 scores, so they are exact integers below 2^24 (16,777,216), a bound that
    8-bit weights keep away from.
    """

    def __init__(self, folder: Path, verify: bool = True) -> None:
        """Open an index for reading.

        :param folder: what an `ImpactIndexWriter` wrote.
        :param verify: read every file once and compare its checksum (about 1 s a gigabyte).
        :raises IndexFolderError: if there is no index, or a damaged one.
        :raises EngineError: if Java cannot be started.
        """
        with java_errors("setting up Lucene"):
            raise_clause_limit()
            similarity = java("io.anserini.search.similarity.ImpactSimilarity")()
            analyzer = delimited_analyzer("boost.DelimitedBoostTokenFilter")
            self._builder = java("org.apache.lucene.util.QueryBuilder")(analyzer)
        self._reader = LuceneFolder(folder, similarity, verify)

    @property
    def documents(self) -> int:
        """Number of documents, those without terms included."""
        return self._reader.documents

    def close(self) -> None:
        """Close the index; closing twice is no error."""
        self._reader.close()

    def _search(self, query: dict[str, int], k: int) -> list[Hit]:
        # A term that no index can hold matches nothing; sent to Java, white space in it would make other terms of it.
        text = as_text({term: weight for term, weight in query.items() if is_term(term)})
        builder = self._builder
        with java_errors("building a query"):
            parsed = builder.createBooleanQuery(FIELD, text)  # one call for the whole query, not three for each term
        return self._reader.top(parsed, k) if parsed is not None else []

    def _search_batch(self, queries: list[dict[str, int]], k: int, threads: int) -> list[list[Hit]]:
        return in_threads(lambda query: self._search(query, k) if query else [], queries, threads)
