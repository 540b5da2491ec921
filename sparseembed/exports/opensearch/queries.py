"""Bodies of `_search` that give our hits and scores in an index that an export has made."""

from collections.abc import Mapping
from typing import Any

from sparseembed.analyzers.plain import plain
from sparseembed.engines.base import check_count
from sparseembed.errors import ConfigError
from sparseembed.exports.opensearch.forms import FIELD, Form, Space, feature, form_of
from sparseembed.text import clean_text

_NO_TEXT = "a sparse_vector takes no text: ask by weighted terms (terms_body)"


def query_body(to: str, query: str | Mapping[str, int], k: int = 10) -> dict[str, Any]:
    """Return the body for a query: a plain text (`match_body`) or weighted terms (`terms_body`).

    :param to: The form, a key of `FORMS`.
    :param query: The text, which the engine analyses; or term -> weight, as `Searcher.encode_query` gives.
    :param k: Hits wanted.
    :raises ConfigError: Unknown form, or one that takes no text; k < 1.
    """
    if not isinstance(query, str):
        return terms_body(to, query, k)
    if form_of(to).vector:
        raise ConfigError(_NO_TEXT)
    return match_body(query, k)


def match_body(text: str, k: int = 10) -> dict[str, Any]:
    """Return the body for a plain text, which the engine analyses by itself: no package of ours is needed for it.

    For an index of the term space `word` the hits and scores are ours; for `word+folded`, those of its words alone.
    Query texts are best in NFC, as keyboards write; here they are brought to it.

    :param text: The query.
    :param k: Hits wanted.
    :raises ConfigError: k < 1.
    """
    check_count("k", k)
    return _search({"match": {FIELD: plain(clean_text(text))}}, k)


def terms_body(to: str, query: Mapping[str, int], k: int = 10) -> dict[str, Any]:
    """Return the body for a query of weighted terms, such as `Searcher.encode_query` gives: any term space, expanded
    queries too.

    :param to: The form, a key of `FORMS`.
    :param query: Term -> weight.
    :param k: Hits wanted.
    :raises ConfigError: Unknown form; k < 1.
    """
    check_count("k", k)
    if form_of(to).vector:
        vector = {feature(term): weight for term, weight in query.items()}
        return _search({"sparse_vector": {"field": FIELD, "query_vector": vector, "prune": False}}, k)
    terms = [{"term": {FIELD: {"value": term, "boost": weight}}} for term, weight in query.items()]
    return _search({"bool": {"should": terms, "minimum_should_match": 1}}, k)


def check_match(form: Form, space: Space) -> None:
    """Raise unless a plain text is a query in a form and a term space.

    :raises ConfigError: It is none, and what to do.
    """
    if form.vector:
        raise ConfigError(_NO_TEXT)
    if not space.matched:
        what = f"the analyzer {space.analyzer}" if space.analyzer else f"the pieces of the term space {space.kind}"
        raise ConfigError(
            f"{form.engine} has nothing that gives the terms of {what}: ask by weighted terms (terms_body)"
        )


def _search(query: dict[str, Any], k: int) -> dict[str, Any]:
    # Equal scores are ordered by id, as ours are; the field `id` holds the id that the corpus has.
    return {"size": k, "query": query, "sort": ["_score", {"id": "asc"}], "_source": {"excludes": [FIELD]}}
