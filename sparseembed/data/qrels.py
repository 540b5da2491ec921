"""Relevance judgements: BEIR's tab-separated qrels, columns by the names of a header, and TREC's four."""

import logging
import re
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import NamedTuple

from sparseembed.data.lines import located, read_lines
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

_LOGGER = logging.getLogger("sparseembed")

Qrels = Mapping[str, Mapping[str, int]]  # query id -> document id -> grade

_QUERY_NAMES = frozenset({"query-id", "query_id", "queryid", "qid", "query", "topic"})
_DOCUMENT_NAMES = frozenset(
    {"corpus-id", "corpus_id", "corpusid", "doc-id", "doc_id", "docid", "document-id", "document_id", "did", "docno"}
)
_GRADE_NAMES = frozenset({"score", "grade", "relevance", "rel", "label", "judgement", "judgment"})
_GRADE = re.compile(r"([+-]?[0-9]{1,9})(?:\.0*)?")
_LAYOUTS = {3: "query-id, corpus-id, score", 4: "query-id, 0, document-id, grade"}


def read_qrels(source: Traversable) -> Qrels:
    """Read judgements in BEIR's three columns (with a header or without) or in TREC's four.

    A pair judged twice keeps its last grade, as in BEIR; where the grades differ, a warning counts such pairs.

    Where a header names the columns, they are taken by name, and further ones are passed over. A grade may be written
    as a whole number with a point ("1.0").

    :param source: The file; columns are separated by tabs or other white space.
    :return: Query id -> document id -> grade, in the file's order. Grades may be 0 or negative.
    :raises DataError: If the file cannot be read, a line is not a judgement, or there is none; names file and line.
    """
    qrels: dict[str, dict[str, int]] = {}
    changed = 0
    layout: _Layout | None = None
    for number, line in read_lines(source):
        columns = line.split()
        if layout is None:
            layout = _named(source, number, columns)
            if layout is not None:
                continue
            layout = _Layout(4, 0, 2, 3) if len(columns) == 4 else _Layout(3, 0, 1, 2)
        if len(columns) != layout.width:
            wanted = layout.names or _LAYOUTS[layout.width]
            problem = f"{len(columns)} columns where {layout.width} are needed ({wanted}): mend the line or remove it"
            raise located(source, number, problem)
        grade = _grade(source, number, columns[layout.grade])
        judged = qrels.setdefault(columns[layout.query], {})
        changed += judged.get(columns[layout.document], grade) != grade
        judged[columns[layout.document]] = grade
    if not qrels:
        raise DataError(f"{one_line(source)}: no judgements in it: write lines of {_LAYOUTS[3]}, or remove the file")
    if changed:
        _LOGGER.warning("%s: %d judgements change the grade of an earlier one; the last counts", source, changed)
    return qrels


class _Layout(NamedTuple):
    """How many columns a line has, and which of them count.

    :param names: The header's names.
    """

    width: int
    query: int
    document: int
    grade: int
    names: str = ""


def _named(source: Traversable, number: int, columns: list[str]) -> _Layout | None:
    """Return the layout that a header says; None where the line is no header."""
    if columns[0].lower() not in _QUERY_NAMES or _GRADE.fullmatch(columns[-1]):
        return None
    lowered = [column.lower() for column in columns]
    found = [
        [place for place, name in enumerate(lowered) if name in names]
        for names in (_QUERY_NAMES, _DOCUMENT_NAMES, _GRADE_NAMES)
    ]
    if all(len(places) == 1 for places in found):
        query, document, grade = (places[0] for places in found)
        return _Layout(len(columns), query, document, grade, ", ".join(map(one_line, columns)))
    if len(columns) == 3:
        return _Layout(3, 0, 1, 2)
    raise located(
        source, number, f"a header that does not tell which column is which: name them {_LAYOUTS[3].replace(',', '')}"
    )


def _grade(source: Traversable, number: int, text: str) -> int:
    found = _GRADE.fullmatch(text)
    if not found:
        raise located(
            source, number, f"grade {shown(text)} is not a whole number: use 0 for not relevant, 1 or more else"
        )
    return int(found[1])
