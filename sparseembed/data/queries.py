"""Queries: id and text, from JSONL, tables with a header or without, and the other formats of records."""

from collections.abc import Sequence
from importlib.resources.abc import Traversable
from typing import Any

from sparseembed.data.records.base import Wants
from sparseembed.data.records.registry import open_records
from sparseembed.data.values import id_of, missing, text_in, twice
from sparseembed.errors import DataError
from sparseembed.text import clean_text, one_line, shown

_IDS = ("_id", "id", "qid", "query_id", "query-id", "queryid")
_TEXTS = ("text", "contents", "query")
_EXAMPLE = 'write one object a line, such as {"_id": "1", "text": "..."}, or a line of id, tab and text'


def _id_and_text(row: Sequence[str]) -> Sequence[str] | None:
    return ("id", "text") if len(row) == 2 else None


_WANTS = Wants((_IDS, _TEXTS), (*_IDS, *_TEXTS), _EXAMPLE, 'name them "id" and "text"', _id_and_text)


def read_queries(source: Traversable) -> dict[str, str]:
    """Read queries: "_id", "id" or "qid", and "text", "contents" or "query", which may be empty.

    :param source: A file that can be read again, perhaps compressed: JSONL, a table with such a header, or lines of id,
        tab and text.
    :return: Query id -> text, in the file's order.
    :raises DataError: If the file cannot be read, holds no query, or a record of it is wrong; names file and place.
    """
    records = open_records(source, _WANTS)
    queries: dict[str, str] = {}
    places: dict[str, Any] = {}
    for place, record in records:
        query_id = id_of(records, place, record, _IDS, "query")
        if query_id in places:
            raise twice(records, places[query_id], place, query_id)
        owner = f"query {shown(query_id)}"
        name = next((name for name in _TEXTS if name in record), None)
        if name is None:
            problem = f'no text in {owner}: give it a "text" or "contents", "" if it is blank'
            raise missing(records, place, record, problem, "")
        places[query_id] = place
        queries[query_id] = clean_text(text_in(records, place, record, name, owner))
    if not queries:
        raise DataError(f"{one_line(source)}: no queries in it: {_EXAMPLE}")
    return queries
