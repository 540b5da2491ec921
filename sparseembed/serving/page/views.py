"""What the templates show: plain values, computed from a searcher."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sparseembed.retrieval.parts import Compared, Comparison
from sparseembed.retrieval.rescoring import Rescored
from sparseembed.serving.found import Found, excerpt, title_of
from sparseembed.serving.page.rendering import Piece, pieces

if TYPE_CHECKING:
    from sparseembed.retrieval.insight import Insight, Shown, Spelled
    from sparseembed.retrieval.searcher import Searcher

EXCERPT = 320  # characters of a passage, about
HELD = 40  # terms of a document that are shown, at most
FIELDS = 4  # of metadata that are shown with a hit, at most
LONGEST_FIELD = 80
MOST_POSTINGS = 200_000_000  # of an index whose documents' vectors are shown: they take a look at every posting


class Bar(NamedTuple):
    """A term as a bar of two parts, as shares of the longest bar.

    :param literal: What the words of the text earn.
    :param aligned: What the embedding adds.
    :param by_meaning: Whether the term does not stand in the text.
    """

    term: str
    literal: float
    aligned: float
    literal_share: float
    aligned_share: float
    by_meaning: bool

    @property
    def score(self) -> float:
        """Both parts."""
        return self.literal + self.aligned


class HitView(NamedTuple):
    """A hit as it is shown."""

    rank: int
    id: str
    title: str
    score: float
    excerpt: list[Piece]
    cut_before: bool
    cut_after: bool
    passage: str
    bars: list[Bar]
    by_terms: float
    from_words: float
    from_meaning: float
    meant: list[str]
    missing: list[str]
    rescored: Rescored | None
    fields: list[tuple[str, str]]


def hit_view(found: Found, spelled: "Spelled") -> HitView:
    """Return a hit as it is shown.

    :param found: The hit.
    :param spelled: Spells terms.
    """
    shown, told = found.shown, found.shown.explanation
    start = len(found.title) if shown.passage.startswith(found.title) else 0
    part = excerpt(shown.passage, shown.marks, EXCERPT, start)
    found_bars = bars(shown, spelled)
    return HitView(
        rank=found.rank,
        id=found.id,
        title=found.title,
        score=found.score,
        excerpt=pieces(part.text, [mark._replace(term=spelled(mark.term)) for mark in part.marks]),
        cut_before=part.cut_before,
        cut_after=part.cut_after,
        passage=f"passage {told.passage.number} of {told.passage.of}" if told.passage is not None else "",
        bars=found_bars,
        by_terms=told.by_terms,
        from_words=sum(bar.literal for bar in found_bars),
        from_meaning=sum(bar.aligned for bar in found_bars),
        meant=[spelled(term.term) for term in told.terms if term.origin != "literal"],
        missing=[*map(spelled, told.unmatched)],
        rescored=told.rescored,
        fields=fields(found.metadata),
    )


def bars(shown: "Shown", spelled: "Spelled") -> list[Bar]:
    """Return the shared terms of a hit as bars, by falling score."""
    terms = shown.explanation.terms
    longest = max((term.score for term in terms), default=1)
    return [
        Bar(
            spelled(term.term),
            shown.words[term.term],
            term.score - shown.words[term.term],
            shown.words[term.term] / longest,
            (term.score - shown.words[term.term]) / longest,
            term.origin != "literal",
        )
        for term in terms
    ]


def fields(metadata: Any) -> list[tuple[str, str]]:
    """Return the first short fields of metadata, but the title."""
    told = []
    for name, value in metadata.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if name != "title" and value not in (None, "", []) and len(text) <= LONGEST_FIELD:
            told.append((name, text))
    return told[:FIELDS]


class Ranked(NamedTuple):
    """A document in one of the rankings side by side.

    :param places: Its ranks in the other rankings, by their names; only those in which it is shown.
    """

    id: str
    title: str
    literal: int
    aligned: int
    literal_share: float
    aligned_share: float
    places: list[tuple[str, int]]


class Column(NamedTuple):
    """One ranking."""

    key: str
    name: str
    about: str
    hits: list[Ranked]


COLUMNS = (
    ("literal", "Words alone", "BM25: what words of the query that stand in a document earn."),
    ("both", "This index", "Both parts in one sum, as it is searched."),
    ("aligned", "Meaning alone", "Aligned tokens: what the embeddings of documents add."),
)


def columns(searcher: "Searcher", found: Comparison) -> list[Column]:
    """Return the rankings of a comparison."""
    rankings: dict[str, Sequence[Compared]] = {key: getattr(found, key) for key, _, _ in COLUMNS}
    ranks = {key: {each.id: rank for rank, each in enumerate(ranking, 1)} for key, ranking in rankings.items()}
    longest = max((each.score for ranking in rankings.values() for each in ranking), default=1)

    def view(key: str, each: Compared) -> Ranked:
        places = [
            (name, ranks[other][each.id]) for other, name, _ in COLUMNS if other != key and each.id in ranks[other]
        ]
        title = title_of(each.id, searcher.text(each.id), searcher.metadata(each.id))
        shares = each.literal / longest, each.aligned / longest
        return Ranked(each.id, title, each.literal, each.aligned, *shares, places)

    return [Column(key, name, about, [view(key, each) for each in rankings[key]]) for key, name, about in COLUMNS]


def held_bars(insight: "Insight", doc_id: str, text: str) -> list[Bar]:
    """Return the terms with the largest impacts that the index holds for a document.

    :param insight: Of the index.
    :param doc_id: The document.
    :param text: Its text, or the first part of it, whose spellings come first.
    """
    held, spelled = insight.held(doc_id)[:HELD], insight.spelled(text)
    longest = max((each.literal + each.aligned for each in held), default=1)
    return [
        Bar(
            spelled(each.term),
            each.literal,
            each.aligned,
            each.literal / longest,
            each.aligned / longest,
            not each.stands,
        )
        for each in held
    ]
