"""What requests and responses consist of: the OpenAPI schema is made of these."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from sparseembed.data.corpus import LONGEST_ID

MOST_NAMES = 64
"""Names of a request, or values of a list in it, at most. Each that is wrong is told, and takes time."""

LONGEST_CONDITION = 8_000
"""Characters of a filter, at most."""

MOST_DOCUMENTS = 10_000
"""Documents that one request may add, at most."""

_FIELD = r"^(text|passage|metadata(\..+)?)$"


def _listed(value: Any) -> Any:
    """Take one text as a list of one."""
    return [value] if isinstance(value, str) else value


def _parted(value: Any) -> Any:
    """Take `a,b` as two fields, as they are written in a URL."""
    value = _listed(value)
    if not isinstance(value, list):
        return value
    parts: list[Any] = []
    for each in value[: MOST_NAMES + 1]:  # one more is refused
        parts += each.split(",", MOST_NAMES) if isinstance(each, str) else [each]
    return parts


_FieldName = Annotated[str, Field(pattern=_FIELD)]
_Fields = Annotated[list[_FieldName], BeforeValidator(_parted)]
_Condition = Annotated[str, Field(max_length=LONGEST_CONDITION, json_schema_extra={"pattern": "[=<>]"})]
_Filters = Annotated[list[_Condition], BeforeValidator(_listed)]


class Strict(BaseModel):
    """What a request consists of: known names alone."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and len(value) > MOST_NAMES:
            raise PydanticCustomError("too_many", f"There are {len(value):,} names, and {len(cls.model_fields)} known")
        return value


class Asked(Strict):
    """A query, where it is searched, and how."""

    query: str = Field(description="The query's text.")
    index: str | None = Field(None, description="Name of the index; the server's first when left out.")
    filter: _Filters = Field(
        [],
        max_length=MOST_NAMES,
        description="Conditions on metadata, such as `year>=2019` or `lang=de|fr`: all are to be met.",
    )
    expand: int | None = Field(
        None, ge=0, description="Aligned terms added to the query: 0, or as many as the server was started with."
    )
    encoder: Literal["none", "static", "small", "full", "auto"] | None = Field(
        None, description="What encodes the query to rescore hits: `none`, or what the server was started with."
    )
    feedback: bool | None = Field(None, description="Whether hits like a hit count for it. Needs no model.")


class SearchRequest(Asked):
    """A search."""

    k: int = Field(10, ge=1, le=2**31 - 1, description="Hits wanted.")
    fields: _Fields = Field(
        ["text", "metadata", "passage"],
        max_length=MOST_NAMES,
        description="What comes with each hit: `text`, `metadata`, `metadata.NAME` for one field of it, `passage`.",
    )


class ExplainRequest(Asked):
    """A question why a document has its score."""

    id: str = Field(description="Id of the document.")


class PassageFound(BaseModel):
    """The passage of a document that carried it: `start` and `end` are places in the document's text, in characters."""

    number: int
    of: int
    start: int
    end: int
    text: str
    focus: int
    score: int


class HitFound(BaseModel):
    """A document that was found. The score is a whole number; where hits are rescored, about 0 to 1."""

    rank: int
    id: str
    score: int | float
    text: str | None = None
    metadata: dict[str, Any] | None = None
    passage: PassageFound | None = None


class SearchResponse(BaseModel):
    """Hits, best first, and the commit of the index that they are of."""

    index: str
    generation: int
    hits: list[HitFound]


class TermShared(BaseModel):
    """A term that query and document share: `query_weight` x `impact` = `score`.

    Its origin is `literal` where it stands in the document's text, else `expansion`.
    """

    term: str
    origin: Literal["literal", "expansion"]
    query_weight: int
    impact: int
    score: int


class NeighbourFound(BaseModel):
    """A hit like another one, and what it adds to that one's score."""

    id: str
    weight: float
    adds: float


class RescoredHit(BaseModel):
    """What a rescored hit's score is the sum of."""

    score: float
    from_terms: float
    from_embedding: float
    from_neighbours: float
    cosine: float | None = None
    neighbours: list[NeighbourFound]


class ExplainResponse(BaseModel):
    """Why a document has its score: the scores of its terms sum to its score, or to its score before rescoring."""

    index: str
    generation: int
    id: str
    score: int | float
    terms: list[TermShared]
    unmatched: list[str]
    rescored: RescoredHit | None = None
    passage: PassageFound | None = None
    filtered: bool | None = Field(default=None, description="True where the document does not meet the filter: no hit.")


class DocumentFound(BaseModel):
    """A document as the index holds it; its text begins with its title."""

    index: str
    generation: int
    id: str
    text: str
    metadata: dict[str, Any]


class NewDocument(Strict):
    """A document to be added."""

    model_config = ConfigDict(strict=True)

    id: str = Field(
        min_length=1,
        description="Unique, without white space.",
        json_schema_extra={"pattern": r"^[^\s\u0000-\u001f\u007f-\u009f]+$", "maxLength": LONGEST_ID},
    )
    title: str = ""
    text: str = ""
    metadata: dict[str, Any] = {}


class AddRequest(Strict):
    """Documents to be added in one step."""

    model_config = ConfigDict(strict=True)

    documents: list[NewDocument] = Field(min_length=1, max_length=MOST_DOCUMENTS)
    index: str | None = Field(None, description="Name of the index; the server's first when left out.")
    replace: bool = Field(False, description="Whether a document whose id the index has is replaced, or all refused.")


class ChangeResponse(BaseModel):
    """An index after a change: the number of its commit, and of its documents."""

    index: str
    generation: int
    documents: int


class IndexFound(BaseModel):
    """An index of a server: what it holds and what it was made of, in the terms of its manifest."""

    name: str
    default: bool
    documents: int
    terms: int
    generation: int
    build: str
    corpus: str
    embedder: str
    term_space: str
    analyzer: str | None
    fields: list[str] = Field(description="Names of metadata fields, for filters.")
    rescoring: bool = Field(description="Whether it carries embeddings, which feedback and query encoders need.")


class IndexList(BaseModel):
    """The indexes of a server, and how it searches them where a request does not say."""

    indexes: list[IndexFound]
    expand: int
    encoder: str
    feedback: bool
    max_k: int
    max_query: int
