"""Pooling against figures worked by hand."""

import pytest

from sparseembed.embedders.pooling import check_pooling, pool
from sparseembed.errors import ConfigError

# Two texts of 3 and 1 real tokens, d = 2; 99 stands in the padding.
STATES = [[[1.0, 0.0], [2.0, 4.0], [6.0, 8.0]], [[5.0, 7.0], [99.0, 99.0], [99.0, 99.0]]]
LENGTHS = [3, 1]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("last", [[6, 8], [5, 7]]),
        ("mean", [[3, 4], [5, 7]]),
        ("weighted-mean", [[(1 + 2 * 2 + 3 * 6) / 6, (2 * 4 + 3 * 8) / 6], [5, 7]]),
        ("token:0", [[1, 0], [5, 7]]),
        ("token:1", [[2, 4], [5, 7]]),
        ("token:9", [[6, 8], [5, 7]]),
        ("token:-1", [[6, 8], [5, 7]]),
        ("token:-2", [[2, 4], [5, 7]]),
        ("token:-9", [[1, 0], [5, 7]]),
    ],
)
def test_pools_the_real_tokens(pooling, expected):
    import torch

    pooled = pool(torch.tensor(STATES), torch.tensor(LENGTHS), pooling)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, torch.tensor(expected, dtype=torch.float32))


def test_half_precision_states_are_pooled_in_float32():
    import torch

    # 2049 ones: bfloat16 would stop counting at 256.
    states = torch.ones((1, 2049, 1), dtype=torch.bfloat16)
    states[0, 0, 0] = 2.0
    pooled = pool(states, torch.tensor([2049]), "mean")
    assert float(pooled[0, 0]) == pytest.approx(2050 / 2049, abs=1e-6)


@pytest.mark.parametrize("pooling", ["", "first", "token", "token:", "token:x", "token:1.5", "Mean", "token:1\n"])
def test_an_unknown_pooling_is_an_error(pooling):
    with pytest.raises(ConfigError, match="pooling must be one of last, mean, weighted-mean, token:N") as caught:
        check_pooling(pooling)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("last", [[6, 8], [5, 7]]),
        ("mean", [[4, 6], [5, 7]]),
        ("weighted-mean", [[(2 + 2 * 6) / 3, (4 + 2 * 8) / 3], [5, 7]]),
        ("token:0", [[2, 4], [5, 7]]),
        ("token:1", [[6, 8], [5, 7]]),
        ("token:9", [[6, 8], [5, 7]]),
        ("token:-1", [[6, 8], [5, 7]]),
        ("token:-2", [[2, 4], [5, 7]]),
        ("token:-9", [[2, 4], [5, 7]]),
    ],
)
def test_pools_from_the_start_on(pooling, expected):
    import torch

    pooled = pool(torch.tensor(STATES), torch.tensor(LENGTHS), pooling, torch.tensor([1, 0]))
    torch.testing.assert_close(pooled, torch.tensor(expected, dtype=torch.float32))
    usual = pool(torch.tensor(STATES), torch.tensor(LENGTHS), pooling)
    assert torch.equal(pool(torch.tensor(STATES), torch.tensor(LENGTHS), pooling, torch.tensor([0, 0])), usual)


@pytest.mark.parametrize("start", [0, 2])
def test_the_weights_of_the_weighted_mean_are_those_of_sgpt(start):
    import torch

    # States that are unit vectors show the weights: 1, 2, 3, 4, 5 over 15 for five tokens.
    pooled = pool(torch.eye(7)[None], torch.tensor([start + 5]), "weighted-mean", torch.tensor([start]))
    expected = [0.0] * start + [1 / 15, 2 / 15, 3 / 15, 4 / 15, 5 / 15] + [0.0] * (2 - start)
    torch.testing.assert_close(pooled[0], torch.tensor(expected))
