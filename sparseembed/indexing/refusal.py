"""Whether a small query encoder may be taken where its user names none: what the manifest says of it.

It is refused where its embeddings have too little in common with the whole model's, where its first ten hits are less
like the whole model's than those of words alone are, or where it finds fewer of the collection's own sentences than
words alone. One that is refused is used where it is asked for by its name.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sparseembed.arrays import Floats
from sparseembed.indexing.early import FittedEarly
from sparseembed.indexing.rescoring import RescoringChoice, behind
from sparseembed.retrieval.rescoring import FULL, NONE, SMALL

LEAST_COSINE = 0.5
"""Of its embeddings with the whole model's: below it, less than a quarter of what it says is the whole model's."""


def choices_told(
    chosen: Mapping[str, RescoringChoice], sentences: list[str], early: FittedEarly | None
) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of query encoders, as plain values.

    :param chosen: Query encoder -> what was chosen for it.
    :param sentences: The sentences that it was chosen on.
    :param early: The small encoder; None where there is none.
    """
    short = behind(chosen)
    told = {encoder: choice.as_dict() | {"behind": short[encoder]} for encoder, choice in chosen.items()}
    if early is None:
        return told
    fitted_to = set(early.texts)
    common = set.intersection(*(set(choice.firsts) for choice in chosen.values()))
    fresh = [number for number in sorted(common) if sentences[number] not in fitted_to]
    small, words = (shared(chosen[encoder], chosen[FULL], fresh) for encoder in (SMALL, NONE))
    told[SMALL] |= {"depth": early.head.depth, "cosine": early.fidelity.cosine, "texts": len(early.texts)}
    if len(small):
        told[SMALL]["overlap"] = {"small": float(small.mean()), "none": float(words.mean()), "sentences": len(small)}
    refused = refusal(early.fidelity.cosine, small - words, short[NONE].get(SMALL))
    if refused is not None:
        told[SMALL]["refused"] = refused
    return told


def shared(one: RescoringChoice, other: RescoringChoice, sentences: list[int]) -> Floats:
    """Return which share of the first ten hits two encoders have in common.

    :param one: What was chosen for the one.
    :param other: What was chosen for the other.
    :param sentences: Numbers of the n sentences that are looked at; both have candidates for each.
    :return: Shape (n,).
    """
    pairs = [(one.firsts[each], other.firsts[each]) for each in sentences]
    return np.array([len(mine & theirs) / len(theirs) for mine, theirs in pairs], dtype=np.float64)


def refusal(cosine: float, nearer: Floats, against_words: Mapping[str, float] | None) -> str | None:
    """Say why a small query encoder is refused as a default; None where it is not.

    :param cosine: Its embeddings' mean cosine with the whole model's.
    :param nearer: By how much more of the whole model's first ten hits it has than words alone have, for each of some
        sentences, shape (n,).
    :param against_words: How far words alone stay behind it, as `behind` tells; None where that is not known.
    """
    if cosine < LEAST_COSINE:
        return (
            f"its embeddings have a mean cosine of {cosine:.2f} with the whole model's, and {LEAST_COSINE:.2f} is asked"
        )
    if len(nearer) and nearer.mean() < -nearer.std() / np.sqrt(len(nearer)):
        return "its first ten hits are less like the whole model's than those of words alone are"
    if against_words is not None and against_words["by"] < -against_words["error"]:
        return "it finds fewer of the collection's own sentences than words alone do"
    return None
