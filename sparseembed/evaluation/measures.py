"""Measures of a run against relevance judgements, through ir_measures, as trec_eval counts them."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparseembed.data.qrels import Qrels
from sparseembed.engines.base import Run
from sparseembed.errors import ConfigError, DataError
from sparseembed.evaluation.runs import unique_ids
from sparseembed.extras import extra

MEASURES = ("nDCG@10", "R@100", "RR@10")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a run is worth: measure -> mean over the judged queries, and measure -> query id -> value."""

    means: dict[str, float]
    per_query: dict[str, dict[str, float]]


def evaluate(run: Run, qrels: Qrels, measures: Sequence[str] = MEASURES) -> Evaluation:
    """Measure a run as trec_eval does, with every judged query counted (its option -c).

    - The ranking is the order of each query's list; scores and the ``rank`` fields are not looked at.
    - A judged query for which the run has no hits counts 0. A query that the run has and the judgements lack is left
      out, and so is one whose set of judgements is empty: trec_eval never sees either.
    - A query whose judgements are all of grade 0 (or below) counts 0 in every measure and is part of the mean, as in
      trec_eval. No run can gain by it.
    - nDCG has trec_eval's linear gain, the grade itself: DCG@k = sum over ranks i <= k of grade_i / log2(i + 1),
      divided by that of the best possible ranking (Järvelin and Kekäläinen 2002). Negative grades gain nothing.
    - R and RR count a document of grade 1 or more as relevant; ``R(rel=2)@100`` sets another limit.

    :param run: query id -> hits, best first.
    :param qrels: query id -> document id -> grade.
    :param measures: names as ir_measures has them.
    :return: means and values a query, under the names as given, queries in the order of the judgements.
    :raises ConfigError: if a measure is unknown, ill-formed, or cannot be computed here.
    :raises DataError: if no query is judged, or a document stands twice among a query's hits.
    """
    parsed = {name: parse_measure(name) for name in measures}
    judged = [query for query, grades in qrels.items() if grades]
    if not judged:
        raise DataError("no query has a judgement: there is nothing to measure a run against")
    values = _values(run, {query: qrels[query] for query in judged}, parsed)
    per_query = {name: {query: values[measure, query] for query in judged} for name, measure in parsed.items()}
    means = {name: math.fsum(per.values()) / len(judged) for name, per in per_query.items()}
    return Evaluation(means, per_query)


def parse_measure(name: str) -> Any:
    """Turn a measure's name into ir_measures' measure.

    :param name: for example ``nDCG@10`` or ``R(rel=2)@100``.
    :return: an ir_measures measure, checked.
    :raises ConfigError: if there is none of that name (the nearest one is named) or its parameters are wrong.
    """
    ir_measures = _ir_measures()

    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()
    except NameError:
        raise ConfigError(_unknown(name, list(ir_measures.measures.registry))) from None
    except (ValueError, TypeError, AssertionError) as error:
        raise ConfigError(f"measure {name!r} is ill-formed: write it like {', '.join(MEASURES)}") from error
    if (cutoff := measure.params.get("cutoff")) is not None and cutoff < 1:
        raise ConfigError(f"measure {name!r} has the cutoff {cutoff}: it must be 1 or more")
    if not ir_measures.DefaultPipeline.supports(measure):
        raise ConfigError(f"measure {name!r} needs a package that is not installed: use one like {', '.join(MEASURES)}")
    return measure


def cutoff_of(name: str) -> int | None:
    """Say how many hits a query need be ranked for a measure to be exact.

    :param name: a measure's name.
    :return: its cutoff, or None where the measure looks at the whole list.
    :raises ConfigError: as :func:`parse_measure`.
    """
    params = parse_measure(name).params
    # Any other parameter (judged_only) may reach below the cutoff.
    return params.get("cutoff") if params.keys() <= {"cutoff", "rel"} else None


def _ir_measures() -> Any:
    return extra("ir_measures", "eval", "measuring")


def _unknown(name: str, known: Sequence[str]) -> str:
    stem = re.match(r"\w*", name)
    word = stem.group() if stem else ""
    folded = {other.casefold(): other for other in reversed(known)}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.4)
    advice = f"did you mean {folded[near[0]] + name[len(word) :]!r}?" if near else f"use one like {', '.join(MEASURES)}"
    return f"unknown measure {name!r}: {advice}"


def _values(run: Run, qrels: Qrels, parsed: Mapping[str, Any]) -> dict[tuple[Any, str], float]:
    """Compute every (measure, query id) -> value; 0 where ir_measures gives none."""
    ir_measures = _ir_measures()

    # trec_eval's C code cuts ids at a NUL, crashes on lone surrogates, compares scores in single precision and breaks
    # ties by id: it is given numbers for ids, and for scores the negated ranks, which float32 holds exactly.
    queries = {query: f"q{i}" for i, query in enumerate(qrels)}
    given: dict[str, dict[str, int]] = {}
    ranked: dict[str, dict[str, float]] = {}
    for query, number in queries.items():
        names: dict[str, str] = {}
        hits = unique_ids(query, run.get(query, ()))
        ranked[number] = {names.setdefault(doc, f"d{len(names)}"): float(-rank) for rank, doc in enumerate(hits)}
        given[number] = {names.setdefault(doc, f"d{len(names)}"): grade for doc, grade in qrels[query].items()}
    ranked = {number: hits for number, hits in ranked.items() if hits}
    values = {(measure, number): 0.0 for measure in parsed.values() for number in given}
    for metric in ir_measures.iter_calc(list(set(parsed.values())), given, ranked):
        values[metric.measure, metric.query_id] = float(metric.value)
    return {
        (measure, query): values[measure, number] for measure in parsed.values() for query, number in queries.items()
    }
