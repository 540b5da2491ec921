"""Adjustments against numpy's SVD."""

import numpy as np
import pytest

from sparseembed.alignment import adjustment
from sparseembed.alignment.adjustment import Adjustment, check_adjustment, fit_adjustment
from sparseembed.errors import ConfigError


@pytest.fixture
def vectors():
    """60 vectors with a strong common part that is not along an axis; rows 3 and 40 belong to blank texts."""
    rng = np.random.default_rng(7)
    made = rng.normal(size=(60, 8)) + 4 * rng.normal(size=8)
    made[[3, 40]] = 0
    return made.astype(np.float32)


def first_direction(vectors):
    used = vectors[vectors.any(axis=1)].astype(np.float64)
    direction = np.linalg.svd(used, full_matrices=False)[2][0]
    return direction * np.sign((used @ direction).mean())


def test_pc1_is_the_first_right_singular_vector_with_a_positive_mean(vectors):
    fitted = fit_adjustment("pc1", vectors)
    np.testing.assert_allclose(fitted.vector, first_direction(vectors), atol=1e-6)
    np.testing.assert_allclose(fit_adjustment("pc1", -vectors).vector, -first_direction(vectors), atol=1e-6)
    assert np.linalg.norm(fitted.vector) == pytest.approx(1, abs=1e-6)


def test_pc1_removed_is_the_projection(vectors):
    adjusted = fit_adjustment("pc1", vectors).apply(vectors)
    direction = first_direction(vectors)
    np.testing.assert_allclose(adjusted, vectors @ (np.eye(8) - np.outer(direction, direction)), atol=1e-4)
    np.testing.assert_allclose(adjusted @ direction, np.zeros(60), atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 0.5, -0.25])
def test_pc1_shifted(vectors, scale):
    fitted = fit_adjustment(f"pc1:{scale}", vectors)
    direction = first_direction(vectors)
    filled = vectors.any(axis=1)
    mean = (vectors[filled] @ direction).mean()
    assert fitted.shift == pytest.approx(scale * mean, rel=1e-5)
    adjusted = fitted.apply(vectors)
    np.testing.assert_allclose(adjusted[filled], vectors[filled] - scale * mean * direction, atol=1e-4)
    assert (adjusted[filled] @ direction).mean() == pytest.approx((1 - scale) * mean, abs=1e-4)


def test_centred_has_no_mean(vectors):
    adjusted = fit_adjustment("centred", vectors).apply(vectors)
    filled = vectors.any(axis=1)
    np.testing.assert_allclose(adjusted[filled].mean(axis=0), np.zeros(8), atol=1e-5)
    np.testing.assert_allclose(fit_adjustment("centred", vectors).vector, vectors[filled].mean(axis=0), atol=1e-5)


def test_none_changes_nothing(vectors):
    fitted = fit_adjustment("none", vectors)
    assert fitted.vector.shape == (0,)
    np.testing.assert_array_equal(fitted.apply(vectors), vectors)


@pytest.mark.parametrize("kind", ["none", "centred", "pc1", "pc1:1", "pc1:0.3"])
def test_rows_of_blank_texts_stay_zero(vectors, kind):
    adjusted = fit_adjustment(kind, vectors).apply(vectors)
    assert adjusted.dtype == np.float32
    assert not adjusted[[3, 40]].any()
    assert adjusted[0].any()


@pytest.mark.parametrize("kind", ["none", "centred", "pc1", "pc1:1"])
def test_without_a_usable_row_it_is_none(kind):
    for empty in (np.zeros((0, 8), dtype=np.float32), np.zeros((5, 8), dtype=np.float32)):
        fitted = fit_adjustment(kind, empty)
        assert fitted.kind == "none"
        np.testing.assert_array_equal(fitted.apply(empty), empty)


def test_one_vector_is_its_own_direction_and_mean():
    one = np.asarray([[3.0, 0.0, 4.0]], dtype=np.float32)
    np.testing.assert_allclose(fit_adjustment("pc1", one).vector, [0.6, 0, 0.8], atol=1e-6)
    np.testing.assert_allclose(fit_adjustment("pc1", one).apply(one), np.zeros((1, 3)), atol=1e-6)
    np.testing.assert_allclose(fit_adjustment("centred", one).apply(one), np.zeros((1, 3)), atol=1e-6)


def test_a_large_collection_is_sampled_evenly(monkeypatch):
    monkeypatch.setattr(adjustment, "SAMPLE", 10)
    vectors = np.arange(1, 26, dtype=np.float32)[:, None]
    # 25 rows and at most 10: every third, 1 + 4 + ... + 25.
    assert fit_adjustment("centred", vectors).vector.item() == np.arange(1, 26, 3).mean()
    assert fit_adjustment("centred", vectors[:10]).vector.item() == 5.5


@pytest.mark.parametrize("kind", ["none", "pc1", "centred", "pc1:1", "pc1:0.75", "pc1:-2"])
def test_known_kinds(kind):
    check_adjustment(kind)


@pytest.mark.parametrize("kind", ["", "PC1", "pc2", "pc1:", "pc1:x", "pc1:1e3", "pc1:nan", "centered", "pc1:1\n"])
def test_unknown_kinds_are_one_line(kind):
    for call in (check_adjustment, lambda kind: fit_adjustment(kind, np.ones((2, 2), dtype=np.float32))):
        with pytest.raises(ConfigError, match="adjustment must be one of none, pc1, pc1:LAMBDA, centred") as caught:
            call(kind)
        assert str(caught.value).isprintable()


def test_a_stored_adjustment_needs_no_fitting():
    shifted = Adjustment("pc1:1", np.asarray([0.0, 1.0], dtype=np.float32), shift=2.0)
    np.testing.assert_array_equal(shifted.apply(np.asarray([[5.0, 5.0]], dtype=np.float32)), [[5.0, 3.0]])
