"""TREC run files and qrels files, and what is done to a run before it is measured."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sparseembed.data.corpus import id_problem
from sparseembed.data.lines import read_lines
from sparseembed.data.qrels import Qrels
from sparseembed.engines.base import Hit, Run, ranked
from sparseembed.errors import ConfigError, DataError
from sparseembed.outputs import output_file

# The format separates its columns by ASCII white space: an id that holds other spaces is refused.
_FIELD = re.compile(r"[^ \t\r\n\f\v]+")
_COLUMNS = "query Q0 document rank score tag"


def unique_ids(query: str, hits: Sequence[Hit]) -> list[str]:
    """Give the document ids of a query's hits, best first.

    :param query: the query's id, for the message.
    :param hits: the query's hits, best first.
    :return: their document ids in the same order.
    :raises DataError: if a document stands twice among them.
    """
    ids = [hit.id for hit in hits]
    if len(set(ids)) != len(ids):
        twice = next(doc for i, doc in enumerate(ids) if doc in ids[:i])
        raise DataError(f"the run gives document {twice!r} twice for query {query!r}: a run names a document once")
    return ids


def drop_self(run: Run, depth: int | None = None) -> Run:
    """Leave out every hit whose document id equals the query's id, and number the ranks anew.

    BEIR does so (ArguAna's and Quora's queries are documents of their own corpus). Ask the engine for k + 1 hits, and
    give ``depth=k`` so that queries without such a hit keep no more than k either.

    :param run: the run, not changed.
    :param depth: how many hits a query keeps at most; None keeps all.
    :return: a new run.
    """
    kept = {query: [hit for hit in hits if hit.id != query][:depth] for query, hits in run.items()}
    return {query: ranked([hit.id for hit in hits], [hit.score for hit in hits]) for query, hits in kept.items()}


def write_trec_run(path: str | Path, run: Run, tag: str) -> None:
    """Write a run as a TREC run file: one line ``query Q0 document rank score tag`` a hit.

    trec_eval ignores the ranks: it sorts by score in single precision and breaks ties by document id, descending. So
    that it sees the run's own ranking, a score that would tie with (or pass) the one above it is lowered to the next
    smaller float32; all others are written as their nearest float32. Queries without hits leave no line.

    :param path: the file, replaced in one step if it exists; a device or a pipe is written through, and of a link the
        target. Its folder is made if need be.
    :param run: query id -> hits, best first.
    :param tag: the system's name, the last column.
    :raises ConfigError: if the tag is empty or has white space in it.
    :raises DataError: if an id is unusable (`id_problem`), a score is not finite, a document stands twice for a
        query, or the file cannot be written.
    """
    path = Path(path)
    if not _FIELD.fullmatch(tag):
        raise ConfigError(f"the tag {tag!r} of a TREC run must be one word: leave out its white space")
    lines = [line for query, hits in run.items() for line in _lines(query, hits, tag)]
    _write(path, lines, "run")


def write_trec_qrels(path: str | Path, qrels: Qrels) -> None:
    """Write judgements as a TREC qrels file: one line ``query 0 document grade`` a judgement.

    :param path: as in `write_trec_run`.
    :param qrels: query id -> document id -> grade.
    :raises DataError: if an id is unusable (`id_problem`), or the file cannot be written.
    """
    lines = []
    for query, judged in qrels.items():
        for document, grade in judged.items():
            if problem := id_problem(query) or id_problem(document):
                raise DataError(f"judgements of query {query!r}: {problem}")
            lines.append(f"{query} 0 {document} {grade}\n")
    _write(Path(path), lines, "judgements")


def _write(path: Path, lines: Sequence[str], what: str) -> None:
    try:
        content = "".join(lines).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"cannot write the {what} {path}: an id holds a lone surrogate ({error.object[error.start :]!r:.80})"
        ) from error
    try:
        with output_file(path) as file:
            file.write(content)
    except BrokenPipeError:
        raise  # the reader has all that it wanted
    except OSError as error:
        problem = f"{error.strerror}; name a folder that can be written"
        raise DataError(f"cannot write the {what} {path}: {problem}") from error


def falling(scores: Sequence[float]) -> list[np.float32]:
    """Lower scores where need be, so that all who sort by score alone see a ranking as it is.

    :param scores: the scores of a ranking, best first, finite.
    :return: the nearest float32 of each, or the next smaller one than that above it.
    """
    lowered, above = [], np.float32(np.inf)
    for score in scores:
        above = min(np.float32(score), np.nextafter(above, np.float32(-np.inf)))
        lowered.append(above)
    return lowered


def _lines(query: str, hits: Sequence[Hit], tag: str) -> list[str]:
    lines = []
    documents = unique_ids(query, hits)
    for hit in hits:
        if not math.isfinite(hit.score):
            raise DataError(f"document {hit.id!r} has the score {hit.score} for query {query!r}: it must be finite")
    scores = falling([hit.score for hit in hits])
    for rank, (document, score) in enumerate(zip(documents, scores, strict=True), 1):
        for kind, name in (("query", query), ("document", document)):
            if problem := id_problem(name):
                raise DataError(f"{kind} of the run: {problem}")
        lines.append(f"{query} Q0 {document} {rank} {score!s} {tag}\n")
    return lines


def read_trec_run(path: str | Path) -> Run:
    """Read a TREC run file.

    A query's hits are ordered by score, descending; equal scores by the rank column, then by their place in the file.
    The ranks are numbered anew from 1.

    :param path: the file, perhaps compressed.
    :return: query id -> hits, best first, queries in the order of the file.
    :raises DataError: if the file is missing or a line of it is wrong (file and line are named).
    """
    path = Path(path)
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for number, line in read_lines(path):
        _add_line(found, line, f"{path}:{number}")
    run: dict[str, list[Hit]] = {}
    for query, documents in found.items():
        best = sorted(documents.items(), key=lambda item: (-item[1][0], item[1][1]))
        run[query] = [Hit(document, score, rank) for rank, (document, (score, _)) in enumerate(best, 1)]
    return run


def _add_line(found: dict[str, dict[str, tuple[float, int]]], line: str, where: str) -> None:
    fields = _FIELD.findall(line)
    if len(fields) != 6:
        raise DataError(f"{where}: {len(fields)} columns where a TREC run has 6: {_COLUMNS}")
    query, _, document, rank, score, _ = fields
    if problem := id_problem(query) or id_problem(document):
        raise DataError(f"{where}: {problem}")
    try:
        place, value = int(rank), float(score)
    except ValueError as error:
        raise DataError(f"{where}: rank {rank!r} must be an integer and score {score!r} a number") from error
    if not math.isfinite(value):
        raise DataError(f"{where}: score {score!r} must be finite")
    documents = found.setdefault(query, {})
    if document in documents:
        raise DataError(f"{where}: document {document!r} stands twice for query {query!r}: leave one line out")
    documents[document] = (value, place)
