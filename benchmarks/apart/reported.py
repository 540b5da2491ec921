"""What is reported once, on the test split: what was chosen, the defaults, BM25 and the weighted fusion."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sparseembed.engines.base import Run
from sparseembed.engines.ties import as_trec_eval_reads
from sparseembed.evaluation.bench import Bench
from sparseembed.evaluation.fusion import choose_weight, weighted
from sparseembed.evaluation.measures import Evaluation, evaluate
from sparseembed.evaluation.significance import Comparison, against_baselines

from .choices import Choices
from .meter import Meter
from .space import MEASURES, Task

BM25, FUSION = "bm25", "fusion, weighted"
BASELINES = (BM25, FUSION)


class Reported(NamedTuple):
    """A system on the test split."""

    system: str
    evaluation: Evaluation
    about: dict[str, Any]


def baselines(bench: Bench, tuning: Task, test: Task) -> list[Reported]:
    """Measure BM25, centred dense and their fusion with the weight that is best on the tuning split."""
    weight, _ = choose_weight(*_two(bench, tuning), tuning.qrels)
    first, second = _two(bench, test)
    runs: list[tuple[str, Run, dict[str, Any]]] = [
        (BM25, {query: as_trec_eval_reads(hits) for query, hits in first.items()}, {}),
        ("dense, centred", second, {}),
        (FUSION, weighted(first, second, weight), {"dense_weight": weight}),
    ]
    return [Reported(name, evaluate(run, test.qrels, MEASURES), about) for name, run, about in runs]


def _two(bench: Bench, task: Task) -> tuple[Run, Run]:
    return bench.bm25_run(task.label, task.queries), bench.dense_run("centred", task.label, task.queries)


def report(meter: Meter, systems: Mapping[str, Choices]) -> list[Reported]:
    """Measure choices on the test split.

    :param meter: Measures on the test split.
    :param systems: Name -> choices.
    """
    return [Reported(name, meter.evaluate(choices)[0], choices.as_dict()) for name, choices in systems.items()]


def significance(reported: Sequence[Reported]) -> list[Comparison]:
    """Test each one-index row against BM25 and against the weighted fusion."""
    kept = {
        each.system: each.evaluation
        for each in reported
        if each.system in BASELINES or each.system.startswith("one-index")
    }
    found = against_baselines(kept, BASELINES)
    return [each for each in found if each.row not in BASELINES]
