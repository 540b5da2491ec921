"""The weight of embeddings in rescoring, chosen on sentences: its curve against plain loops, and what is kept of it."""

import math

import numpy as np
import pytest
from test_mixing import corpus_of, parts_of

from sparseembed.index.eight_bits import eight_bits
from sparseembed.index.snapshot import open_snapshot
from sparseembed.indexing import rescoring
from sparseembed.indexing.build import build_index
from sparseembed.indexing.mixing import ask
from sparseembed.indexing.rescoring import USUAL_RESCORING, WEIGHTS, choose_rescoring, sentence_embeddings
from sparseembed.sparse.config import SparseConfig

pytestmark = pytest.mark.usefixtures("silence")


def plain_curve(asked, mix, sample, store, embedder, centres, candidates):
    """Rescore each sentence's candidates in plain Python."""
    vectors = store.matrix()[sample.rows].astype(np.float64)
    places = list(asked.pairs)
    vectors[places] = asked.rests
    rows = eight_bits(vectors.astype(np.float32), centres[0]).astype(np.float64)
    gains = {weight: [] for weight in WEIGHTS}
    for column, (place, pair) in enumerate(asked.pairs.items()):
        query = embedder.encode([pair.query], "query")[0].astype(np.float64) - centres[1]
        scores = asked.literal[:, column] + mix * asked.expanded[:, column]
        best = sorted((row for row in range(len(scores)) if scores[row] > 0), key=lambda row: (-scores[row], row))
        best = best[:candidates]
        cosine = {row: rows[row] @ query / np.linalg.norm(rows[row]) / np.linalg.norm(query) for row in best}
        for weight in WEIGHTS:
            if place not in best:
                gains[weight].append(0.0)
                continue
            low, high = min(scores[best]), max(scores[best])
            least, most = min(cosine.values()), max(cosine.values())
            total = {
                row: (1 - weight) * (scores[row] - low) / ((high - low) or 1)
                + weight * (cosine[row] - least) / ((most - least) or 1)
                for row in best
            }
            rank = sum(total[row] >= total[place] - 1e-9 for row in best)
            gains[weight].append(1 / math.log2(1 + rank) if rank <= 10 else 0.0)
    return {weight: sum(each) / len(each) for weight, each in gains.items()}


@pytest.mark.parametrize("candidates", [7, 100])
def test_the_curve_is_that_of_plain_loops(tiny_embedder, monkeypatch, candidates):
    monkeypatch.setattr(rescoring, "CANDIDATES", candidates)
    embedder = tiny_embedder(pooling="mean")
    parts = parts_of(corpus_of(60), embedder, SparseConfig(k=20))
    _, sample, _, store, *_ = parts
    asked = ask(*parts)
    centres = np.stack([store.matrix().mean(axis=0), np.linspace(-1, 1, 32, dtype=np.float32)])
    queries = sentence_embeddings(asked, sample, store, embedder)
    choice = choose_rescoring(asked, queries, 0.7, sample, store, centres, "full")
    wanted = plain_curve(asked, 0.7, sample, store, embedder, centres, candidates)
    assert choice.curve == pytest.approx(wanted, abs=1e-3)
    assert choice.sentences == len(asked.pairs)
    best = max(choice.curve, key=choice.curve.get)
    assert abs(choice.weight - best) <= 0.5


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
    assert rescoring.middle(np.array(means)[:, None] + noise) == wanted


def test_too_few_sentences_leave_the_usual_weight(tiny_embedder):
    embedder = tiny_embedder()
    parts = parts_of(corpus_of(20), embedder, SparseConfig(k=20))
    calls = embedder.model_calls
    asked = ask(*parts)
    queries = sentence_embeddings(asked, parts[1], parts[3], embedder)
    assert choose_rescoring(asked, queries, 0.5, parts[1], parts[3], np.zeros((2, 32)), "full") == USUAL_RESCORING
    assert embedder.model_calls == calls


@pytest.mark.jvm
@pytest.mark.parametrize("choices", [{}, {"mix": 0.3}, {"terms": "folded"}])
def test_the_statistics_say_how_the_weight_was_chosen(tiny_embedder, tmp_path, choices):
    path = build_index(corpus_of(60), tmp_path / "index", tiny_embedder(pooling="mean"), k=20, **choices).path
    snapshot = open_snapshot(path)
    rescoring = snapshot.statistics().rescoring
    snapshot.close()
    assert rescoring.keys() == {"full"}
    told = rescoring["full"]
    assert 0 <= told["weight"] <= 1
    if "terms" in choices:
        assert told == USUAL_RESCORING.as_dict()
    else:
        assert told["curve"].keys() == {f"{weight:g}" for weight in WEIGHTS}
        assert told["sentences"] >= 32
