"""What the tools for agents answer, made of an index."""

from collections.abc import Mapping

from mcp.server.mcpserver.exceptions import ToolError

from sparseembed.data.metadata import Value
from sparseembed.retrieval.insight import Spelled
from sparseembed.retrieval.searcher import Searcher
from sparseembed.serving.agents.answers import (
    AgentHit,
    AgentRescoring,
    AgentTerm,
    DocumentAnswer,
    ExplainAnswer,
    SearchAnswer,
)
from sparseembed.serving.found import Found, excerpt, find, title_of
from sparseembed.text import shown

PASSAGE = 600  # characters of a hit's passage, about
_LONGEST_VALUE = 300  # characters of a text in metadata


def search_answer(searcher: Searcher, index: str, query: str, k: int, filter: list[str]) -> SearchAnswer:
    """Return what `search` tells: the hits, and what to do where there are none.

    :raises SparseEmbedError: The query or a condition cannot be used.
    """
    spelled = searcher.insight.spelled(query)
    hits = [_hit(each, spelled) for each in find(searcher, query, k, filter or None)]
    among = " that meets the filter" if filter else ""
    advice = None if hits else f"No document{among} shares a term with the query: use other or more words."
    return SearchAnswer(index=index, hits=hits, advice=advice)


def explain_answer(searcher: Searcher, query: str, doc_id: str) -> ExplainAnswer:
    """Return what `explain` tells of a document.

    :raises SparseEmbedError: There is no such document.
    """
    [each] = searcher.insight.show(query, [doc_id])
    spelled, told = searcher.insight.spelled(query), each.explanation
    parts = told.rescored
    terms = [
        AgentTerm(
            term=spelled(term.term),
            stands_in_document=term.origin == "literal",
            score=term.score,
            from_words=each.words[term.term],
            from_meaning=term.score - each.words[term.term],
        )
        for term in told.terms
    ]
    rescored = parts and AgentRescoring(
        from_terms=parts.from_terms, from_embedding=parts.from_embedding, from_neighbours=parts.from_neighbours
    )
    missing = [*map(spelled, told.unmatched)]
    return ExplainAnswer(id=doc_id, score=told.score, terms=terms, missing=missing, rescored=rescored)


def document_answer(searcher: Searcher, doc_id: str, start: int, length: int) -> DocumentAnswer:
    """Return a part of a document.

    :param start: The first character.
    :param length: Characters at most.
    :raises SparseEmbedError: There is no such document.
    :raises ToolError: It has no such character.
    """
    text, metadata = searcher.text(doc_id), searcher.metadata(doc_id)
    if start > len(text):
        raise ToolError(f"start is {start:,}, and the document {shown(doc_id)} has {len(text):,} characters")
    end = min(start + length, len(text))
    return DocumentAnswer(
        id=doc_id,
        title=title_of(doc_id, text, metadata),
        text=text[start:end],
        start=start,
        total_characters=len(text),
        next_start=end if end < len(text) else None,
        metadata=_cut(metadata),
    )


def _hit(found: Found, spelled: Spelled) -> AgentHit:
    told = found.shown.explanation
    part = excerpt(found.shown.passage, found.shown.marks, PASSAGE)
    return AgentHit(
        rank=found.rank,
        id=found.id,
        title=found.title,
        score=found.score,
        passage="…" * part.cut_before + part.text + "…" * part.cut_after,
        matched_words=[spelled(term.term) for term in told.terms if term.origin == "literal"],
        matched_by_meaning=[spelled(term.term) for term in told.terms if term.origin != "literal"],
        metadata=_cut(found.metadata),
    )


def _cut(metadata: Mapping[str, Value]) -> dict[str, Value]:
    return {
        name: value[:_LONGEST_VALUE] + "…" if isinstance(value, str) and len(value) > _LONGEST_VALUE else value
        for name, value in metadata.items()
    }
