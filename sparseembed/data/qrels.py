"""Relevance judgements: BEIR's tab-separated qrels, and TREC's with four columns."""

import logging
import re
from collections.abc import Mapping
from importlib.resources.abc import Traversable

from sparseembed.data.lines import located, read_lines
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

_LOGGER = logging.getLogger("sparseembed")

Qrels = Mapping[str, Mapping[str, int]]  # query id -> document id -> grade

_HEADER_STARTS = frozenset({"query-id", "query_id", "queryid", "qid", "query", "topic"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_LAYOUTS = {3: "query-id, corpus-id, score", 4: "query-id, 0, document-id, grade"}


def read_qrels(source: Traversable) -> Qrels:
    """Read judgements in BEIR's three columns (with a header or without) or in TREC's four.

    A pair judged twice keeps its last grade, as in BEIR; where the grades differ, a warning counts such pairs.

    :param source: The file; columns are separated by tabs or other white space.
    :return: Query id -> document id -> grade, in the file's order. Grades may be 0 or negative.
    :raises DataError: If the file cannot be read, a line is not a judgement, or there is none; names file and line.
    """
    qrels: dict[str, dict[str, int]] = {}
    width = 0
    changed = 0
    first = True
    for number, line in read_lines(source):
        columns = line.split()
        header, first = first and _is_header(columns), False
        if header:
            continue
        width = width or (4 if len(columns) == 4 else 3)
        if len(columns) != width:
            problem = f"{len(columns)} columns where {width} are needed ({_LAYOUTS[width]}): mend the line or remove it"
            raise located(source, number, problem)
        grade = _grade(source, number, columns[-1])
        judged = qrels.setdefault(columns[0], {})
        changed += judged.get(columns[-2], grade) != grade
        judged[columns[-2]] = grade
    if not qrels:
        raise DataError(f"{one_line(source)}: no judgements in it: write lines of {_LAYOUTS[3]}, or remove the file")
    if changed:
        _LOGGER.warning("%s: %d judgements change the grade of an earlier one; the last counts", source, changed)
    return qrels


def _is_header(columns: list[str]) -> bool:
    return columns[0].lower() in _HEADER_STARTS and not _INTEGER.fullmatch(columns[-1])


def _grade(source: Traversable, number: int, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise located(
            source, number, f"grade {shown(text)} is not a whole number: use 0 for not relevant, 1 or more else"
        )
    return int(text)
