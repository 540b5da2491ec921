"""The weight of aligned terms beside literal ones, chosen without labels: on pseudo-queries of the documents."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sparseembed.errors import DataError
from sparseembed.progress import note
from sparseembed.sparse.counts import TermCounts
from sparseembed.training.pseudo import pseudo_pairs

from .choices import Choices
from .meter import LEAST_GAIN, Meter, Row, measure_alone
from .space import Space, Task

SEED = 0


class Mix(NamedTuple):
    """One way to choose the mix.

    :param way: The way.
    :param chosen: The mix that it takes; None where it cannot.
    :param confident: Whether that is scaled by confidence.
    :param on_pseudo: nDCG@10 on the pseudo-queries, where it was chosen on them.
    :param ndcg: nDCG@10 on the tuning split.
    """

    way: str
    chosen: float | None
    confident: bool
    on_pseudo: float | None
    ndcg: float | None


def pseudo_task(space: Space) -> tuple[Task, TermCounts]:
    """Make queries of held-out documents, and the literal terms of the collection without them.

    :param space: The term space.
    :return: The queries, each with its document as the only relevant one; and literal terms, where a document that gave
        a query (its title or a sentence) has those of the rest of its text alone.
    :raises DataError: The corpus is too small or gives too few.
    """
    corpus = space.bench.corpus
    pseudo = pseudo_pairs(corpus, SEED)
    # No query may have the id of a document: evaluation leaves such hits out.
    names = {f"pseudo query {number}": id for number, id in enumerate(pseudo.held_out_ids)}
    queries = dict(zip(names, (pair.query for pair in pseudo.held_out), strict=True))
    texts = {corpus.index_of(id): pair.positive for id, pair in zip(pseudo.held_out_ids, pseudo.held_out, strict=True)}
    qrels = {query: {id: 1} for query, id in names.items()}
    return Task("pseudo", queries, qrels), other_texts(space, texts)


def other_texts(space: Space, texts: Mapping[int, str]) -> TermCounts:
    """Count the literal terms of a collection in which some documents have another text.

    :param space: The term space, of the documents as they are.
    :param texts: Place in the corpus -> text; its terms that are in no document do not count.
    """
    counted: Any = space.analysed.counts.matrix.tocoo()
    kept = ~np.isin(counted.coords[0], list(texts))
    repeats = counted.data[kept]
    rows, terms = (np.repeat(axis[kept], repeats).astype(np.int64) for axis in counted.coords)
    found = [(row, space.number.get(term, -1)) for row, text in texts.items() for term in space.free.literal.of(text)]
    more_rows, more_terms = np.asarray(found, dtype=np.int64).reshape(-1, 2).T
    return TermCounts(np.concatenate([rows, more_rows]), np.concatenate([terms, more_terms]), counted.shape)


def compare_mixes(meter: Meter, start: Choices, mixes: tuple[float, ...]) -> tuple[list[Mix], list[Row]]:
    """Choose the mix in several ways and measure each on the tuning split.

    :param meter: Measures on the tuning split.
    :param start: The other choices.
    :param mixes: What to choose from.
    :return: The ways, and every mix that was measured, also on the pseudo-queries.
    """
    found = [_measured(meter, start, "fixed mix, the default", start.sparse.mix, False)]
    curves = []
    for confident, how in ((False, "fixed mix"), (True, "mix by confidence")):
        curves += (curve := _curve(meter, start, mixes, confident))
        found.append(
            _measured(meter, start, f"{how}, best on the tuning split", best_mix(curve, start.sparse.mix), confident)
        )
    try:
        task, counts = pseudo_task(meter.space)
    except DataError as error:
        note(f"no mix is chosen without labels: {error}")
        return [*found, Mix("without labels", None, False, None, None)], curves
    blind = Meter(meter.space, task, counts)
    for confident, how in ((False, "fixed mix"), (True, "mix by confidence")):
        curves += (curve := _curve(blind, start, mixes, confident))
        chosen = best_mix(curve, start.sparse.mix)
        made = _measured(meter, start, f"{how}, chosen without labels", chosen, confident)
        found.append(made._replace(on_pseudo=max(row.ndcg for row in curve)))
    return found, curves


def best_mix(curve: Sequence[Row], usual: float) -> float:
    """Return the best mix: of those within .0005 of the highest nDCG@10 the nearest to the usual one.

    A flat curve, such as pseudo-queries that are too easy give, says nothing: nothing is changed then.
    """
    least = max(row.ndcg for row in curve) - LEAST_GAIN
    found = [float(row.choices["mix"]) for row in curve if row.ndcg >= least]
    return min(found, key=lambda mix: (abs(mix - usual), mix))


def _curve(meter: Meter, start: Choices, mixes: tuple[float, ...], confident: bool) -> list[Row]:
    section = f"mix{' by confidence' if confident else ''}, {meter.task.label}"
    rows = measure_alone(meter, section, start.but(confident=confident, mix=mixes[0]), {"mix": mixes})
    return [row for row in rows if row.field == "mix"]


def _measured(meter: Meter, start: Choices, way: str, mix: float, confident: bool) -> Mix:
    row = meter.measure("mix", "mix", way, start.but(mix=mix, confident=confident))
    return Mix(way, mix, confident, None, row.ndcg)
