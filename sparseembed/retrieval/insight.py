"""What can be told of one commit of an index: why documents have their scores, and what the parts of scores are."""

from collections.abc import Callable, Sequence, Set
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sparseembed.engines.base import Engine, Passage
from sparseembed.index.snapshot import Snapshot
from sparseembed.retrieval.association import Mark, find_marks
from sparseembed.retrieval.explain import Explanation, explain
from sparseembed.retrieval.parts import Comparison, compare, literal_impacts
from sparseembed.retrieval.places import places
from sparseembed.retrieval.query import InferenceFree, QueryEncoder, check_text
from sparseembed.retrieval.rescoring import Rescorer
from sparseembed.sparse.literal import LiteralTerms, WordTerms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparseembed.alignment.adjustment import Adjustment
    from sparseembed.index.filters import FilterLike
    from sparseembed.index.selection import Selection
    from sparseembed.index.statistics import Statistics


MARKED = 100_000
"""Characters of a passage whose words are looked for, at most."""

Spelled = Callable[[str], str]
"""Gives a term as people write it."""


class Fitted:
    """What a commit was fitted to, read when first needed, and kept as long as the commit is open."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take the commit's files."""
        self._snapshot = snapshot

    @cached_property
    def statistics(self) -> "Statistics":
        """All that was fitted."""
        return self._snapshot.statistics()

    @cached_property
    def surfaces(self) -> dict[str, str]:
        """The usual spelling of each word; nothing where terms are pieces."""
        from sparseembed.sparse.terms import JoinedSpace, WordSpace

        space = self.statistics.space
        words = space.words if isinstance(space, JoinedSpace) else space
        return dict(zip(words.terms, words.surfaces, strict=True)) if isinstance(words, WordSpace) else {}

    @cached_property
    def labels(self) -> dict[str, str]:
        """Each term for people."""
        space = self._snapshot.space
        return dict(zip(space.terms, space.labels, strict=True))


class Commit(Protocol):
    """A commit of an index and what searches it."""

    snapshot: Snapshot
    engine: Engine
    literal: LiteralTerms
    query_encoder: QueryEncoder
    rescorer: Rescorer | None

    @property
    def fitted(self) -> Fitted:
        """What it was fitted to."""

    def selection(self, given: "FilterLike | None") -> "Selection | None":
        """Return the documents that meet conditions."""

    def passage(self, query: "Mapping[str, int]", doc_id: str) -> Passage | None:
        """Find the passage of a document that a query's terms say most for."""


class Shown(NamedTuple):
    """What is to be shown of a hit.

    :param explanation: Why it has its score.
    :param text: Its whole text.
    :param passage: The passage that carried it; the text where it is one passage.
    :param words: Shared term, for people -> the part of its score that the words of the text earn; the embedding adds
        the rest.
    :param marks: The words of the passage that made it match, in order; of its first `MARKED` characters.
    """

    explanation: Explanation
    text: str
    passage: str
    words: dict[str, int]
    marks: list[Mark]


class HeldTerm(NamedTuple):
    """A term of a document in the index.

    :param term: The term for people.
    :param literal: The part of its impact that the words of the text earn.
    :param aligned: The part that the embedding adds.
    :param stands: Whether the term stands in the text.
    """

    term: str
    literal: int
    aligned: int
    stands: bool


class Insight:
    """Tells about one commit. What takes the whole statistics reads them once; no model is loaded but for queries.

    It is made anew for each use and kept by nobody, so that nothing keeps a commit that is not searched any more.
    """

    def __init__(self, commit: Commit) -> None:
        """Use `Searcher.insight` instead."""
        self._commit = commit

    def explain(self, text: str, doc_ids: Sequence[str], filter: "FilterLike | None" = None) -> list[Explanation]:
        """Say why documents have their scores for one query, which is encoded once.

        :param text: The query.
        :param doc_ids: The documents.
        :param filter: As in `Searcher.search`.
        :return: One explanation a document.
        :raises DataError: The index has no such document.
        :raises ConfigError: A filter as in `search`.
        """
        check_text(text)
        return self._explained(self._commit.query_encoder.encode(text), text, doc_ids, filter)

    def show(self, text: str, doc_ids: Sequence[str], filter: "FilterLike | None" = None) -> list[Shown]:
        """Explain, and find in the passages of documents the words that made them match.

        :param text: The query.
        :param doc_ids: The documents.
        :param filter: As in `Searcher.search`.
        :return: For each document what is to be shown of it.
        :raises DataError: The index has no such document.
        :raises ConfigError: A filter as in `search`.
        """
        check_text(text)
        query = self._commit.query_encoder.encode(text)
        own = InferenceFree(self._commit.literal).encode(text).keys()
        return [self._shown(query, own, told) for told in self._explained(query, text, doc_ids, filter)]

    def _explained(
        self, query: "Mapping[str, int]", text: str, doc_ids: Sequence[str], filter: "FilterLike | None"
    ) -> list[Explanation]:
        commit = self._commit
        selection = commit.selection(filter)
        told = [self._by_terms(query, doc_id) for doc_id in doc_ids]
        if selection is not None:
            stand = [commit.snapshot.place(doc_id) for doc_id in doc_ids]
            told = [
                each._replace(filtered=bool(selection.hidden[place.segment][place.number]))
                for each, place in zip(told, stand, strict=True)
            ]
        rescorer = commit.rescorer
        if rescorer is None:
            return told
        hits = commit.engine.search(query, rescorer.candidates, selection)
        vector = rescorer.encode([text])[0]
        for place, doc_id in enumerate(doc_ids):
            rescored = rescorer.explained(hits, doc_id, vector, selection)
            if rescored is not None:
                told[place] = told[place]._replace(score=rescored.score, rescored=rescored)
        return told

    def _by_terms(self, query: "Mapping[str, int]", doc_id: str) -> Explanation:
        place = self._commit.snapshot.place(doc_id)
        segment = self._commit.snapshot.segments[place.segment]
        impacts = segment.impacts(place.number, list(query))
        literal = set(self._commit.literal.of(segment.text(place.number)))
        told = explain(doc_id, query, impacts, literal, self.label)
        return told._replace(passage=self._commit.passage(query, doc_id))

    def _shown(self, query: "Mapping[str, int]", own: Set[str], told: Explanation) -> Shown:
        """Put together what is to be shown of a document.

        :param query: Term -> weight.
        :param own: The terms of the query that stand in its text.
        :param told: The document, explained.
        """
        place = self._commit.snapshot.place(told.id)
        segment = self._commit.snapshot.segments[place.segment]
        text = segment.text(place.number)
        passage = text if told.passage is None else told.passage.text
        impacts = segment.impacts(place.number, list(query))
        shared = [term for term, impact in zip(query, impacts, strict=True) if impact]
        parts = literal_impacts(self.statistics, [text], shared)[0].tolist()
        words = {self.label(term): part * query[term] for term, part in zip(shared, parts, strict=True)}
        brought = {term.term for term in told.terms if term.origin == "expansion"}
        absent = [term for term in shared if self.label(term) in brought]
        marks = find_marks(segment, shared, absent, own, places(self._commit.literal, passage[:MARKED]))
        return Shown(told, text, passage, words, [mark._replace(term=self.label(mark.term)) for mark in marks])

    def spelled(self, text: str = "") -> Spelled:
        """Return what spells terms as people write them: *everything* where an analyzer has made *everyth* of it.

        :param text: A text whose spellings come first, such as the query; then those of the index's vocabulary.
        """
        of_text: dict[str, str] = {}
        for place in places(self._commit.literal, text):
            of_text.setdefault(self.label(place.term), text[place.start : place.end])
        return lambda term: of_text.get(term) or self._commit.fitted.surfaces.get(term, term)

    def label(self, term: str) -> str:
        """Return a term as people read it: pieces stand in the index as decimal ids."""
        return term if isinstance(self._commit.literal, WordTerms) else self._commit.fitted.labels.get(term, term)

    def compare(self, text: str, k: int = 10) -> Comparison:
        """Rank a query by its words alone (BM25), by aligned tokens alone, and by both; no model is asked.

        :param text: The query.
        :param k: Documents wanted of each.
        :raises ConfigError: k < 1.
        """
        query = InferenceFree(self._commit.literal).encode(text)
        if not query:
            return Comparison([], [], [], 0, True)
        read = partial(literal_impacts, self.statistics)
        return compare(self._commit.engine, query, k, self._commit.snapshot.text, read)

    def held(self, doc_id: str) -> list[HeldTerm]:
        """Return the terms that the index holds for a document, by falling impact; its whole segment is gone through.

        :raises DataError: The index has no such document.
        """
        place = self._commit.snapshot.place(doc_id)
        segment = self._commit.snapshot.segments[place.segment]
        vector = segment.vector(place.number)
        text = segment.text(place.number)
        words = literal_impacts(self.statistics, [text], list(vector))[0]
        there = set(self._commit.literal.of(text))
        found = [
            HeldTerm(self.label(term), word, impact - word, term in there)
            for (term, impact), word in zip(vector.items(), words.tolist(), strict=True)
        ]
        return sorted(found, key=lambda each: (-each.literal - each.aligned, each.term))

    def adjustment(self, side: str) -> "Adjustment":
        """Read the adjustment of one side's embeddings, `document` or `query`."""
        return self._commit.snapshot.adjustment(side)

    @property
    def statistics(self) -> "Statistics":
        """All that was fitted, read when first needed."""
        return self._commit.fitted.statistics
