"""A collection: a corpus with queries and judgements, which are read when they are first asked for."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from sparseembed.data.corpus import Corpus, id_problem
from sparseembed.data.qrels import Qrels
from sparseembed.errors import DataError
from sparseembed.text import clean_text, shown

_LOGGER = logging.getLogger("sparseembed")


class JudgementCounts(NamedTuple):
    """How many judgements a split has, and how many of them name what the collection lacks."""

    judgements: int
    unknown_documents: int  # judgements whose document is not in the corpus
    unknown_queries: int  # judgements whose query is not among the queries


@dataclass
class _Loaded:
    """What has been read so far."""

    queries: dict[str, str] | None = None
    qrels: dict[str, Qrels] = field(default_factory=dict)
    counts: dict[str, JudgementCounts] = field(default_factory=dict)


@dataclass(frozen=True)
class Collection:
    """A corpus, its queries and its judgements.

    `load_queries` returns all queries (id -> text) and `load_qrels` the judgements of one of `splits`; each is called
    once, when first needed.
    """

    corpus: Corpus
    splits: tuple[str, ...]
    load_queries: Callable[[], dict[str, str]] = field(repr=False)
    load_qrels: Callable[[str], Qrels] = field(repr=False)
    _loaded: _Loaded = field(default_factory=_Loaded, init=False, repr=False, compare=False)

    @classmethod
    def in_memory(cls, corpus: Corpus, queries: Mapping[str, str], qrels: Mapping[str, Qrels]) -> Self:
        """Make a collection of what is in memory already.

        :param corpus: The documents.
        :param queries: Query id -> text, of all splits.
        :param qrels: Split -> query id -> document id -> grade.
        :return: The collection.
        """
        cleaned = {query_id: clean_text(text) for query_id, text in queries.items()}
        return cls(corpus, tuple(qrels), lambda: cleaned, lambda split: qrels[split])

    @classmethod
    def without_queries(cls, corpus: Corpus) -> Self:
        """Make a collection of a corpus alone: it can be indexed and searched, but not evaluated.

        :param corpus: The documents.
        :return: The collection, with no split.
        """
        return cls.in_memory(corpus, {}, {})

    def queries(self, split: str) -> dict[str, str]:
        """Give the queries that have a judgement in a split.

        :param split: One of `splits`.
        :return: Query id -> text, in the order of the queries' file.
        :raises DataError: If there is no such split, a file is wrong, or no judged query has a text.
        """
        qrels = self.qrels(split)
        queries = {query_id: text for query_id, text in self._all_queries().items() if query_id in qrels}
        if not queries:
            raise DataError(
                f"collection {self.corpus.name}, split {shown(split)}: none of its {len(qrels):,} judged queries is "
                f"among the queries (the first is {shown(next(iter(qrels)))}): make the query ids of both files agree"
            )
        return queries

    def qrels(self, split: str) -> Qrels:
        """Give the judgements of a split; one that names an unknown document or query stays, and a warning counts it.

        :param split: One of `splits`.
        :return: Query id -> document id -> grade.
        :raises DataError: If there is no such split, or a file is wrong.
        """
        if split not in self.splits:
            known = f"use one of {', '.join(self.splits)}" if self.splits else "it has no judgements, so no split"
            raise DataError(f"collection {self.corpus.name} has no split {shown(split)}: {known}")
        if split not in self._loaded.qrels:
            qrels = self.load_qrels(split)
            self._check_ids("query", qrels)
            self._check_ids("document", (document for judged in qrels.values() for document in judged))
            self._loaded.counts[split] = self._count(split, qrels)
            self._loaded.qrels[split] = qrels
        return self._loaded.qrels[split]

    def counts(self, split: str) -> JudgementCounts:
        """Count a split's judgements, and those that name an unknown document or query.

        :param split: One of `splits`.
        :return: The counts.
        :raises DataError: If there is no such split, or a file is wrong.
        """
        self.qrels(split)
        return self._loaded.counts[split]

    def _all_queries(self) -> dict[str, str]:
        if self._loaded.queries is None:
            queries = self.load_queries()
            self._check_ids("query", queries)
            self._loaded.queries = queries
        return self._loaded.queries

    def _check_ids(self, kind: str, ids: Iterable[str]) -> None:
        """Refuse ids that no run file could hold, before any work: a source may have its own idea of an id."""
        for identifier in ids:
            if problem := id_problem(identifier):
                raise DataError(f"collection {self.corpus.name}, {kind}: {problem}")

    def _count(self, split: str, qrels: Qrels) -> JudgementCounts:
        queries = self._all_queries()
        total = sum(len(judged) for judged in qrels.values())
        documents = [doc for judged in qrels.values() for doc in judged if not self.corpus.has_id(doc)]
        unknown = [query for query, judged in qrels.items() if query not in queries for _ in judged]
        for what, names in (("document", documents), ("query", unknown)):
            if names:
                _LOGGER.warning(
                    "%s, split %s: %d of %d judgements name an unknown %s (the first is %s); they still count",
                    *(self.corpus.name, split, len(names), total, what, shown(names[0])),
                )
        return JudgementCounts(total, len(documents), len(unknown))
