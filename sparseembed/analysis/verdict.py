"""The verdict: does an embedder align, as it is or after its first principal component is adjusted?

A rate alone says little: an embedding that always ranks "the" first hits every text that holds it. So each rate is set
against chance: the same aligned tokens compared with the token sets of *other* texts (the sets shuffled between texts),
which keeps all that the frequency of tokens does and leaves out what is the text's own.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.analysis.metrics import hits, local_rates, per_text
from sparseembed.analysis.tokens import TokenSets
from sparseembed.arrays import Floats
from sparseembed.intervals import SEED, bootstrap_means

ALIGNS = "aligns"
AFTER_PC1 = "aligns after adjusting PC1"
DOES_NOT = "does not align"

HIT_K = 10
SHUFFLES = 5
THRESHOLD = 0.21
CROWDED = 0.9  # chance level of Hit@10 from which it can tell nothing
THRESHOLD_SOURCE = (
    "(rate - chance) / (1 - chance) has the form of Cohen's kappa, and 0.21 is where Landis and Koch (1977) let "
    '"fair" agreement begin; to apply it to alignment is a convention of this software, the paper gives no threshold'
)


class Evidence(NamedTuple):
    """What decides whether embeddings align.

    :param hit: Hit@10.
    :param hit_chance: Hit@10 of the same aligned tokens against other texts' tokens.
    :param hit_gain_low: Lower end of the 95% interval of their difference, by bootstrap over texts.
    :param lar: Local alignment rate.
    :param lar_chance: LAR against other texts' tokens.
    :param lar_gain_low: As `hit_gain_low`.
    """

    hit: float
    hit_chance: float
    hit_gain_low: float
    lar: float
    lar_chance: float
    lar_gain_low: float

    @property
    def hit_lift(self) -> float:
        """Hit@10 above chance, as a share of what chance leaves."""
        return lift(self.hit, self.hit_chance)

    @property
    def lar_lift(self) -> float:
        """LAR above chance, as a share of what chance leaves."""
        return lift(self.lar, self.lar_chance)

    @property
    def decided_by(self) -> str:
        """`lar` where chance alone hits nearly every text (long texts, frequent tokens), else `hit`."""
        return "lar" if self.hit_chance >= CROWDED else "hit"

    @property
    def strength(self) -> float:
        """The lift that decides."""
        return self.lar_lift if self.decided_by == "lar" else self.hit_lift

    @property
    def aligned(self) -> bool:
        """Whether the deciding lift reaches the threshold and LAR, too, is above chance beyond doubt."""
        sure = self.lar_gain_low > 0 and (self.decided_by == "lar" or self.hit_gain_low > 0)
        return sure and self.strength >= THRESHOLD


class Verdict(NamedTuple):
    """A verdict, why, and what to do.

    :param verdict: `ALIGNS`, `AFTER_PC1` or `DOES_NOT`.
    :param adjustment: The adjustment that the verdict rests on.
    :param reason: The figures that decide, in a sentence.
    :param advice: What to do.
    """

    verdict: str
    adjustment: str
    reason: str
    advice: str


def lift(rate: float, chance: float) -> float:
    """Return (rate - chance) / (1 - chance), or 0 where chance leaves nothing.

    >>> lift(0.75, 0.5), lift(1.0, 1.0)
    (0.5, 0.0)
    """
    return (rate - chance) / (1 - chance) if chance < 1 else 0.0


def gather(top: npt.NDArray[np.int32], sets: TokenSets, seed: int = SEED) -> Evidence:
    """Compare embeddings' aligned tokens with their own texts and with other texts.

    :param top: Aligned tokens, best first, shape (n, k), k at least the largest |T_i|.
    :param sets: The texts' tokens.
    :param seed: Seed of shuffling and bootstrap.
    :return: The evidence.
    """
    own = _rates(top, sets)
    rng = np.random.default_rng(seed)
    chance = np.zeros_like(own)
    for _ in range(SHUFFLES):
        # Each text gets its successor's tokens in a random circle: never its own.
        circle = rng.permutation(len(sets))
        source = np.empty(len(sets), dtype=np.int64)
        source[circle] = np.roll(circle, -1)
        chance += _rates(top, sets.take(source)) / SHUFFLES
    low = bootstrap_means(own - chance, seed)[0]
    (hit, lar), (hit_chance, lar_chance) = own.mean(axis=0), chance.mean(axis=0)
    return Evidence(float(hit), float(hit_chance), float(low[0]), float(lar), float(lar_chance), float(low[1]))


def _rates(top: npt.NDArray[np.int32], sets: TokenSets) -> Floats:
    """Return whether each text is hit within 10, and its local alignment rate, shape (n, 2)."""
    found = per_text(top, sets)
    return np.column_stack([hits(found.first_ranks, HIT_K)[:, -1], local_rates(found)]).astype(np.float64)


def decide(evidence: Mapping[str, Evidence]) -> Verdict:
    """Decide by the evidence of each adjustment.

    :param evidence: Adjustment -> evidence; `none` at least.
    :return: The verdict.
    """
    best = max(evidence, key=lambda kind: _order(evidence[kind]))
    if evidence["none"].aligned:
        advice = "index its embeddings with any adjustment"
        if best != "none":
            advice = f"index its embeddings; of those tried, the adjustment {best} aligns them best"
        return Verdict(ALIGNS, "none", _reason("none", evidence["none"]), advice)
    shifted = [kind for kind in evidence if kind.split(":")[0] == "pc1" and evidence[kind].aligned]
    if shifted:
        chosen = max(shifted, key=lambda kind: _order(evidence[kind]))
        reason = f"{_reason('none', evidence['none'])}; {_reason(chosen, evidence[chosen])}"
        return Verdict(AFTER_PC1, chosen, reason, f"index its embeddings with --adjustment {chosen}")
    advice = (
        "use another embedder, prompt or pooling, or name its true backbone with --decoding; its dense vectors may be "
        "good all the same"
    )
    if evidence[best].aligned:
        advice = f"its embeddings align with {best}, though not with PC1 adjusted: index with --adjustment {best}"
    return Verdict(DOES_NOT, best, _reason(best, evidence[best]), advice)


def _order(found: Evidence) -> tuple[float, float]:
    """Rank evidence by what decides, to two places, then by LAR, which goes on rising where Hit@10 is full."""
    return round(found.strength, 2), found.lar_lift


def _reason(kind: str, found: Evidence) -> str:
    name = "unadjusted" if kind == "none" else f"with {kind}"
    return (
        f"{name}, Hit@{HIT_K} is {found.hit:.3f} (chance {found.hit_chance:.3f}, lift {found.hit_lift:.2f}) and LAR "
        f"{found.lar:.3f} (chance {found.lar_chance:.3f}, lift {found.lar_lift:.2f}); the lift of "
        f"{'LAR' if found.decided_by == 'lar' else f'Hit@{HIT_K}'} must reach {THRESHOLD}"
    )
