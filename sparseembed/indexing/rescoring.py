"""How hits are rescored, chosen for a collection without a query or a judgement.

The sentences that the mix is chosen on are searched among their collection's documents; the best hundred of each are
rescored with every weight of embeddings, and then with every weight of neighbours. The weight that finds the sentences'
own documents best is one of several as good as it: the middle of those around it that are not worse by more than one
standard error is taken.

Feedback has one weight for all collections, and the sentences say only whether it is used: it is off where the
neighbours of a sentence's document do not beyond doubt score higher than those of the hits ranked beside it. The weight
that finds the sentences best is too timid, and one for each query no better. Train and dev splits, words alone, off ->
by the sentences -> .25: pydocs .276 -> .283 -> .290, SciFact .725 -> .728 -> .729, NFCorpus .317 -> .324 -> .324. Less
of it where the first hit stands out, or has no support by its neighbours, was within .003 of that or worse.

An encoder that is fitted to the collection comes near the full one's embeddings with a known cosine, and has the full
one's weight times the square of that, the share of their variance that both have in common: its own curve is too timid,
and the cosine itself too bold where queries are unlike the texts that it was fitted to. nDCG@10 over words with
feedback, by the cosine itself -> its square -> its cube: small, pydocs' train split .053 -> .054 -> .046, SciFact's
.007 -> .009 -> .008, NFCorpus' dev split -.005 -> -.001 -> .003, four collections made of training pairs (whole
arguments as queries, sentences that cite, two of questions) on the mean .012 -> .014 -> .014; static .038 -> .032 ->
.027, .009 -> .007 -> .004, .010 -> .007 -> .007, .010 -> .014 -> .012. Where queries repeat the documents' words (1,500
pages of tldr) all lose, the less the smaller the weight: small -.051 -> -.027 -> -.018, static -.041 -> -.028 -> -.013.

In one query a weight is less the further its best hit by words leads (`retrieval.rescoring.weight_in_query`). What
this changes, full / small / static: tldr's pages +.018 / +.007 / +.005, tables of figures +.011 / .000 / .000, the six
others -.002 to +.003 each, on the mean of all eight +.0044 / +.0009 / +.0007. From a lead of 0 on in place of .1:
+.0047 with the full one, but pydocs' train split -.005; from .2 on: +.0021. Aligned terms decide nothing by a lead:
without literal words it is -.004 to +.002 on three splits. Weights are chosen without it: sentences lead further than
queries do, and would have weights .05 to .15 larger, at which the tables lose .022.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from sparseembed.arrays import Floats, Vectors
from sparseembed.embedders.early import Fidelity
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import digest
from sparseembed.index.eight_bits import cosines
from sparseembed.index.statistics import Rescoring
from sparseembed.indexing.candidates import Candidates, candidates
from sparseembed.indexing.mixing import DEPTH, Asked
from sparseembed.indexing.sample import Sample
from sparseembed.progress import note
from sparseembed.retrieval import feedback, nearest
from sparseembed.retrieval.feedback import neighbour_weights
from sparseembed.retrieval.rescoring import ENCODERS, FULL, NONE, by_terms, shares, weight_in_query

WEIGHTS = tuple(round(step / 10, 1) for step in range(11))
FEEDBACK = WEIGHTS[:7]
USUAL = 0.5  # the cosine's weight where nothing can be chosen; there is no feedback then
FEEDBACK_WEIGHT = 0.25
"""The neighbours' weight where feedback is on: best or within .003 of it on the splits above."""

BESIDE = 5  # ranks above and below a document whose neighbours its own are held against
BEYOND_DOUBT = 3.0  # standard errors. With each query's embeddings permuted: -2.4 to 1.2; dev collections: 4.0 to 8.2


class Chosen(NamedTuple):
    """A weight and the curve that it was read from: weight -> mean nDCG@10 of the sentences, empty without any."""

    weight: float
    curve: dict[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Return the choice as plain values, for a manifest."""
        return {"weight": self.weight, "curve": {f"{weight:g}": value for weight, value in self.curve.items()}}


class RescoringChoice(NamedTuple):
    """What was chosen for one query encoder.

    :param cosine: The weight of the cosine beside the sparse score; 0 without an encoder.
    :param feedback: The weight of the neighbours' scores beside the own one; 0 is off.
    :param gains: Each sentence's nDCG@10 with both, shape (q,).
    :param agreement: By how many standard errors the neighbours of the sentences' documents score higher than those of
        the hits ranked beside them.
    :param firsts: Number of a sentence -> places of its ten best candidates, for those whose document is a candidate.
    """

    cosine: Chosen
    feedback: Chosen
    gains: Floats
    agreement: float = 0.0
    firsts: Mapping[int, frozenset[Hashable]] = MappingProxyType({})

    def as_dict(self) -> dict[str, Any]:
        """Return the choice as plain values, for a manifest."""
        cosine = self.cosine.as_dict() if self.cosine.curve or self.cosine.weight else {}
        reach = {"nDCG@10": float(self.gains.mean())} if len(self.gains) else {}
        feedback = self.feedback.as_dict() | {"agreement": self.agreement}
        return {**cosine, "feedback": feedback, "sentences": len(self.gains), **reach}


def usual(encoder: str, fidelity: Mapping[str, Fidelity], full: float = USUAL) -> RescoringChoice:
    """Return what is taken where nothing can be chosen.

    :param encoder: The query encoder.
    :param fidelity: As in `choose_rescoring`.
    :param full: The weight of the whole model's embeddings.
    """
    weight = 0.0 if encoder == NONE else _share(encoder, fidelity) * full
    return RescoringChoice(Chosen(round(weight, 2), {}), Chosen(0.0, {}), np.zeros(0))


def _share(encoder: str, fidelity: Mapping[str, Fidelity]) -> float:
    """Return what an encoder's embeddings count for beside the whole model's: the variance that both have in common."""
    return max(fidelity[encoder].cosine, 0.0) ** 2 if encoder in fidelity else 1.0


def sentence_embeddings(asked: Asked, sample: Sample, store: EmbeddingStore, embedder: TransformerEmbedder) -> Vectors:
    """Return the embeddings of sentences as queries, shape (q, d).

    :param asked: The sentences.
    :param sample: The documents that they are from.
    :param store: The collection's embeddings; those of the sentences are kept beside them.
    :param embedder: What made them.
    """
    if not asked.pairs:
        return asked.rests
    ids, sentences = [sample.documents[place].id for place in asked.pairs], asked.sentences
    texts = Texts(f"sentences of {asked.whose}", digest([ids, sentences]), ids, sentences)
    return encode_to_store(store.folder.parent / "sentences", texts, embedder, "query", redo=True).matrix()


def choose_rescoring(
    asked: Asked,
    queries: Mapping[str, Vectors],
    mix: float,
    sample: Sample,
    store: EmbeddingStore,
    centres: Vectors,
    literal: bool = True,
    fidelity: Mapping[str, Fidelity] = MappingProxyType({}),
) -> dict[str, RescoringChoice]:
    """Choose the weights of a collection.

    :param asked: Its sentences, q of them, and their sparse scores.
    :param queries: Query encoder -> its embeddings of the sentences, shape (q, d).
    :param mix: The index's mix.
    :param sample: The documents that were searched.
    :param store: The collection's embeddings.
    :param centres: As in `Statistics`.
    :param literal: Whether the index has the documents' own words.
    :param fidelity: Encoder that was fitted to the collection -> how near its embeddings come to the full one's.
    :return: Query encoder, also `none` -> the choice, the same each time.
    """
    load_kernels()
    given = {
        encoder: list(candidates(asked, mix, sample, store, centres, queries.get(encoder)))
        for encoder in (NONE, *queries)
        if asked.pairs
    }
    return choose_on(given, len(asked.pairs), asked.whose, queries, centres[1], literal, fidelity)


def load_kernels() -> None:
    """Load what finds and compares neighbours: sentences are some hundred queries."""
    nearest.load()
    feedback.load()


def choose_on(
    given: Mapping[str, Sequence[Candidates]],
    sentences: int,
    whose: str,
    queries: Mapping[str, Vectors],
    centre: Vectors,
    literal: bool,
    fidelity: Mapping[str, Fidelity],
    known: Mapping[str, Rescoring] = MappingProxyType({}),
) -> dict[str, RescoringChoice]:
    """Choose the weights of a collection on what was found.

    :param given: Query encoder, also `none` -> the candidates of sentences.
    :param sentences: How many sentences there are, q; 0 where there are too few to choose on.
    :param whose: Whose they are, for a message.
    :param queries: As in `choose_rescoring`.
    :param centre: Mean embedding of texts like queries, shape (d,).
    :param literal: As in `choose_rescoring`.
    :param fidelity: As in `choose_rescoring`.
    :param known: Query encoder -> weights that were chosen before and stay.
    :return: As `choose_rescoring`.
    """
    encoders = [encoder for encoder in ENCODERS if encoder == NONE or encoder in queries]
    if not sentences:
        note(f"feedback is off: too few of {whose} have several sentences to choose its weight on")
        return {encoder: usual(encoder, fidelity) for encoder in encoders}
    found: dict[str, RescoringChoice] = {}
    for encoder in reversed(encoders):  # those that are fitted after the full one
        stays, each_given = known.get(encoder), given[encoder]
        weights = [neighbour_weights(each.rows, int((each.scores > 0).sum())) for each in each_given]
        if encoder == NONE:
            cosine, scores = Chosen(0.0, {}), [by_terms(each.scores) for each in each_given]
        else:
            set_to = stays.weight if stays is not None else None
            if set_to is None and encoder in fidelity and FULL in found:
                set_to = round(found[FULL].cosine.weight * _share(encoder, fidelity), 2)
            cosine, scores = _choose_cosine(each_given, queries[encoder], centre, sentences, set_to, literal)
        mixed = partial(_fed_back, scores, weights)
        gains = _gains(each_given, sentences, mixed(FEEDBACK), len(FEEDBACK))
        certain = agreement([each.own for each in each_given], scores, weights)
        used = FEEDBACK_WEIGHT if certain >= BEYOND_DOUBT else 0.0
        fed = Chosen(stays.feedback if stays is not None else used, _curve(FEEDBACK, gains))
        final = mixed([fed.weight])
        (gains,) = _gains(each_given, sentences, final, 1)
        firsts = {each.sentence: first_ten(each, new) for each, (new,) in zip(each_given, final, strict=True)}
        found[encoder] = RescoringChoice(cosine, fed, gains, certain, firsts)
        if stays is None:
            _say(encoder, found[encoder], whose)
    return {encoder: found[encoder] for encoder in encoders}


def first_ten(given: Candidates, scores: Floats) -> frozenset[Hashable]:
    """Return the documents with the ten highest scores; of equal ones the first."""
    return frozenset(given.documents[np.argsort(-scores, kind="stable")[:DEPTH]].tolist())


def behind(chosen: Mapping[str, RescoringChoice]) -> dict[str, dict[str, dict[str, float]]]:
    """Return how far each query encoder stays behind the costlier ones.

    :param chosen: Query encoder -> the choice.
    :return: Encoder -> a costlier one -> `by`, the mean difference of the sentences' nDCG@10, and its standard `error`;
        empty where nothing could be chosen.
    """
    found: dict[str, dict[str, dict[str, float]]] = {encoder: {} for encoder in chosen}
    for encoder, choice in chosen.items():
        for other in ENCODERS[ENCODERS.index(encoder) + 1 :]:
            if other in chosen and len(choice.gains):
                apart = chosen[other].gains - choice.gains
                found[encoder][other] = {
                    "by": float(apart.mean()),
                    "error": float(apart.std() / np.sqrt(len(apart))),
                }
    return found


def _choose_cosine(
    given: Sequence[Candidates],
    queries: Vectors,
    centre: Vectors,
    sentences: int,
    known: float | None,
    literal: bool,
) -> tuple[Chosen, list[Floats]]:
    """Choose the cosine's weight, unless it is known already; also return the candidates' scores with it."""
    cosine = [cosines(each.rows, queries[each.sentence], centre) for each in given]

    def scores(weights: Sequence[float]) -> list[Floats]:
        each = zip(given, cosine, weights, strict=True)
        return [np.add(*shares(one.scores, own, weight)) for one, own, weight in each]

    by_weight = [scores([weight] * len(given)) for weight in WEIGHTS]
    gains = _gains(given, sentences, list(zip(*by_weight, strict=True)), len(WEIGHTS))
    weight = middle(gains, WEIGHTS, USUAL) if known is None else known
    final = [weight_in_query(each.scores, weight, literal) for each in given]
    return Chosen(weight, _curve(WEIGHTS, gains)), scores(final)


def _fed_back(scores: Sequence[Floats], near: Sequence[Floats], weights: Sequence[float]) -> list[list[Floats]]:
    """Return the candidates' scores with each weight of feedback, for each sentence."""
    return [
        [(1 - weight) * own + weight * (neighbours @ own) for weight in weights]
        for own, neighbours in zip(scores, near, strict=True)
    ]


def _gains(given: Sequence[Candidates], sentences: int, scores: Sequence[Sequence[Floats]], weights: int) -> Floats:
    """Return nDCG@10 with each weight of each sentence, shape (weights, q); 0 where its document is no candidate.

    :param given: The candidates of sentences.
    :param sentences: q.
    :param scores: Their scores with each weight, in the same order.
    :param weights: How many weights.
    """
    gains = np.zeros((weights, sentences))
    for each, by_weight in zip(given, scores, strict=True):
        gains[:, each.sentence] = [each.gain(new) for new in by_weight]
    return gains


def _curve(weights: Sequence[float], gains: Floats) -> dict[float, float]:
    return dict(zip(weights, gains.mean(axis=1).tolist(), strict=True))


def _say(encoder: str, choice: RescoringChoice, whose: str) -> None:
    parts = []
    if encoder != NONE:
        curve = choice.cosine.curve
        parts.append(
            f"rescoring weight {choice.cosine.weight:g} ({encoder} query encoder): nDCG@10 {curve[0.0]:.3f}, "
            f"at most {max(curve.values()):.3f}"
        )
    curve, weight = choice.feedback.curve, choice.feedback.weight
    told = f"feedback {weight:g}" if weight else "feedback is off, for like texts do not score alike"
    parts.append(f"{told}: {curve[0.0]:.3f} -> {choice.gains.mean():.3f}")
    note("; ".join(parts) + f"; chosen on {len(choice.gains)} sentences of {whose}")


def agreement(own: Sequence[int], scores: Sequence[Floats], near: Sequence[Floats]) -> float:
    """Return by how many standard errors the neighbours of sentences' documents score higher than others' neighbours.

    :param own: Place of each sentence's document among its candidates.
    :param scores: Scores of the candidates of each sentence, shape (n,).
    :param near: Weights of their neighbours, shape (n, n), by `neighbour_weights`.
    :return: The mean over sentences of the neighbours' score of the own document less the mean of those of the hits at
        most 5 ranks away, by its standard error; 0 where it is the same for all.
    """
    apart = []
    for place, found, weights in zip(own, scores, near, strict=True):
        ranks = np.argsort(np.argsort(-found, kind="stable"), kind="stable")
        beside = np.abs(ranks - ranks[place]) <= BESIDE
        beside[place] = False
        if beside.any():
            support = weights @ found
            apart.append(support[place] - support[beside].mean())
    error = float(np.std(apart) / np.sqrt(len(apart))) if apart else 0.0
    return float(np.mean(apart) / error) if error > 0 else 0.0


def middle(gains: Floats, weights: Sequence[float], usual: float) -> float:
    """Return the middle of the weights that are as good as the best one.

    :param gains: Gain of each sentence with each of the weights, shape (weights, q).
    :param weights: The weights, rising.
    :param usual: Of equal bests the nearest to it counts.
    :return: The middle between the first and the last weight around the best that lose no more than one standard error
        of the difference.
    """
    means = gains.mean(axis=1)
    best = max(range(len(weights)), key=lambda number: (means[number], -abs(weights[number] - usual)))
    apart = gains[best] - gains
    error = apart.std(axis=1) / np.sqrt(gains.shape[1])
    good = apart.mean(axis=1) <= error
    first = last = best
    while first and good[first - 1]:
        first -= 1
    while last + 1 < len(weights) and good[last + 1]:
        last += 1
    return round((weights[first] + weights[last]) / 2, 2)
