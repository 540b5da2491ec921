"""Relevance judgements: BEIR's qrels, columns by the names of a header, TREC's four, and records of any format."""

import csv
import logging
import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import NamedTuple

from sparseembed.data.corpus import id_problem
from sparseembed.data.lines import located, read_lines
from sparseembed.data.records.arrow import is_arrow
from sparseembed.data.records.base import Wants
from sparseembed.data.records.head import read_head
from sparseembed.data.records.registry import open_records
from sparseembed.data.values import id_of, missing
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

_LOGGER = logging.getLogger("sparseembed")

Qrels = Mapping[str, Mapping[str, int]]  # query id -> document id -> grade
_Judgement = tuple[str, str, int]

_QUERY_NAMES = frozenset({"query-id", "query_id", "queryid", "qid", "query", "topic"})
_DOCUMENT_NAMES = frozenset(
    {
        *("corpus-id", "corpus_id", "corpusid", "doc-id", "doc_id", "docid", "document-id", "document_id", "did"),
        *("docno", "doc", "document", "pid", "passage-id", "passage_id"),
    }
)
_GRADE_NAMES = frozenset({"score", "grade", "relevance", "rel", "label", "judgement", "judgment"})
_GRADE = re.compile(r"([+-]?[0-9]{1,9})(?:\.0*)?")
_ITERATIONS = frozenset({"0", "Q0", "q0"})
_SPACES = " \t\r\n\f\v"  # other spaces do not separate columns: an id that holds one is refused
_SPACE = re.compile(f"[{_SPACES}]+")
_LAYOUTS = {3: "query-id, corpus-id, score", 4: "query-id, 0, document-id, grade"}


def read_qrels(source: Traversable) -> Qrels:
    """Read judgements in BEIR's three columns (with a header or without) or in TREC's four.

    Where a header names the columns, or the file holds records (JSON, Parquet, Arrow), they are taken by name, and
    further ones are passed over. A pair judged twice keeps its last grade, as in BEIR; where the grades differ, a
    warning counts such pairs. A grade may be written as a whole number with a point ("1.0"); one with a fraction is
    refused, as ir_measures does.

    :param source: The file, perhaps compressed; columns are separated by tabs, other white space, commas or semicolons.
    :return: Query id -> document id -> grade, in the file's order. Grades may be 0 or negative.
    :raises DataError: If the file cannot be read, a line is not a judgement, or there is none; names file and line.
    """
    qrels: dict[str, dict[str, int]] = {}
    changed = 0
    head = read_head(source)
    by_name = _begins_json(head.first_line) or is_arrow(head)
    for query, document, grade in _from_records(source) if by_name else _from_lines(source):
        judged = qrels.setdefault(query, {})
        changed += judged.get(document, grade) != grade
        judged[document] = grade
    if not qrels:
        raise DataError(f"{one_line(source)}: no judgements in it: write lines of {_LAYOUTS[3]}, or remove the file")
    if changed:
        _LOGGER.warning("%s: %d judgements change the grade of an earlier one; the last counts", source, changed)
    return qrels


def _begins_json(line: str) -> bool:
    """Tell JSON from a judgement whose query's id begins with a bracket: that ends in a grade."""
    return line.startswith(("{", "[")) and not re.search(r"\s[+-]?\d+(\.\d*)?\s*$", line)


class _Layout(NamedTuple):
    """How many columns a line has, and which of them count.

    :param names: The header's names.
    """

    width: int
    query: int
    document: int
    grade: int
    names: str = ""


def _from_lines(source: Traversable) -> Iterator[_Judgement]:
    layout: _Layout | None = None
    separator: str | None = None
    for number, line in read_lines(source):
        if layout is None:
            separator = _separator(line)
        columns = _columns(line, separator)
        if layout is None:
            layout = _named(source, number, columns)
            if layout is not None:
                continue
            layout = _Layout(4, 0, 2, 3) if len(columns) == 4 else _Layout(3, 0, 1, 2)
        if len(columns) != layout.width:
            wanted = layout.names or _LAYOUTS[layout.width]
            problem = f"{len(columns)} columns where {layout.width} are needed ({wanted}): mend the line or remove it"
            raise located(source, number, problem)
        if layout.width == 4 and not layout.names:
            _check_trec(source, number, columns)
        query, document = columns[layout.query], columns[layout.document]
        problem = id_problem(query) or id_problem(document)
        if problem:
            raise located(source, number, problem)
        grade = _grade_of(columns[layout.grade])
        if grade is None:
            raise located(source, number, _no_grade(columns[layout.grade]))
        yield query, document, grade


def _separator(line: str) -> str | None:
    """Return what separates the columns, by the first line; None for any white space."""
    if line.strip().count("\t") >= 2:
        return "\t"
    if len(_SPACE.split(line.strip())) == 1:
        return next((mark for mark in (",", ";") if line.count(mark) >= 2), None)
    return None


def _columns(line: str, separator: str | None) -> list[str]:
    line = line.strip(_SPACES)
    if separator in (",", ";"):
        return [column.strip(_SPACES) for column in next(csv.reader([line], delimiter=separator))]
    if separator is not None and separator in line:
        return [column.strip(_SPACES) for column in line.split(separator)]
    return _SPACE.split(line)


def _check_trec(source: Traversable, number: int, columns: list[str]) -> None:
    """Refuse four columns that may as well be a query, a document, its grade and something else."""
    if columns[1] not in _ITERATIONS and _GRADE.fullmatch(columns[2]):
        raise located(
            source,
            number,
            f"column 2 is {shown(columns[1])} where TREC's judgements have 0, and column 3 looks like a grade: "
            f"name the columns by a first line, such as {_LAYOUTS[3].replace(',', '')}",
        )


def _named(source: Traversable, number: int, columns: list[str]) -> _Layout | None:
    """Return the layout that a header says; None where the line is no header."""
    lowered = [column.lower() for column in columns]
    if not _QUERY_NAMES.intersection(lowered) or any(map(_GRADE.fullmatch, columns)):
        return None
    found = [
        [place for place, name in enumerate(lowered) if name in names]
        for names in (_QUERY_NAMES, _DOCUMENT_NAMES, _GRADE_NAMES)
    ]
    if all(len(places) == 1 for places in found):
        query, document, grade = (places[0] for places in found)
        return _Layout(len(columns), query, document, grade, ", ".join(map(one_line, columns)))
    raise located(
        source, number, f"a header that does not tell which column is which: name them {_LAYOUTS[3].replace(',', '')}"
    )


def _from_records(source: Traversable) -> Iterator[_Judgement]:
    names = [tuple(sorted(names)) for names in (_QUERY_NAMES, _DOCUMENT_NAMES, _GRADE_NAMES)]
    hint = f"name the columns {_LAYOUTS[3]}"
    records = open_records(source, Wants(tuple(names), {name for group in names for name in group}, hint, hint))
    for place, record in records:
        fields: list[str] = []
        for group in names:
            there = [name for name in group if name in record]
            if len(there) != 1:
                problem = f"fields that do not tell which is which: {hint}"
                raise missing(records, place, record, problem, "")
            fields += there
        query = id_of(records, place, record, fields[:1], "query")
        document = id_of(records, place, record, fields[1:2], "document")
        value = record[fields[2]]
        grade = None if isinstance(value, bool) else _grade_of(str(value))
        if grade is None:
            raise records.located(place, _no_grade(value))
        yield query, document, grade


def _grade_of(text: str) -> int | None:
    found = _GRADE.fullmatch(text)
    return int(found[1]) if found else None


def _no_grade(value: object) -> str:
    return f"grade {shown(value)} is not a whole number: use 0 for not relevant, 1 or more else"
