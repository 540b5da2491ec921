"""The weight of embeddings in rescoring, chosen on sentences: its curve against plain loops, and what is kept of it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_mixing import corpus_of, parts_of

from sparseembed.embedders.early import Fidelity
from sparseembed.engines import native_loading
from sparseembed.index.eight_bits import eight_bits
from sparseembed.index.snapshot import open_snapshot
from sparseembed.indexing import candidates as candidates_module
from sparseembed.indexing import rescoring
from sparseembed.indexing.build import build_index
from sparseembed.indexing.mixing import ask
from sparseembed.indexing.rescoring import (
    FEEDBACK,
    WEIGHTS,
    Chosen,
    RescoringChoice,
    agreement,
    behind,
    choose_rescoring,
    middle,
    sentence_embeddings,
)
from sparseembed.retrieval import feedback, nearest
from sparseembed.retrieval.feedback import neighbour_weights
from sparseembed.sparse.config import SparseConfig

pytestmark = pytest.mark.usefixtures("silence")


def plain_curves(asked, mix, sample, store, embedder, centres, candidates, chosen, encoder):
    """Rescore each sentence's candidates in plain Python; `chosen` is the cosine's weight that feedback starts from."""
    vectors = store.matrix()[sample.rows].astype(np.float64)
    places = list(asked.pairs)
    vectors[places] = asked.rests
    rows = eight_bits(vectors.astype(np.float32), centres[0]).astype(np.float64)
    gains, fed = {weight: [] for weight in WEIGHTS}, {weight: [] for weight in FEEDBACK}
    for column, (place, pair) in enumerate(asked.pairs.items()):
        query = embedder.encode([pair.query], "query")[0].astype(np.float64) - centres[1]
        scores = asked.literal[:, column] + mix * asked.expanded[:, column]
        best = sorted((row for row in range(len(scores)) if scores[row] > 0), key=lambda row: (-scores[row], row))
        best = best[:candidates]
        cosine = {
            row: rows[row] @ query / np.linalg.norm(rows[row]) / np.linalg.norm(query) for row in range(len(rows))
        }
        scores = {row: scores[row] for row in best}
        if encoder == "full":
            nearest = sorted(cosine, key=lambda row: (-cosine[row], row))[:candidates]
            best += [row for row in nearest if row not in best]
        cosine = {row: cosine[row] for row in best}
        if place not in best:
            for each in (*gains.values(), *fed.values()):
                each.append(0.0)
            continue

        def mixed(weight, best=best, scores=scores, cosine=cosine):
            low, high = min(scores.values()) if encoder == "none" else 0, max(scores.values())
            least, most = min(cosine.values()), max(cosine.values())
            return {
                row: (1 - weight) * (scores.get(row, 0) - low) / ((high - low) or 1)
                + weight * (cosine[row] - least) / ((most - least) or 1)
                for row in best
            }

        def gain(total, place=place):
            rank = sum(score >= total[place] - 1e-9 for score in total.values())
            return 1 / math.log2(1 + rank) if rank <= 10 else 0.0

        for weight, each in gains.items():
            each.append(gain(mixed(weight)))
        second, first = sorted(scores.values())[-2:] if len(scores) > 1 else (1, 1)
        own, near = mixed(chosen * min(1, second / first / 0.9)), neighbours_of(rows, best, list(scores))
        for weight, each in fed.items():
            each.append(gain({row: (1 - weight) * own[row] + weight * near(row, own) for row in best}))
    return [{weight: sum(each) / len(each) for weight, each in curve.items()} for curve in (gains, fed)]


def neighbours_of(rows, best, hits):
    """Return what gives a candidate the weighted mean of the scores of the five hits by terms nearest to it."""
    hits = hits if len(hits) > 1 else best

    def cosine(one, other):
        return rows[one] @ rows[other] / np.linalg.norm(rows[one]) / np.linalg.norm(rows[other])

    def near(row, scores):
        found = sorted((cosine(row, other) for other in hits if other != row), reverse=True)[: min(5, len(hits) - 1)]
        if not found:
            return scores[row]
        weights = {
            other: math.exp(10 * cosine(row, other))
            for other in hits
            if other != row and cosine(row, other) >= found[-1] - 1e-12
        }
        return sum(weight * scores[other] for other, weight in weights.items()) / sum(weights.values())

    return near


@pytest.mark.parametrize("candidates", [7, 100])
def test_the_curve_is_that_of_plain_loops(tiny_embedder, monkeypatch, candidates):
    monkeypatch.setattr(candidates_module, "CANDIDATES", candidates)
    embedder = tiny_embedder(pooling="mean")
    parts = parts_of(corpus_of(60), embedder, SparseConfig(k=20))
    _, sample, _, store, *_ = parts
    asked = ask(*parts)
    centres = np.stack([store.matrix().mean(axis=0), np.linspace(-1, 1, 32, dtype=np.float32)])
    queries = sentence_embeddings(asked, sample, store, embedder)
    found = choose_rescoring(asked, {"full": queries}, 0.7, sample, store, centres)
    assert list(found) == ["none", "full"]
    for encoder, choice in found.items():
        weight = choice.cosine.weight
        curve, fed = plain_curves(asked, 0.7, sample, store, embedder, centres, candidates, weight, encoder)
        assert choice.feedback.curve == pytest.approx(fed, abs=1e-3)
        assert len(choice.gains) == len(asked.pairs)
        if encoder == "full":
            assert choice.cosine.curve == pytest.approx(curve, abs=1e-3)
            assert abs(weight - max(curve, key=curve.get)) <= 0.5
        else:
            assert choice.cosine == Chosen(0.0, {})
        if choice.feedback.weight == 0:
            assert choice.agreement < 3
            assert choice.gains.mean() == pytest.approx(fed[0], abs=1e-3)


@pytest.mark.parametrize(
    ("means", "spread", "wanted"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.5, 0.1], 0.0, 0.8),  # no doubt: the best itself
        ([0.5] * 11, 0.0, 0.5),  # all are equal
        ([0.1, 0.1, 0.1, 0.5, 0.5, 0.6, 0.5, 0.1, 0.5, 0.1, 0.1], 1.5, 0.45),  # .3 to .6; .8 lies behind a bad one
        ([0.6, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 1.5, 0.05),
    ],
)
def test_the_middle_of_what_is_as_good_as_the_best_is_taken(means, spread, wanted):
    noise = np.random.default_rng(2).normal(size=(len(means), 100)) * spread
    noise -= noise.mean(axis=1, keepdims=True)
    assert middle(np.array(means)[:, None] + noise, WEIGHTS, 0.5) == wanted


def test_encoders_are_compared_sentence_by_sentence():
    found = behind(
        {
            encoder: RescoringChoice(Chosen(0.5, {}), Chosen(0.0, {}), np.array(gains))
            for encoder, gains in (("none", [0.0, 0.5, 1.0, 0.0]), ("full", [1.0, 0.5, 1.0, 0.5]))
        }
    )
    assert found["full"] == {}
    assert found["none"]["full"]["by"] == pytest.approx(0.375)
    assert found["none"]["full"]["error"] == pytest.approx(np.std([1, 0, 0, 0.5]) / 2)


def plain_agreement(own, scores, near):
    apart = []
    for place, found, weights in zip(own, scores, near, strict=True):
        order = sorted(range(len(found)), key=lambda row: (-found[row], row))
        rank = order.index(place)
        beside = [order[at] for at in range(max(0, rank - 5), min(len(order), rank + 6)) if at != rank]
        support = [sum(weight * score for weight, score in zip(row, found, strict=True)) for row in weights]
        if beside:
            apart.append(support[place] - sum(support[row] for row in beside) / len(beside))
    return np.mean(apart) / (np.std(apart) / math.sqrt(len(apart)))


@given(st.integers(0, 10**6))
def test_agreement_is_that_of_plain_loops_and_none_of_noise(seed):
    chance = np.random.default_rng(seed)
    sizes = chance.integers(1, 30, 40).tolist()
    own = [int(chance.integers(size)) for size in sizes]
    scores = [np.round(chance.uniform(size=size), 1) for size in sizes]  # with ties
    near = [neighbour_weights(chance.integers(-127, 128, (size, 16)).astype(np.int8)) for size in sizes]
    found = agreement(own, scores, near)
    assert found == pytest.approx(plain_agreement(own, scores, near), rel=1e-6, abs=1e-9)
    assert abs(found) < 6


def test_sentences_whose_documents_are_no_candidates_choose_nothing(tiny_embedder, monkeypatch):
    embedder = tiny_embedder(pooling="mean")
    parts = parts_of(corpus_of(60), embedder, SparseConfig(k=20))
    _, sample, _, store, *_ = parts
    asked = ask(*parts)
    nothing = asked._replace(literal=0 * asked.literal, expanded=0 * asked.expanded)
    queries = sentence_embeddings(asked, sample, store, embedder)
    centres = np.stack([store.matrix().mean(axis=0)] * 2)
    found = choose_rescoring(nothing, {"full": 0 * queries + centres[1]}, 0.5, sample, store, centres)
    for choice in found.values():
        assert choice.feedback.weight == 0
        assert not any(choice.feedback.curve.values())
        assert not choice.gains.any()
    assert found["full"].cosine.weight == 0.5  # the usual one


def test_fitted_encoders_have_the_weight_of_the_full_one_times_the_square_of_their_cosine(tiny_embedder):
    embedder = tiny_embedder(pooling="mean")
    parts = parts_of(corpus_of(60), embedder, SparseConfig(k=20))
    _, sample, _, store, *_ = parts
    asked = ask(*parts)
    queries = sentence_embeddings(asked, sample, store, embedder)
    centres = np.stack([store.matrix().mean(axis=0)] * 2)
    near = {"static": Fidelity(9, -0.5), "small": Fidelity(9, 0.5)}
    given = {"static": queries, "small": queries, "full": queries}
    found = choose_rescoring(asked, given, 0.5, sample, store, centres, fidelity=near)
    assert list(found) == ["none", "static", "small", "full"]
    assert found["static"].cosine.curve == found["small"].cosine.curve == found["full"].cosine.curve
    assert found["small"].cosine.weight == round(found["full"].cosine.weight / 4, 2) > 0
    assert found["static"].cosine.weight == 0


def test_agreement_is_large_where_like_texts_score_alike():
    chance = np.random.default_rng(5)
    rows = [np.array([[127, 0]] * 6 + [[0, 127]] * 6, dtype=np.int8) for _ in range(40)]
    scores = [np.concatenate([chance.uniform(0.4, 1, 6), chance.uniform(0, 0.6, 6)]) for _ in rows]
    near = [neighbour_weights(each) for each in rows]
    assert agreement([int(chance.integers(6)) for _ in rows], scores, near) > 3
    assert agreement([6 + int(chance.integers(6)) for _ in rows], scores, near) < -3
    assert agreement([0], [np.ones(1)], [np.ones((1, 1))]) == 0
    assert agreement([], [], []) == 0


def test_feedback_is_off_where_like_texts_do_not_score_alike(tiny_embedder, monkeypatch):
    embedder = tiny_embedder(pooling="mean")
    parts = parts_of(corpus_of(60), embedder, SparseConfig(k=20))
    _, sample, _, store, *_ = parts
    asked = ask(*parts)
    centres = np.stack([store.matrix().mean(axis=0)] * 2)
    monkeypatch.setattr(rescoring, "FEEDBACK_WEIGHT", 0.4)
    weights = {}
    for doubt in (-1e9, 1e9):
        monkeypatch.setattr(rescoring, "BEYOND_DOUBT", doubt)
        weights[doubt] = choose_rescoring(asked, {}, 0.5, sample, store, centres)["none"].feedback.weight
    assert weights == {-1e9: 0.4, 1e9: 0.0}


def test_neighbours_are_found_by_kernels(tiny_embedder, monkeypatch):
    monkeypatch.setattr(native_loading, "_state", native_loading._State())  # nothing is loaded yet
    embedder = tiny_embedder()
    parts = parts_of(corpus_of(60), embedder, SparseConfig(k=20))
    asked = ask(*parts)
    queries = sentence_embeddings(asked, parts[1], parts[3], embedder)
    choose_rescoring(asked, {"full": queries}, 0.5, parts[1], parts[3], np.zeros((2, 32)))
    assert native_loading.has(nearest.KERNEL)
    assert native_loading.has(feedback.KERNEL)


def test_too_few_sentences_leave_the_usual_weight(tiny_embedder):
    embedder = tiny_embedder()
    parts = parts_of(corpus_of(20), embedder, SparseConfig(k=20))
    calls = embedder.model_calls
    asked = ask(*parts)
    queries = sentence_embeddings(asked, parts[1], parts[3], embedder)
    found = choose_rescoring(asked, {"full": queries}, 0.5, parts[1], parts[3], np.zeros((2, 32)))
    assert {encoder: (each.cosine.weight, each.feedback.weight) for encoder, each in found.items()} == {
        "none": (0.0, 0.0),
        "full": (0.5, 0.0),
    }
    assert embedder.model_calls == calls
    vectors, near = {"full": queries, "static": queries}, {"static": Fidelity(9, 0.8)}
    found = choose_rescoring(asked, vectors, 0.5, parts[1], parts[3], np.zeros((2, 32)), True, near)
    assert {encoder: each.cosine.weight for encoder, each in found.items()} == {"none": 0, "static": 0.32, "full": 0.5}


@pytest.mark.jvm
@pytest.mark.parametrize("choices", [{}, {"mix": 0.3}, {"terms": "folded"}])
def test_the_statistics_say_how_the_weight_was_chosen(tiny_embedder, tmp_path, choices):
    path = build_index(corpus_of(60), tmp_path / "index", tiny_embedder(pooling="mean"), k=20, **choices).path
    snapshot = open_snapshot(path)
    rescoring = snapshot.statistics().rescoring
    snapshot.close()
    assert rescoring.keys() == {"none", "full"}
    told = rescoring["full"]
    assert 0 <= told["weight"] <= 1
    assert "weight" not in rescoring["none"]
    assert told["curve"].keys() == {f"{weight:g}" for weight in WEIGHTS}
    for each in rescoring.values():
        assert each["feedback"]["curve"].keys() == {f"{weight:g}" for weight in FEEDBACK}
        assert each["sentences"] >= 32
    assert rescoring["none"]["behind"]["full"]["by"] == pytest.approx(told["nDCG@10"] - rescoring["none"]["nDCG@10"])
