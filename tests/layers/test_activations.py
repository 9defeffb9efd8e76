"""Power, ReLU, Sigmoid, TanH: edge values, and what they promise the plan."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.base import Reads
from protonet.testing import LayerHarness


def run(text: str, *values: float) -> list[float]:
    """The top for one bottom of these values, in float64."""
    return LayerHarness(text, [np.array(values)], dtype=np.float64).forward()[0].tolist()


def slopes(text: str, *values: float) -> list[float]:
    """The gradient of the bottom for a top gradient of ones."""
    harness = LayerHarness(text, [np.array(values)], dtype=np.float64)
    harness.forward()
    (found,) = harness.backward([np.ones(len(values))])
    assert found is not None
    return found.tolist()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", [-2.0, 0.0, 3.0]),
        ("scale: 2 shift: 1", [-3.0, 1.0, 7.0]),
        ("power: 2 shift: 1", [1.0, 1.0, 16.0]),
        ("power: 3", [-8.0, 0.0, 27.0]),
        ("power: 0 scale: 5", [1.0, 1.0, 1.0]),
        ("power: 2 scale: 0 shift: -3", [9.0, 9.0, 9.0]),
    ],
)
def test_power(fields: str, expected: list[float]) -> None:
    assert run(f'type: "Power" power_param {{ {fields} }}', -2, 0, 3) == expected


def test_power_has_a_gradient_at_zero_where_caffe_has_none() -> None:
    assert slopes('type: "Power" power_param { power: 3 }', 0, 2) == [0.0, 12.0]


def test_power_without_a_real_constant_is_refused() -> None:
    with pytest.raises(LayerError) as caught:
        run('type: "Power" power_param { power: 0.5 scale: 0 shift: -1 }', 1)
    assert str(caught.value) == (
        "with scale 0 every value would be shift ^ power = -1 ^ 0.5, "
        "which is not a finite real number"
    )
    assert caught.value.path == ("power_param",)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ('type: "Power" power_param { scale: 2 shift: 1 }', set()),
        ('type: "Power" power_param { power: 0 }', set()),
        ('type: "Power" power_param { power: 2 }', {Reads.BOTTOMS}),
        ('type: "ReLU"', {Reads.TOPS}),
        ('type: "ReLU" relu_param { negative_slope: 0.1 }', {Reads.TOPS}),
        ('type: "ReLU" relu_param { negative_slope: -0.1 }', {Reads.BOTTOMS}),
        ('type: "Sigmoid"', {Reads.TOPS}),
        ('type: "TanH"', {Reads.TOPS}),
    ],
)
def test_what_the_backward_pass_reads(text: str, reads: set[Reads]) -> None:
    layer = LayerHarness(text, [np.ones(3)]).layer
    assert layer.backward_reads == reads
    assert layer.in_place


def test_relu_at_its_kink_takes_the_negative_side() -> None:
    assert slopes('type: "ReLU"', -1, 0, 1) == [0.0, 0.0, 1.0]
    assert slopes('type: "ReLU" relu_param { negative_slope: 0.25 }', -1, 0, 1) == [0.25, 0.25, 1.0]


def test_relu_lets_nan_through() -> None:
    assert np.isnan(run('type: "ReLU"', np.nan)).all()
    assert np.isnan(run('type: "ReLU" relu_param { negative_slope: 0.1 }', np.nan)).all()


@pytest.mark.parametrize(("kind", "low"), [("Sigmoid", 0.0), ("TanH", -1.0)])
def test_saturation_neither_overflows_nor_leaves_a_slope(kind: str, low: float) -> None:
    assert run(f'type: "{kind}"', -1e4, 1e4) == [low, 1.0]
    assert slopes(f'type: "{kind}"', -1e4, 1e4) == [0.0, 0.0]


@pytest.mark.parametrize("kind", ["Power", "ReLU", "Sigmoid", "TanH"])
def test_an_unwanted_gradient_is_left_out(kind: str) -> None:
    harness = LayerHarness(f'type: "{kind}"', [np.ones((2, 3))])
    harness.forward()
    harness.dbottoms = [None]
    assert harness.backward([np.ones((2, 3))]) == [None]
