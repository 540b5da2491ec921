"""JSONL files of documents or queries, one JSON object a line."""

import itertools
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

from sparseembed.data.corpus import Document, id_problem
from sparseembed.data.lines import JSON_TYPES, located, parse_object, read_lines
from sparseembed.data.metadata import NONE, Metadata, extra_fields, metadata_of
from sparseembed.errors import DataError
from sparseembed.text import clean_text, one_line, shown

_ID_FIELDS = ("_id", "id")
_TEXT_FIELDS = ("text", "contents")
# What is no metadata where it is not read either: `vector` are the impacts of Pyserini's form.
_OTHER_FIELDS = frozenset({*_ID_FIELDS, *_TEXT_FIELDS, "title", "vector"})
_EXAMPLE = 'write one object a line, such as {"_id": "1", "text": "..."}'


class JsonlDocuments:
    """The documents of a JSONL file, read anew each time they are iterated over."""

    def __init__(self, source: Traversable) -> None:
        """Take a file; nothing is read yet.

        :param source: A JSONL file, as for `read_documents`.
        """
        self._source = source

    def __iter__(self) -> Iterator[Document]:
        return read_documents(self._source)

    def twice(self, first: int, second: int) -> DataError:
        """Make the error for an id that occurs twice; the file is read once more to find the lines.

        :param first: Position of the earlier document, from 0.
        :param second: Position of the later one.
        :return: The error, to be raised; names file and lines.
        """
        found = itertools.islice(_records(self._source, "document"), second + 1)
        lines = [(number, doc_id) for place, (number, doc_id, _) in enumerate(found) if place in (first, second)]
        if len(lines) < 2:
            return DataError(f"{one_line(self._source)}: the file changed while it was read: read it again")
        return _twice(self._source, lines[0][0], *lines[1])


def read_documents(source: Traversable) -> Iterator[Document]:
    """Read documents: objects with "_id" or "id", "text" or "contents", and perhaps "title".

    All else that an object has is metadata; where it has an object "metadata", what that has.

    :param source: A JSONL file, perhaps compressed. Blank lines are skipped.
    :return: The documents one by one, in the file's order; blank ones are kept. Whoever gathers them makes sure that
        ids are unique.
    :raises DataError: If the file cannot be read, holds no document, or a line of it is wrong; names file and line.
    """
    empty = True
    for number, doc_id, record in _records(source, "document"):
        text = _text_of(source, number, record, "document", doc_id)
        title = record.get("title")
        if title is not None and not isinstance(title, str):
            raise _wrong_type(source, number, "title", title, _name_of("document", doc_id))
        empty = False
        yield Document(doc_id, title or "", text, _metadata_of(source, number, record, doc_id))
    if empty:
        raise DataError(f"{one_line(source)}: no documents in it: {_EXAMPLE}")


def _metadata_of(source: Traversable, number: int, record: dict[str, Any], doc_id: str) -> Metadata:
    if record.keys() <= _OTHER_FIELDS:
        return NONE
    try:
        return metadata_of(extra_fields(record, _OTHER_FIELDS))
    except DataError as error:
        raise located(source, number, f"{_name_of('document', doc_id)}: {error}") from None


def read_queries(source: Traversable) -> dict[str, str]:
    """Read queries: objects with "_id" or "id", and "text" or "contents", which may be empty.

    :param source: A JSONL file, perhaps compressed. Blank lines are skipped.
    :return: Query id -> text, in the file's order.
    :raises DataError: If the file cannot be read, holds no query, or a line of it is wrong; names file and line.
    """
    queries: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, query_id, record in _records(source, "query"):
        if query_id in lines:
            raise _twice(source, lines[query_id], number, query_id)
        lines[query_id] = number
        queries[query_id] = clean_text(_text_of(source, number, record, "query", query_id))
    if not queries:
        raise DataError(f"{one_line(source)}: no queries in it: {_EXAMPLE}")
    return queries


def _records(source: Traversable, kind: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield each object with its line's number and its checked id."""
    for number, line in read_lines(source):
        record = parse_object(source, number, line, _EXAMPLE)
        yield number, _id_of(source, number, record, kind), record


def _twice(source: Traversable, first: int, second: int, identifier: str) -> DataError:
    problem = f"id {shown(identifier)} occurs twice, first on line {first}: rename or remove one of the two"
    return located(source, second, problem)


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


def _text_of(source: Traversable, number: int, record: dict[str, Any], kind: str, identifier: str) -> str:
    field = next((name for name in _TEXT_FIELDS if name in record), None)
    if field is None:
        owner = _name_of(kind, identifier)
        raise located(source, number, f'no text in {owner}: give it a "text" or "contents", "" if it is blank')
    value = record[field]
    if not isinstance(value, str):
        raise _wrong_type(source, number, field, value, _name_of(kind, identifier))
    return value


def _wrong_type(source: Traversable, number: int, field: str, value: Any, owner: str) -> DataError:
    wanted = "a string or whole number" if field in _ID_FIELDS else "a string"
    kind = "a number with a fraction" if isinstance(value, float) else JSON_TYPES[type(value)]
    return located(source, number, f'"{field}" of {owner} is {kind}: make it {wanted}')


def _name_of(kind: str, identifier: str) -> str:
    return f"{kind} {shown(identifier)}"
