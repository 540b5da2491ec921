"""Verdicts on hand-made embeddings whose alignment is known."""

import numpy as np
import pytest

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Decoder, DecodingRows
from sparseembed.analysis.findings import Vocabulary, find
from sparseembed.analysis.study import _fit
from sparseembed.analysis.tokens import make_sets
from sparseembed.analysis.verdict import AFTER_PC1, ALIGNS, DOES_NOT, Evidence, decide, gather
from sparseembed.errors import ConfigError, DataError, EmbedderError

TERMS, WIDTH, TEXTS = 600, 64, 120
ADJUSTMENTS = ("none", "pc1", "pc1:1", "centred")


def world(seed=0, common=0):
    """A random decoding matrix, texts of 8 tokens (and `common` ones that all share), and the mean of their rows."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(TERMS, WIDTH)).astype(np.float32)
    lists = [[*range(common), *rng.choice(np.arange(common, TERMS), 8, replace=False).tolist()] for _ in range(TEXTS)]
    means = np.stack([matrix[each].mean(axis=0) for each in lists])
    rotation = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    constant = 20 * rng.normal(size=WIDTH).astype(np.float32)
    return matrix, lists, {"mean": means, "rotated": means @ rotation, "shifted": means + constant}


def findings(embeddings, matrix, lists, **more):
    vocabulary = Vocabulary(matrix, DecodingRows(matrix, np.arange(TERMS)), [f"t{row}" for row in range(TERMS)])
    texts = [" ".join(f"t{term}" for term in each) for each in lists]
    return find({"embedder": embeddings, **more}, texts, make_sets(lists, TERMS), vocabulary, ADJUSTMENTS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("kind", "expected"), [("mean", ALIGNS), ("rotated", DOES_NOT), ("shifted", AFTER_PC1)])
def test_known_embeddings_get_the_right_verdict(kind, expected, seed):
    matrix, lists, embeddings = world(seed)
    verdict = findings(embeddings[kind], matrix, lists)["verdict"]
    assert verdict["verdict"] == expected
    assert "threshold" not in verdict["reason"]
    assert verdict["adjustment"].startswith({ALIGNS: "none", AFTER_PC1: "pc1"}.get(expected, ""))


def test_tokens_that_all_texts_share_do_not_make_an_embedder_align():
    matrix, lists, embeddings = world(common=6)
    always = np.repeat(matrix[:6].sum(axis=0)[None, :], TEXTS, axis=0)
    found = findings(always, matrix, lists)
    assert found["measured"][0]["hit"][9] == 1.0
    assert found["verdict"]["verdict"] == DOES_NOT
    # With nothing left for Hit@10 to tell, LAR decides; the mean of the texts' own tokens is still seen to align.
    good = findings(embeddings["mean"], matrix, lists)
    assert good["measured"][0]["evidence"]["decided_by"] == "lar"
    assert good["verdict"]["verdict"] == ALIGNS


def test_chance_compares_each_text_with_others_only():
    # Each text has one token of its own: against any other text nothing matches.
    top = np.arange(30)[:, None].repeat(10, axis=1).astype(np.int32)
    found = gather(top, make_sets([[row] for row in range(30)], 30))
    assert (found.hit, found.hit_chance, found.lar, found.lar_chance) == (1.0, 0.0, 1.0, 0.0)
    assert found.aligned


def test_a_gain_that_may_be_chance_does_not_count():
    assert not Evidence(0.5, 0.1, -0.01, 0.5, 0.1, 0.2).aligned
    assert not Evidence(0.5, 0.1, 0.2, 0.5, 0.1, 0.0).aligned
    assert Evidence(0.5, 0.1, 0.2, 0.5, 0.1, 0.2).aligned
    assert not Evidence(0.25, 0.1, 0.1, 0.5, 0.1, 0.2).aligned  # a lift of 1/6


def test_another_adjustment_that_helps_is_named_though_the_verdict_is_no():
    bad, good = Evidence(0.1, 0.1, -0.1, 0.1, 0.1, -0.1), Evidence(0.9, 0.1, 0.7, 0.5, 0.1, 0.3)
    verdict = decide({"none": bad, "pc1": bad, "centred": good})
    assert verdict.verdict == DOES_NOT
    assert "--adjustment centred" in verdict.advice
    assert decide({"none": bad, "pc1:0.5": good, "centred": bad}).adjustment == "pc1:0.5"


def test_bad_input_is_told():
    matrix, lists, embeddings = world()
    with pytest.raises(DataError, match="19 texts"):
        findings(embeddings["mean"][:19], matrix, lists[:19])
    with pytest.raises(EmbedderError, match=r"rows of 64.* have 63"):
        findings(embeddings["mean"][:, :63], matrix, lists)
    broken = embeddings["mean"].copy()
    broken[4, 2] = np.nan
    with pytest.raises(EmbedderError, match="text number 5"):
        findings(broken, matrix, lists)


def test_the_bulk_filter_projects_onto_the_middle_of_the_spectrum():
    rng = np.random.default_rng(5)
    matrix = (rng.normal(size=(300, 20)) * np.linspace(9, 1, 20)).astype(np.float32)
    vectors = rng.normal(size=(7, 20)).astype(np.float32)
    vectors[3] = 0
    right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)[2]
    for kind, dropped in (("bulk", 1), ("bulk:0.5", 5)):
        middle = right[dropped : 20 - dropped]
        fitted = fit_adjustment(kind, vectors, matrix)
        np.testing.assert_allclose(fitted.apply(vectors), vectors @ middle.T @ middle, atol=1e-4)
        assert fitted.vector.ndim == 1  # as an index stores it
    with pytest.raises(ConfigError, match="decoding matrix"):
        fit_adjustment("bulk", vectors)
    with pytest.raises(ConfigError, match="bulk:1"):
        fit_adjustment("bulk:1", vectors, matrix)


def test_the_bulk_filter_undoes_what_only_the_strongest_direction_brings():
    # Rows and embeddings share a strong direction: it moves all texts' scores alike, for no text's sake.
    matrix, lists, embeddings = world()
    shared = np.zeros(WIDTH, dtype=np.float32)
    shared[0] = 30
    heavy = matrix + shared * np.random.default_rng(1).uniform(0.2, 1, size=(TERMS, 1)).astype(np.float32)
    vectors = embeddings["mean"] + shared
    decoder = Decoder(DecodingRows(heavy, np.arange(TERMS)))
    sets = make_sets(lists, TERMS)
    before = gather(decoder.top(vectors, 100).terms, sets)
    after = gather(decoder.top(fit_adjustment("bulk", vectors, heavy).apply(vectors), 100).terms, sets)
    assert not before.aligned
    assert after.aligned


def test_adjustments_of_one_side_are_those_that_are_fitted_one_by_one():
    vectors = world()[2]["shifted"]
    kinds = ("none", "pc1", "pc1:0.25", "pc1:-1.5", "centred")
    for kind, fitted in _fit(kinds, vectors).items():
        alone = fit_adjustment(kind, vectors)
        assert fitted.kind == alone.kind
        np.testing.assert_allclose(fitted.apply(vectors), alone.apply(vectors), rtol=1e-6)
