"""JSONL files of documents or queries, one JSON object a line."""

from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

from sparseembed.data.corpus import Document, id_problem
from sparseembed.data.lines import JSON_TYPES, located, parse_object, read_lines
from sparseembed.errors import DataError
from sparseembed.text import clean_text, one_line, shown

_ID_FIELDS = ("_id", "id")
_TEXT_FIELDS = ("text", "contents")
_EXAMPLE = 'write one object a line, such as {"_id": "1", "text": "..."}'


def read_documents(source: Traversable) -> list[Document]:
    """Read documents: objects with "_id" or "id", "text" or "contents", and perhaps "title".

    :param source: A JSONL file; gzip if its name ends with ".gz". Blank lines are skipped.
    :return: The documents, in the file's order; blank ones are kept.
    :raises DataError: If the file cannot be read, holds no document, or a line of it is wrong; names file and line.
    """
    documents = []
    for number, doc_id, record in _records(source, "document"):
        text = _text_of(source, number, record, _name_of("document", doc_id))
        title = record.get("title")
        if title is not None and not isinstance(title, str):
            raise _wrong_type(source, number, "title", title, _name_of("document", doc_id))
        documents.append(Document(doc_id, title or "", text))
    if not documents:
        raise DataError(f"{one_line(source)}: no documents in it: {_EXAMPLE}")
    return documents


def read_queries(source: Traversable) -> dict[str, str]:
    """Read queries: objects with "_id" or "id", and "text" or "contents", which may be empty.

    :param source: A JSONL file; gzip if its name ends with ".gz". Blank lines are skipped.
    :return: Query id -> text, in the file's order.
    :raises DataError: If the file cannot be read, holds no query, or a line of it is wrong; names file and line.
    """
    queries = {}
    for number, query_id, record in _records(source, "query"):
        queries[query_id] = clean_text(_text_of(source, number, record, _name_of("query", query_id)))
    if not queries:
        raise DataError(f"{one_line(source)}: no queries in it: {_EXAMPLE}")
    return queries


def _records(source: Traversable, kind: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield each object with its line's number and its checked, unique id."""
    first_lines: dict[str, int] = {}
    for number, line in read_lines(source):
        record = parse_object(source, number, line, _EXAMPLE)
        identifier = _id_of(source, number, record, kind)
        first = first_lines.setdefault(identifier, number)
        if first != number:
            problem = f"id {shown(identifier)} occurs twice, first on line {first}: rename or remove one of the two"
            raise located(source, number, problem)
        yield number, identifier, record


def _id_of(source: Traversable, number: int, record: dict[str, Any], kind: str) -> str:
    field = next((name for name in _ID_FIELDS if name in record), None)
    if field is None:
        raise located(source, number, f'no id: give each {kind} an "_id" or "id"')
    value = record[field]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong_type(source, number, field, value, kind)
    identifier = clean_text(str(value))
    if problem := id_problem(identifier):
        raise located(source, number, problem)
    return identifier


def _text_of(source: Traversable, number: int, record: dict[str, Any], owner: str) -> str:
    field = next((name for name in _TEXT_FIELDS if name in record), None)
    if field is None:
        raise located(source, number, f'no text in {owner}: give it a "text" or "contents", "" if it is blank')
    value = record[field]
    if not isinstance(value, str):
        raise _wrong_type(source, number, field, value, owner)
    return value


def _wrong_type(source: Traversable, number: int, field: str, value: Any, owner: str) -> DataError:
    wanted = "a string or whole number" if field in _ID_FIELDS else "a string"
    kind = "a number with a fraction" if isinstance(value, float) else JSON_TYPES[type(value)]
    return located(source, number, f'"{field}" of {owner} is {kind}: make it {wanted}')


def _name_of(kind: str, identifier: str) -> str:
    return f"{kind} {shown(identifier)}"
