import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.pseudo.pairs import Pair
from sparseembed.training import probe as module
from sparseembed.training.lexical import WordStatistics
from sparseembed.training.probe import probe, probe_of, reciprocal_ranks


@given(st.integers(1, 6), st.integers(0, 99))
def test_reciprocal_ranks_by_counting(size, seed):
    scores = np.random.default_rng(seed).integers(0, 4, (size, size)).astype(float)
    expected = [
        1 / (1 + sum(scores[row, other] >= scores[row, row] for other in range(size) if other != row))
        for row in range(size)
    ]
    np.testing.assert_allclose(reciprocal_ranks(scores), expected)


def ranks(dense, aligned):
    return {"dense": np.asarray(dense, dtype=float), "aligned": np.asarray(aligned, dtype=float)}


def test_means_and_differences_by_hand():
    found = probe_of(ranks([0.5, 0.25], [1, 0]), ranks([1, 0.75], [1, 0.5]))
    assert found.queries == 2
    assert [(gain.before, gain.after) for gain in found.gains.values()] == [
        (0.375, 0.875),
        (0.5, 0.75),
        (0.4375, 0.8125),
    ]
    assert list(found.gains) == ["dense", "aligned", "mean"]
    dense, aligned, _ = found.gains.values()
    assert (dense.low, dense.high) == (0.5, 0.5)  # both queries gain as much
    assert (aligned.low, aligned.high) == (0.0, 0.5)
    assert found.helped
    assert found.as_dict()["mrr"]["dense"] == {"before": 0.375, "after": 0.875, "low": 0.5, "high": 0.5}


@pytest.mark.parametrize(("shift", "helped"), [(0.1, True), (0.0, False), (-0.1, False)])
def test_it_helped_where_the_interval_lies_above_0(shift, helped):
    before = np.random.default_rng(1).uniform(0.2, 0.8, 50)
    found = probe_of(ranks(before, before), ranks(before + shift, before + shift))
    assert found.helped is helped
    assert found.as_dict()["helped"] is helped


def test_a_gain_that_may_be_chance_is_no_help():
    rng = np.random.default_rng(2)
    before, noise = rng.uniform(0, 1, 60), rng.normal(0.01, 0.3, 60)
    found = probe_of(ranks(before, before), ranks(before + noise, before + noise))
    assert found.gains["mean"].low < 0 < found.gains["mean"].high
    assert not found.helped


def test_an_embedder_against_itself_changes_nothing(learnable, tiny_embedder):
    pairs = learnable(12)
    statistics = WordStatistics([pair.positive for pair in pairs])
    found = probe(tiny_embedder("tied"), tiny_embedder("tied"), pairs, statistics)
    assert found.queries == 12
    assert not found.helped
    assert all(gain.before == gain.after and gain.low == gain.high == 0 for gain in found.gains.values())


def test_it_finds_what_an_embedder_finds(tiny_embedder):
    """Queries that are the documents themselves are all found first by the cosine."""
    texts = ["the cat sat", "Rivers carry sand", "whale milk", "sugar from light"]
    pairs = [Pair(text, text) for text in texts]
    found = probe(tiny_embedder("tied"), tiny_embedder("untied"), pairs, WordStatistics(texts))
    assert found.gains["dense"] == (1.0, 1.0, 0.0, 0.0)


def test_the_aligned_rank_is_that_of_the_objectives_score(tiny_embedder, learnable):
    import torch

    from sparseembed.alignment.head import decoding_head
    from sparseembed.training.batch import Batch, State, Texts, Vocabulary

    pairs = learnable(10)
    statistics = WordStatistics([pair.positive for pair in pairs])
    embedder = tiny_embedder("tied")
    documents = torch.from_numpy(embedder.encode([pair.positive for pair in pairs]))
    vocabulary = Vocabulary(decoding_head(embedder).matrix, embedder.tokenizer, statistics)
    texts = Texts([pair.query for pair in pairs], [pair.positive for pair in pairs])
    scores = Batch(texts, documents, documents, State(), vocabulary).aligned.numpy()
    found = probe(embedder, embedder, pairs, statistics)
    assert found.gains["aligned"].before == pytest.approx(reciprocal_ranks(scores).mean())


def test_the_examples():
    assert doctest.testmod(module).failed == 0
