"""The weight of aligned terms beside literal ones, chosen in several ways."""

from collections.abc import Sequence
from typing import NamedTuple

from .choices import Choices
from .meter import LEAST_GAIN, Meter, Row, measure_alone


class Mix(NamedTuple):
    """One way to choose the mix.

    :param way: The way.
    :param chosen: The mix that it takes.
    :param confident: Whether that is scaled by confidence.
    :param on_sentences: nDCG@10 of the documents' own sentences, where it was chosen on them.
    :param ndcg: nDCG@10 on the tuning split.
    """

    way: str
    chosen: float
    confident: bool
    on_sentences: float | None
    ndcg: float


def compare_mixes(meter: Meter, start: Choices, mixes: tuple[float, ...]) -> tuple[list[Mix], list[Row]]:
    """Choose the mix in several ways and measure each on the tuning split.

    :param meter: Measures on the tuning split.
    :param start: The other choices.
    :param mixes: What to choose from, where it is chosen on the tuning split.
    :return: The ways, and every mix that was measured.
    """
    usual = start.sparse.weight
    found = [_measured(meter, start, "fixed mix, the usual one", usual, False)]
    choice = meter.space.choose_mix(start.sparse)
    blind = _measured(meter, start, BLIND, choice.mix, False)
    found.append(blind._replace(on_sentences=choice.curve.get(choice.best)))
    curves = []
    for confident, how in ((False, "fixed mix"), (True, "mix by confidence")):
        section = f"mix{' by confidence' if confident else ''}, {meter.task.label}"
        rows = measure_alone(meter, section, start.but(confident=confident, mix=mixes[0]), {"mix": mixes})
        curves += (curve := [row for row in rows if row.field == "mix"])
        found.append(_measured(meter, start, f"{how}, best on the tuning split", best_mix(curve, usual), confident))
    return found, curves


BLIND = "chosen without labels, the default"


def best_mix(curve: Sequence[Row], usual: float) -> float:
    """Return the best mix: of those within .0005 of the highest nDCG@10 the nearest to the usual one."""
    least = max(row.ndcg for row in curve) - LEAST_GAIN
    found = [float(row.choices["mix"]) for row in curve if row.ndcg >= least]
    return min(found, key=lambda mix: (abs(mix - usual), mix))


def _measured(meter: Meter, start: Choices, way: str, mix: float, confident: bool) -> Mix:
    row = meter.measure("mix", "mix", way, start.but(mix=mix, confident=confident))
    return Mix(way, mix, confident, None, row.ndcg)
