"""What the tools answer: models whose JSON schemas agents are shown."""

from pydantic import BaseModel, Field

_Scalar = str | int | float | bool | None
Metadata = dict[str, _Scalar | list[_Scalar]]


class AgentHit(BaseModel):
    """A document found."""

    rank: int = Field(description="From 1, best first.")
    id: str = Field(description="Pass it to get_document or explain.")
    title: str
    score: float = Field(description="Comparable within one query only.")
    passage: str = Field(description="The part of the document that matched best, not the whole document.")
    matched_words: list[str] = Field(
        description="Words of the query that stand in the document, in any of their forms."
    )
    matched_by_meaning: list[str] = Field(
        description="Words of the query that do not stand in it: its embedding brought them."
    )
    metadata: Metadata = Field(description="What the collection says of the document, long texts cut.")


class SearchAnswer(BaseModel):
    """The best documents for a query."""

    index: str = Field(description="The index that was searched.")
    hits: list[AgentHit]
    advice: str | None = Field(description="What to try where nothing was found; else null.")


class AgentTerm(BaseModel):
    """What one term of the query adds to a document's score."""

    term: str
    stands_in_document: bool = Field(description="False where the document's embedding alone brought the term.")
    score: int = Field(description="What it adds: from_words + from_meaning.")
    from_words: int = Field(description="The part that words of the text earn (BM25).")
    from_meaning: int = Field(description="The part that the document's embedding adds.")


class AgentRescoring(BaseModel):
    """What rescoring by embeddings makes of a document: the three parts sum to its score."""

    from_terms: float
    from_embedding: float
    from_neighbours: float


class ExplainAnswer(BaseModel):
    """Why a document has its score."""

    id: str
    score: float = Field(description="0 where the query and the document share no term.")
    terms: list[AgentTerm] = Field(description="The shared terms, by falling score.")
    missing: list[str] = Field(description="Terms of the query that the document lacks.")
    rescored: AgentRescoring | None = Field(
        description="Null where scores are by terms alone; terms then sum to score."
    )


class DocumentAnswer(BaseModel):
    """A document, or a part of a long one."""

    id: str
    title: str
    text: str
    start: int = Field(description="Where this part begins in the whole text, in characters.")
    total_characters: int
    next_start: int | None = Field(description="Pass it as start for the next part; null at the end.")
    metadata: Metadata = Field(description="What the collection says of the document, long texts cut.")
