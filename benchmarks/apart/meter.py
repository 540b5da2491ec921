"""Variants measured on judged queries: each one once, with its postings and bytes."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sparseembed.evaluation.measures import Evaluation
from sparseembed.progress import note, track

from .choices import Choices, Grid, alone, named
from .postings import idf_weighted, keep_best, keep_share, postings_bytes
from .space import Queries, Space, Task

LEAST_GAIN = 0.0005  # of nDCG@10, for which a choice is changed
QUERY_UNIT = 16  # weight of a literal term in an expanded query


class Row(NamedTuple):
    """One variant, measured.

    :param section: Which part of the method it is of.
    :param field: The choice that is varied.
    :param name: What to call it in a table.
    :param choices: All of its choices.
    :param ndcg: nDCG@10.
    :param recall: R@100.
    :param postings: Postings of a document, the mean.
    :param bytes: Estimated bytes of a document (see `postings_bytes`), the mean.
    """

    section: str
    field: str
    name: str
    choices: dict[str, Any]
    ndcg: float
    recall: float
    postings: float
    bytes: float


class Meter:
    """Measures choices of one term space on one task."""

    def __init__(self, space: Space, task: Task) -> None:
        """Take what is measured on.

        :param space: The term space.
        :param task: The queries.
        """
        self.space, self.task = space, task
        self._measured: dict[Choices, Row] = {}
        self._queries: dict[tuple[Any, ...], Queries] = {}
        self._impacts: tuple[tuple[Any, ...], Any] | None = None

    def measure(self, section: str, field: str, name: str, choices: Choices) -> Row:
        """Measure a variant; one that was measured before is not measured again."""
        if choices not in self._measured:
            evaluation, documents = self.evaluate(choices)
            count = documents.shape[0]
            self._measured[choices] = Row(
                *(section, field, name, choices.as_dict()),
                ndcg=evaluation.means["nDCG@10"],
                recall=evaluation.means["R@100"],
                postings=documents.nnz / count,
                bytes=postings_bytes(documents, choices.sparse.bits) / count,
            )
        return self._measured[choices]._replace(section=section, field=field, name=name)

    def evaluate(self, choices: Choices) -> tuple[Evaluation, Any]:
        """Measure a variant: its evaluation, and the impacts of all documents."""
        documents = self._documents(choices)
        if choices.share:
            documents = keep_share(documents, choices.share)
        if choices.best:
            documents = keep_best(documents, choices.best)
        return self.space.figure(documents, self._encoded(choices), self.task.qrels), documents

    def _documents(self, choices: Choices) -> Any:
        """Return the impacts before pruning; the last ones are kept, for variants of queries and of pruning."""
        key = (choices.sparse, choices.confident)
        if self._impacts is None or self._impacts[0] != key:
            self._impacts = None
            self._impacts = (key, self.space.documents(choices.sparse, choices.confident))
        return self._impacts[1]

    def _encoded(self, choices: Choices) -> Queries:
        key = (choices.m, choices.m and (choices.expansion, choices.sparse.adjustment), choices.query_idf)
        if key not in self._queries:
            self._queries[key] = self._encode(choices)
        return self._queries[key]

    def _encode(self, choices: Choices) -> Queries:
        space, unit = self.space, 1
        queries: Queries = space.literal(self.task.queries)
        if choices.m:
            unit = QUERY_UNIT
            queries = space.expanded(choices.sparse.adjustment, self.task, choices.m, choices.expansion)
        if not choices.query_idf:
            return queries
        idf = _Idf(space)
        return {key: idf_weighted(query, idf, unit) for key, query in queries.items()}


class _Idf(Mapping[str, float]):
    """Term -> idf."""

    def __init__(self, space: Space) -> None:
        self._number, self._idf = space.number, space.idf

    def __getitem__(self, term: str) -> float:
        return float(self._idf[self._number[term]])

    def __contains__(self, term: object) -> bool:
        return term in self._number

    def __iter__(self) -> Any:
        return iter(self._number)

    def __len__(self) -> int:
        return len(self._number)


def measure_alone(meter: Meter, section: str, start: Choices, grid: Grid) -> list[Row]:
    """Measure each choice of a grid alone, the start first."""
    variants = [("default", "default", start)]
    variants += [(field, named(field, choices), choices) for field, choices in alone(start, grid)]
    rows = []
    with track(f"{section}: each choice alone", len(variants), "variants") as bar:
        for field, name, choices in variants:
            rows.append(meter.measure(section, field, name, choices))
            bar.update(1, f"nDCG@10 {rows[-1].ndcg:.4f}")
    return rows


class Step(NamedTuple):
    """One change on the way to a combination."""

    round: int
    name: str
    ndcg: float


def ascend(meter: Meter, section: str, start: Choices, grid: Grid, rounds: int = 2) -> tuple[Choices, list[Step]]:
    """Seek a good combination by coordinate ascent on nDCG@10.

    Choice after choice takes its best value with all others as they stand, where that gains at least .0005; it ends
    after a round without a change.

    :param meter: Measures on the split that is tuned on.
    :param start: Where to start.
    :param grid: The choices, in order, and their values.
    :param rounds: Rounds over all choices, at most.
    :return: The combination, and the changes that led there.
    """
    best, value = start, meter.measure(section, "", "", start).ndcg
    steps = [Step(0, "default", value)]
    with track(f"{section}: combination", rounds * len(grid), "choices") as bar:
        for number in range(1, rounds + 1):
            before = best
            for field, values in grid.items():
                found = [(meter.measure(section, field, "", each).ndcg, each) for each in _values(best, field, values)]
                ndcg, choices = max(found, key=lambda pair: pair[0])
                if ndcg >= value + LEAST_GAIN:
                    best, value = choices, ndcg
                    steps.append(Step(number, named(field, best), value))
                bar.update(1, f"nDCG@10 {value:.4f}")
            if best == before:
                break
    note(f"{section}: {len(steps) - 1} changes, nDCG@10 {value:.4f}")
    return best, steps


def _values(best: Choices, field: str, values: Iterable[Any]) -> list[Choices]:
    return [best.but(**{field: value}) for value in values]
