"""BM25 with pseudo-relevance feedback as Anserini has it, RM3 and Rocchio: baselines of feedback from documents.

Anserini indexes and searches by itself, with its own defaults; its index keeps each document's terms, which feedback
reads. Only the baselines of an evaluation use it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sparseembed.analyzers.registry import DEFAULT
from sparseembed.engines.base import Hit
from sparseembed.engines.bm25 import LuceneWords
from sparseembed.java.jvm import java, java_errors
from sparseembed.sparse.bm25 import K1, B

FEEDBACK: dict[str, Callable[[Any, bool], object]] = {
    # Terms, documents, weight of the query; no trace; terms of letters and digits of ASCII alone, or all.
    "rm3": lambda searcher, english: searcher.set_rm3(None, 10, 10, 0.5, False, english),
    # Terms and documents, of the best and of the worst; weights of query, best and worst; no trace; the best alone.
    "rocchio": lambda searcher, english: searcher.set_rocchio(None, 10, 10, 10, 10, 1.0, 0.75, 0.0, False, False),
}
"""Each with the parameters that Pyserini documents as the defaults, for texts in English; others keep all terms."""


def index_with_terms(folder: Path, documents: Iterable[tuple[str, str]], analyzer: str = DEFAULT) -> None:
    """Index texts with Anserini, each document's terms included.

    :param folder: Where to write.
    :param documents: (id, contents); a blank text is left out.
    :param analyzer: Name of the analyzer; Anserini takes its own for the language.
    :raises EngineError: Anserini fails.
    """
    with java_errors(f"indexing into {folder} with Anserini"):
        _quiet()
        words = LuceneWords(analyzer)
        language = ["-pretokenized"] if words.key == "whitespace" else ["-language", words.key]
        where = ["-input", "", "-collection", "JsonCollection", "-threads", "1", "-index", str(folder)]
        indexer = java("io.anserini.index.SimpleIndexer")([*where, "-storeDocvectors", *language])
        for doc_id, contents in documents:
            if not contents.strip():  # which Anserini takes for an error
                continue
            indexer.addRawDocument(json.dumps({"id": doc_id, "contents": words.texts([contents])[0]}))
        indexer.close()


class FeedbackSearcher:
    """Searches an index of `index_with_terms`."""

    def __init__(self, folder: Path, kind: str | None, analyzer: str = DEFAULT) -> None:
        """Open it.

        :param folder: The index.
        :param kind: `rm3` or `rocchio`; None for BM25 alone.
        :param analyzer: Name of the analyzer that it was built with.
        :raises EngineError: Anserini fails.
        """
        with java_errors(f"opening {folder} with Anserini"):
            _quiet()
            self._searcher = java("io.anserini.search.SimpleSearcher")(str(folder))
            self._words = LuceneWords(analyzer)
            if self._words.key == "whitespace":
                self._searcher.set_analyzer(java("org.apache.lucene.analysis.core.WhitespaceAnalyzer")())
            elif analyzer != DEFAULT:
                self._searcher.set_language(self._words.key)
            self._searcher.set_bm25(K1, B)
            if kind is not None:
                FEEDBACK[kind](self._searcher, analyzer == DEFAULT)

    def search(self, text: str, k: int) -> list[Hit]:
        """Find the k best documents for one query."""
        return self.search_batch({"": text}, k, threads=1)[0]

    def search_batch(self, queries: Mapping[str, str], k: int, threads: int = 1) -> list[list[Hit]]:
        """Find the k best documents of each of many queries.

        :param queries: id -> text; a blank one finds nothing.
        :param k: Hits wanted.
        :param threads: Queries searched at the same time.
        :return: One list of hits a query, in the order of the queries.
        :raises EngineError: Anserini fails.
        """
        asked = {query: text for query, text in queries.items() if text.strip()}
        with java_errors("searching with Anserini"):
            texts = self._words.texts(list(asked.values()))
            found = self._searcher.batch_search(_list(texts), _list(list(asked)), k, threads)
            return [
                [Hit(hit.docid, float(hit.score), rank) for rank, hit in enumerate(found.get(query) or [], 1)]
                if query in asked
                else []
                for query in queries
            ]

    def close(self) -> None:
        """Close the index."""
        self._searcher.close()


def _list(values: Sequence[str]) -> Any:
    made = java("java.util.ArrayList")()
    for value in values:
        made.add(value)
    return made


def _quiet() -> None:
    """Keep Anserini from telling its settings."""
    java("org.apache.logging.log4j.core.config.Configurator").setLevel(
        "io.anserini", java("org.apache.logging.log4j.Level").WARN
    )
