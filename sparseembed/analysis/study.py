"""The study: aligned tokens of embedder and backbone under each adjustment, measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparseembed.alignment.adjustment import Adjustment, fit_adjustment
from sparseembed.alignment.decoding import Decoder, DecodingRows
from sparseembed.analysis.metrics import (
    K_MAX,
    PerText,
    Rate,
    global_counts,
    global_rate,
    hit_curve,
    hits,
    local_rates,
    per_text,
)
from sparseembed.analysis.tokens import TokenSets
from sparseembed.analysis.verdict import Evidence, gather
from sparseembed.arrays import Floats, Vectors
from sparseembed.intervals import bootstrap_means
from sparseembed.progress import track

LAMBDAS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
ADJUSTMENTS = ("none", "pc1", *(f"pc1:{each:g}" for each in LAMBDAS), "centred", "bulk")


@dataclass(frozen=True)
class Measured:
    """One side under one adjustment.

    :param side: `embedder` or `backbone`.
    :param adjustment: Its name.
    :param found: What each text contributes.
    :param hit_ends: Lower and upper end of Hit@K's interval, K = 1..100, shape (100,) each.
    :param lar: Local alignment rate.
    :param gar: Global alignment rate.
    :param gar_counts: Its two counts.
    :param evidence: The rates against chance.
    """

    side: str
    adjustment: str
    found: PerText
    hit_ends: tuple[Floats, Floats]
    lar: Rate
    gar: Rate
    gar_counts: tuple[int, int]
    evidence: Evidence

    @property
    def hit(self) -> Floats:
        """Hit@K for K = 1..100."""
        return hit_curve(self.found.first_ranks)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values; the rates can be recomputed from ranks, overlaps and counts."""
        evidence = self.evidence
        return {
            "side": self.side,
            "adjustment": self.adjustment,
            "hit": self.hit.tolist(),
            "hit_low": self.hit_ends[0].tolist(),
            "hit_high": self.hit_ends[1].tolist(),
            "lar": self.lar._asdict(),
            "gar": self.gar._asdict(),
            "gar_matched": self.gar_counts[0],
            "gar_present": self.gar_counts[1],
            "first_ranks": self.found.first_ranks.tolist(),
            "matched": self.found.matched.tolist(),
            "evidence": {
                **evidence._asdict(),
                "hit_lift": evidence.hit_lift,
                "lar_lift": evidence.lar_lift,
                "decided_by": evidence.decided_by,
                "aligned": evidence.aligned,
            },
        }


def study(
    sides: Mapping[str, Vectors],
    sets: TokenSets,
    rows: DecodingRows,
    matrix: Vectors,
    adjustments: Sequence[str] = ADJUSTMENTS,
    device: str = "cpu",
) -> list[Measured]:
    """Measure each side under each adjustment, each fitted on that side's own embeddings.

    :param sides: Side -> embeddings, shape (n, d) each.
    :param sets: The texts' tokens, none empty.
    :param rows: The decoding matrix's rows by term.
    :param matrix: The whole decoding matrix, shape (V, d), whose spectrum `bulk` filters by.
    :param adjustments: Names of adjustments.
    :param device: Where to decode.
    :return: In the order of sides, then adjustments.
    """
    decoder = Decoder(rows, device)
    first = next(iter(sides.values()))
    bulk = {kind: fit_adjustment(kind, first, matrix) for kind in adjustments if kind.startswith("bulk")}
    measured = []
    with track("decoding and measuring", len(sides) * len(adjustments), "adjustments") as bar:
        for side, vectors in sides.items():
            for kind, fitted in {**_fit(adjustments, vectors), **bulk}.items():
                measured.append(_measure(side, kind, fitted.apply(vectors), sets, decoder))
                bar.update(1)
    return measured


def _fit(kinds: Sequence[str], vectors: Vectors) -> dict[str, Adjustment]:
    """Fit adjustments in their order, but for `bulk`, which no embeddings decide; PC1 is looked for only once."""
    shifted = fit_adjustment("pc1:1", vectors)
    fits = {}
    for kind in kinds:
        if kind == "pc1":
            fits[kind] = Adjustment(kind, shifted.vector)
        elif kind.startswith("pc1:"):
            fits[kind] = replace(shifted, kind=kind, shift=float(kind[4:]) * shifted.shift)
        elif not kind.startswith("bulk"):
            fits[kind] = fit_adjustment(kind, vectors)
    return fits


def _measure(side: str, kind: str, vectors: Vectors, sets: TokenSets, decoder: Decoder) -> Measured:
    top = decoder.top(vectors, max(K_MAX, int(sets.sizes.max()))).terms
    found = per_text(top, sets)
    rates = local_rates(found)
    low, high = bootstrap_means(np.column_stack([hits(found.first_ranks), rates]))
    return Measured(
        side,
        kind,
        found,
        (low[:-1], high[:-1]),
        Rate(float(rates.mean()), float(low[-1]), float(high[-1])),
        global_rate(top, sets),
        global_counts(top, sets),
        gather(top, sets),
    )
