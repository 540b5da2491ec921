"""Why a document has the score it has."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sparseembed.engines.base import Passage
from sparseembed.retrieval.rescoring import Rescored


class SharedTerm(NamedTuple):
    """A term that a query and a document share.

    :param term: The term for people.
    :param origin: `literal` if it stands in the document's text, else `expansion`.
    :param query_weight: Its weight in the query.
    :param impact: Its impact in the document.
    :param score: query_weight x impact: what it adds to the document's score.
    """

    term: str
    origin: str
    query_weight: int
    impact: int
    score: int


class Explanation(NamedTuple):
    """Why a document has the score it has: the scores of its shared terms sum exactly to its score by terms.

    :param score: The document's score: that by terms, or where it was rescored the new one.
    :param terms: The shared terms, by falling score.
    :param unmatched: Terms of the query that the document lacks, for people.
    :param rescored: What terms and embedding add to the new score; None where it was not rescored.
    :param passage: The passage that carried the document; None where it is one passage.
    :param filtered: Whether the document does not meet the filter: it is no hit then, whatever its score.
    """

    id: str
    score: float
    terms: list[SharedTerm]
    unmatched: list[str]
    rescored: Rescored | None = None
    passage: Passage | None = None
    filtered: bool = False

    @property
    def by_terms(self) -> int:
        """The document's score by terms."""
        return sum(term.score for term in self.terms)


def explain(
    doc_id: str,
    query: Mapping[str, int],
    impacts: Sequence[int],
    literal: set[str],
    label: Callable[[str], str],
) -> Explanation:
    """Put an explanation together.

    :param doc_id: The document.
    :param query: Term -> weight.
    :param impacts: The document's impact for each term of the query, 0 for a term that it lacks.
    :param literal: Terms that stand in its text.
    :param label: Gives a term as people read it.
    """
    shared = [
        SharedTerm(label(term), "literal" if term in literal else "expansion", weight, impact, weight * impact)
        for (term, weight), impact in zip(query.items(), impacts, strict=True)
        if impact
    ]
    shared.sort(key=lambda item: (-item.score, item.term))
    unmatched = [label(term) for term, impact in zip(query, impacts, strict=True) if not impact]
    return Explanation(doc_id, sum(item.score for item in shared), shared, unmatched)
