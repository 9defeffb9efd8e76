"""Layers that draw random numbers in training."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import LayerHarness


def noise(fields: str, count: int = 40_001, phase: int = TRAIN) -> LayerHarness:
    text = f'type: "GaussianNoise" gaussian_noise_param {{ {fields} }}'
    return LayerHarness(text, [np.full(count, 5.0)], phase=phase)


def rectifier(fields: str, x: object, phase: int = TRAIN) -> LayerHarness:
    return LayerHarness(f'type: "RReLU" rrelu_param {{ {fields} }}', [x], phase=phase)


def test_noise_is_normal() -> None:
    y = noise("mean: 2 std: 3").forward()[0]
    assert y.mean() == pytest.approx(7, abs=0.05)
    assert y.std() == pytest.approx(3, abs=0.05)
    within = [(abs(y - 7) < 3 * bound).mean() for bound in (0.5, 1, 2)]
    assert within == pytest.approx([0.3829, 0.6827, 0.9545], abs=0.01)
    assert abs(np.corrcoef(y[:20_000], y[20_000:40_000])[0, 1]) < 0.02


def test_noise_by_iteration_and_in_test() -> None:
    harness = noise("")
    first = harness.forward()[0].copy()
    np.testing.assert_array_equal(harness.forward()[0], first)
    harness.clock.iteration = 1
    assert (harness.forward()[0] != first).mean() > 0.9
    assert noise("mean: 2", 3, TEST).forward()[0].tolist() == [7, 7, 7]
    assert noise("std: 0", 3).forward()[0].tolist() == [5, 5, 5]
    assert noise("", 2).backward([[3.0, 4.0]])[0].tolist() == [3, 4]


def test_slopes_are_uniform() -> None:
    harness = rectifier("lower: 0.2 upper: 0.6", np.full(40_000, -1.0))
    slopes = -harness.forward()[0]
    assert slopes.min() >= 0.2
    assert slopes.max() < 0.6
    assert slopes.mean() == pytest.approx(0.4, abs=0.01)
    assert slopes.std() == pytest.approx(0.4 / np.sqrt(12), abs=0.01)
    dx = harness.backward([np.full(40_000, 3.0)])[0]
    np.testing.assert_allclose(dx, 3 * slopes, rtol=1e-6)


def test_values_above_0_pass_and_the_mean_slope_is_that_of_test() -> None:
    assert rectifier("", [2.0, 0.0]).forward()[0].tolist() == [2, 0]
    harness = rectifier("lower: 0.25 upper: 0.75", [2.0, -4.0, 0.0], TEST)
    assert harness.forward()[0].tolist() == [2, -2, 0]
    assert harness.backward([[1.0, 1.0, 1.0]])[0].tolist() == [1, 0.5, 0.5]


@pytest.mark.parametrize("fields", ["lower: 0.5", "lower: -0.1", "upper: inf"])
def test_bounds_that_are_none(fields: str) -> None:
    with pytest.raises(LayerError, match="expected 0 <= lower <= upper"):
        rectifier(fields, [1.0])


def test_a_deviation_below_0() -> None:
    with pytest.raises(LayerError, match="expected std of 0 or more, got -1"):
        noise("std: -1")
