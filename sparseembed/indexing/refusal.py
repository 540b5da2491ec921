"""Whether a fitted query encoder may be taken where its user names none: what the manifest says of it.

It is refused where its embeddings have too little in common with the whole model's, where its first ten hits are less
like the whole model's than those of words alone are, or where it finds fewer of the collection's own sentences than
words alone. One that is refused is used where it is asked for by its name.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sparseembed.arrays import Floats
from sparseembed.indexing.encoders import Fitted
from sparseembed.indexing.rescoring import RescoringChoice, behind
from sparseembed.retrieval.rescoring import FULL, NONE

LEAST_COSINE = 0.5
"""Of its embeddings with the whole model's: below it, less than a quarter of what it says is the whole model's."""


def choices_told(
    chosen: Mapping[str, RescoringChoice], sentences: list[str], fitted: Fitted
) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of query encoders, as plain values.

    :param chosen: Query encoder -> what was chosen for it.
    :param sentences: The sentences that it was chosen on.
    :param fitted: The encoders that were fitted to the collection.
    """
    short = behind(chosen)
    told = {encoder: choice.as_dict() | {"behind": short[encoder]} for encoder, choice in chosen.items()}
    fitted_to = set(fitted.texts)
    common = set.intersection(*(set(choice.firsts) for choice in chosen.values()))
    fresh = [number for number in sorted(common) if sentences[number] not in fitted_to]
    for encoder, fidelity in fitted.fidelity.items():
        own, words = (shared(chosen[each], chosen[FULL], fresh) for each in (encoder, NONE))
        about = told[encoder]
        about |= {"depth": fitted.depth(encoder), "cosine": fidelity.cosine, "texts": len(fitted.texts)}
        if len(own):
            about["overlap"] = {encoder: float(own.mean()), "none": float(words.mean()), "sentences": len(own)}
        refused = refusal(fidelity.cosine, own - words, short[NONE].get(encoder))
        if refused is not None:
            about["refused"] = refused
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
    """Say why a fitted query encoder is refused as a default; None where it is not.

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
