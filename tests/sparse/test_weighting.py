"""Weights worked by hand, for every combination of choices."""

import itertools
import math

import numpy as np
import pytest

from sparseembed.errors import ConfigError
from sparseembed.sparse.config import DEFAULTS, FLOORS, SCALES, TERM_SPACES, WEIGHTINGS, SparseConfig, default_config
from sparseembed.sparse.weighting import weigh

SCORES = [[9.0, 4.0, 1.0], [3.0, 0.0, -2.0], [-1.0, -2.0, -3.0]]
IDF = [[0.5, 2.0, 3.0], [4.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
FUNCTIONS = {"linear": lambda x: x, "log1p": lambda x: math.log(1 + x), "sqrt": math.sqrt}


def by_hand(scores, idf, config):
    """Weigh one text: plain Python, one step after another."""
    lowest = scores[-1] if config.floor == "kth" and scores[-1] > 0 else 0.0
    weights = [FUNCTIONS[config.weighting](max(score - lowest, 0.0)) for score in scores]
    if config.scale == "document" and max(weights) > 0:
        weights = [weight / max(weights) for weight in weights]
    return [weight * (value if config.idf else 1.0) for weight, value in zip(weights, idf, strict=True)]


@pytest.mark.parametrize(
    ("floor", "weighting", "scale", "idf"), list(itertools.product(FLOORS, WEIGHTINGS, SCALES, [True, False]))
)
def test_every_combination(floor, weighting, scale, idf):
    config = SparseConfig(floor=floor, weighting=weighting, scale=scale, idf=idf)
    weights = weigh(np.asarray(SCORES, np.float32), np.asarray(IDF, np.float32), config)
    expected = [by_hand(scores, values, config) for scores, values in zip(SCORES, IDF, strict=True)]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32


def test_figures_worked_on_paper():
    config = SparseConfig(floor="kth", weighting="sqrt", scale="document", idf=True)
    weights = weigh(np.asarray([[10.0, 5.0, 1.0]], np.float32), np.asarray([[1.0, 3.0, 9.0]], np.float32), config)
    np.testing.assert_allclose(weights, [[1.0, 2.0, 0.0]])  # sqrt of 9, 4, 0; over 3; times idf


def test_no_terms_have_no_weights():
    empty = np.zeros((2, 0), dtype=np.float32)
    assert weigh(empty, empty, SparseConfig()).shape == (2, 0)


def test_a_blank_text_has_no_weight():
    zeros = np.zeros((1, 4), dtype=np.float32)
    for floor, scale in itertools.product(FLOORS, SCALES):
        assert not weigh(zeros, zeros + 1, SparseConfig(floor=floor, scale=scale)).any()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"terms": "words"}, "terms must be one of word, folded, token, word+folded, not 'words'"),
        ({"weighting": "log"}, "weighting must be one of linear, log1p, sqrt, not 'log'"),
        ({"floor": "mean"}, "floor must be one of zero, kth, not 'mean'"),
        ({"scale": "corpus"}, "scale must be one of none, document, not 'corpus'"),
        ({"adjustment": "pc2"}, "adjustment must be one of"),
        ({"k": 0}, "K, the aligned terms of a document, must be at least 1, not 0"),
        ({"k": -5}, "must be at least 1, not -5"),
        ({"mix": -0.1}, "mix must be auto or between 0 and 100, not -0.1"),
        ({"mix": float("nan")}, "mix must be auto or between 0 and 100, not nan"),
        ({"mix": float("inf")}, "mix must be auto or between 0 and 100, not inf"),
        ({"mix": "0.3"}, "mix must be auto or between 0 and 100, not 0.3"),
        ({"pieces": 1.1}, "pieces, their share beside words, must be between 0 and 1, not 1.1"),
        ({"pieces": float("nan")}, "must be between 0 and 1, not nan"),
        ({"bits": 0}, "bits must be between 1 and 16, not 0"),
        ({"bits": 17}, "bits must be between 1 and 16, not 17"),
    ],
)
def test_choices_outside_their_range_are_one_line(choices, message):
    for call in (lambda: SparseConfig(**choices), lambda: SparseConfig().with_changes(**choices)):
        with pytest.raises(ConfigError) as caught:
            call()
        assert message in str(caught.value)
        assert str(caught.value).isprintable()


def test_defaults_of_each_term_space():
    assert set(DEFAULTS) == set(TERM_SPACES)
    for terms in TERM_SPACES:
        assert default_config(terms).terms == terms
        assert default_config(terms).literal is (terms in ("word", "word+folded"))
    assert default_config("folded", k=7, mix=None) == DEFAULTS["folded"].with_changes(k=7)
    with pytest.raises(ConfigError, match=r"terms must be one of word, folded, token, word\+folded, not 'bag'"):
        default_config("bag")


def test_a_mix_to_be_chosen_is_no_number():
    assert SparseConfig(mix=0.3).weight == 0.3
    with pytest.raises(ConfigError, match="still to be chosen"):
        _ = SparseConfig(mix="auto").weight


def test_choices_go_through_a_manifest_unchanged():
    config = SparseConfig(k=9, literal=False, adjustment="pc1:0.5")
    assert SparseConfig(**config.as_dict()) == config
