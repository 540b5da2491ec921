"""What a quantiser promises, for any weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparseembed.sparse.quantize import Quantizer, fit_quantizer

weights = hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(0, 1000, width=32, allow_subnormal=False))


@given(weights, st.integers(1, 16))
def test_impacts_are_within_their_range_and_in_order(weights, bits):
    quantizer = fit_quantizer(float(weights.max()), bits)
    impacts = quantizer.apply(weights)
    assert quantizer.levels == 2**bits - 1
    assert impacts.dtype == np.int32
    assert impacts.min() >= 0
    assert impacts.max() <= quantizer.levels
    order = np.argsort(weights, kind="stable")
    assert (np.diff(impacts[order]) >= 0).all()
    if weights.max() > 0:
        assert impacts[weights.argmax()] == quantizer.levels


@given(weights, st.integers(2, 16))
def test_an_impact_is_within_half_a_step_of_its_weight(weights, bits):
    quantizer = fit_quantizer(float(weights.max()), bits)
    np.testing.assert_allclose(quantizer.apply(weights), weights.astype(float) * quantizer.scale, atol=0.5 + 1e-6)


@given(weights, st.integers(1, 8), st.data())
def test_what_is_to_be_kept_stays_and_nothing_else_changes(weights, bits, data):
    keep = np.asarray(data.draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights))))
    quantizer = fit_quantizer(float(weights.max()), bits)
    plain, kept = quantizer.apply(weights), quantizer.apply(weights, keep)
    assert (kept[keep & (weights > 0)] >= 1).all()
    assert not kept[weights == 0].any()
    changed = kept != plain
    assert (kept[changed] == 1).all()
    assert keep[changed].all()
    assert (plain[changed] == 0).all()


@pytest.mark.parametrize(
    ("weight", "impact"), [(0, 0), (0.9, 0), (1.1, 1), (2.9, 1), (3.1, 2), (255 * 2, 255), (9999, 255)]
)
def test_figures_worked_by_hand(weight, impact):
    assert Quantizer(scale=0.5, levels=255).apply(np.asarray([weight], np.float32)).item() == impact


def test_a_collection_without_weights():
    quantizer = fit_quantizer(0.0, 8)
    assert quantizer == Quantizer(1.0, 255)
    assert quantizer.apply(np.zeros(0, dtype=np.float32)).shape == (0,)


def test_a_blank_weight_is_not_kept():
    assert Quantizer(1.0, 255).apply(np.zeros(2, np.float32), np.asarray([True, False])).tolist() == [0, 0]
