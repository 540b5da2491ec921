"""How impacts stand in an index of these engines, so that its own scoring sums them: one form an entry of `FORMS`.

- `opensearch`: a text field whose tokens bring their term frequency with them (`term|impact`).
- `elasticsearch`: a text field in which each term stands as often as its impact says, for it has no such filter.
- `elasticsearch-vector`: a `sparse_vector` field, which keeps nine significant bits of a weight.

The first two score by a scripted similarity, boost x frequency: an ordinary `match` sums impacts. All scores are exact
integers below 2^24, but for impacts above 511 in a `sparse_vector`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sparseembed.analyzers.languages import WHITESPACE
from sparseembed.errors import ConfigError, DataError
from sparseembed.exports.opensearch.analysis import CHAINS, PREFIX, QUERY, query_analysis
from sparseembed.sparse.impacts import MAX_IMPACT
from sparseembed.text import shown

FIELD = "impacts"
SCRIPT = "return query.boost * doc.freq;"
_IMPACTS = f"{PREFIX}impacts"
_LONGEST = 300  # characters of a token: a term has at most 255
_USUAL, _UNUSUAL = "|", "\u241f"  # what stands between a term and its impact; words hold no bar


class Space(NamedTuple):
    """What of an index decides how its terms are written and asked for.

    :param kind: Its term space.
    :param analyzer: What finds its words; None where terms are pieces alone.
    """

    kind: str
    analyzer: str | None

    @property
    def matched(self) -> bool:
        """Whether a plain query text can be analysed by the engine: in `word+folded`, its words."""
        return self.analyzer in CHAINS

    @property
    def delimiter(self) -> str:
        """What stands between a term and its impact; no term holds it."""
        return _UNUSUAL if self.analyzer == WHITESPACE else _USUAL


Value = str | dict[str, int]


class Form(NamedTuple):
    """A form of the field of impacts.

    :param engine: Its name for people.
    :param written: A space and a document's impacts -> the field's value.
    :param body: A space -> settings and the field's mapping.
    :param vector: Whether the field is asked by a vector of weights, not by text.
    :param exact: The largest impact that it keeps as it is.
    """

    engine: str
    written: Callable[[Space, Mapping[str, int]], Value]
    body: Callable[[Space], tuple[dict[str, Any], dict[str, Any]]]
    vector: bool = False
    exact: int = MAX_IMPACT


def _delimited(space: Space, impacts: Mapping[str, int]) -> Value:
    bad = next((term for term in impacts if space.delimiter in term), None)
    if bad is not None:
        raise DataError(
            f"the term {shown(bad)} holds {shown(space.delimiter)}, which ends a term in this form: replace it in the "
            "documents"
        )
    return " ".join(f"{term}{space.delimiter}{impact}" for term, impact in impacts.items())


def _repeated(space: Space, impacts: Mapping[str, int]) -> Value:
    return " ".join(" ".join([term] * impact) for term, impact in impacts.items())


def _weighted(space: Space, impacts: Mapping[str, int]) -> Value:
    return {feature(term): impact for term, impact in impacts.items()}


def feature(term: str) -> str:
    """Return a term as a `sparse_vector` names it: without dots, which it takes for paths."""
    return term.replace("~", "~t").replace(".", "~d")


def _text_body(space: Space, filters: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    analysis: dict[str, Any] = query_analysis(str(space.analyzer)) if space.matched else {}
    analyzers = analysis.setdefault("analyzer", {})
    analyzers[_IMPACTS] = {"type": "custom", "tokenizer": f"{PREFIX}terms", "filter": list(filters)}
    # Terms come whole: where the engine cannot make them of a text, a query that names them is left.
    analyzers.setdefault(QUERY, {"type": "custom", "tokenizer": f"{PREFIX}terms", "filter": []})
    analysis["tokenizer"] = {f"{PREFIX}terms": {"type": "whitespace", "max_token_length": _LONGEST}}
    if filters:
        analysis["filter"] = {**analysis.get("filter", {}), **filters}
    similarity = {_IMPACTS: {"type": "scripted", "script": {"source": SCRIPT}}}
    field = {
        "type": "text",
        "analyzer": _IMPACTS,
        "search_analyzer": QUERY,
        "similarity": _IMPACTS,
        "index_options": "freqs",
        "norms": False,
    }
    return {"analysis": analysis, "similarity": similarity}, field


def _delimited_body(space: Space) -> tuple[dict[str, Any], dict[str, Any]]:
    return _text_body(space, {_IMPACTS: {"type": "delimited_term_freq", "delimiter": space.delimiter}})


def _repeated_body(space: Space) -> tuple[dict[str, Any], dict[str, Any]]:
    return _text_body(space, {})


def _weighted_body(space: Space) -> tuple[dict[str, Any], dict[str, Any]]:
    return {}, {"type": "sparse_vector"}


FORMS: dict[str, Form] = {
    "opensearch": Form("OpenSearch", _delimited, _delimited_body),
    "elasticsearch": Form("Elasticsearch", _repeated, _repeated_body),
    "elasticsearch-vector": Form("Elasticsearch", _weighted, _weighted_body, vector=True, exact=511),
}


def form_of(name: str) -> Form:
    """Return a form by its name.

    :raises ConfigError: There is none of that name.
    """
    if name not in FORMS:
        raise ConfigError(f"unknown form {shown(name)}: forms are {', '.join(FORMS)}")
    return FORMS[name]


def index_body(form: Form, space: Space, metadata: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that makes an index: `PUT /NAME`.

    :param form: The form.
    :param space: The index's terms.
    :param metadata: Mappings of the fields of metadata, by name.
    :param about: What the index is made of, kept in its `_meta`.
    """
    settings, field = form.body(space)
    properties: dict[str, Any] = {
        "id": {"type": "keyword"},
        FIELD: field,
        "text": {"type": "text", "index": False},
    }
    if metadata:
        properties["metadata"] = {"dynamic": False, "properties": dict(metadata)}
    mappings = {
        "dynamic": False,
        "_meta": {"sparseembed": dict(about)},
        "_source": {"excludes": [FIELD]},
        "properties": properties,
    }
    return {"settings": settings, "mappings": mappings}


_FORBIDDEN = re.compile(r'[A-Z\\/*?"<>| ,#:\s]')


def check_index_name(name: str) -> str:
    """Return the name of an index that both engines allow.

    :raises ConfigError: They do not.
    """
    bad = _FORBIDDEN.search(name)
    if bad is not None or name != name.lower():
        held = shown(bad[0]) if bad else "an upper-case letter"
        raise ConfigError(
            f"{shown(name)} cannot be an index's name there, for it holds {held}: give another, such as --name "
            f"{re.sub('[^a-z0-9_]+', '-', name.lower()).strip('-_') or 'documents'}"
        )
    if name in ("", ".", "..") or name[0] in "-_+" or len(name.encode()) > 255:
        raise ConfigError(
            f"{shown(name)} cannot be an index's name there: it must have 1 to 255 bytes and begin with neither -, _ "
            "nor +; give another with --name"
        )
    return name
