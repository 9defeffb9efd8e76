"""Smooth activations at their edges, and what all activations promise the plan."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.layers.base import Reads
from protonet.testing import LayerHarness
from tests.layers.elements import run, slopes


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
        ('type: "BNLL"', {Reads.TOPS}),
        ('type: "Swish"', {Reads.BOTTOMS}),
        ('type: "ELU"', {Reads.TOPS}),
        ('type: "ELU" elu_param { alpha: -1 }', {Reads.BOTTOMS, Reads.TOPS}),
        ('type: "ReLU6"', {Reads.TOPS}),
        ('type: "Clip" clip_param { min: 0 max: 1 }', {Reads.BOTTOMS}),
        ('type: "Exp"', {Reads.TOPS}),
        ('type: "Log"', {Reads.BOTTOMS}),
        ('type: "TanH"', {Reads.TOPS}),
    ],
)
def test_what_the_backward_pass_reads(text: str, reads: set[Reads]) -> None:
    layer = LayerHarness(text, [np.ones(3)]).layer
    assert layer.traits.backward_reads == reads
    assert layer.traits.in_place


@pytest.mark.parametrize(("kind", "low"), [("Sigmoid", 0.0), ("TanH", -1.0)])
def test_saturation_neither_overflows_nor_leaves_a_slope(kind: str, low: float) -> None:
    assert run(f'type: "{kind}"', -1e4, 1e4) == [low, 1.0]
    assert slopes(f'type: "{kind}"', -1e4, 1e4) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("BNLL", [0.0, 0.0], [500.0, 1.0]),
        ("Swish", [0.0, 0.0], [500.0, 1.0]),
        ("ELU", [-1.0, 0.0], [500.0, 1.0]),
    ],
)
def test_far_from_zero(kind: str, low: list[float], high: list[float]) -> None:
    """A value and its slope at -500 and at 500."""
    text = f'type: "{kind}"'
    for at, expected in ((-500, low), (500, high)):
        found = [*run(text, at), *slopes(text, at)]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_values_at_zero() -> None:
    assert run('type: "BNLL"', 0) == [np.log(2)]
    assert slopes('type: "BNLL"', 0) == [0.5]
    assert run('type: "Swish"', 0) == [0.0]
    assert slopes('type: "Swish"', 0) == [0.5]
    # As in Caffe, 0 is on the negative side.
    assert slopes('type: "ELU" elu_param { alpha: 0.25 }', 0) == [0.25]


def test_beta_makes_swish_steeper() -> None:
    expected = 2 / (1 + np.exp(-6))
    np.testing.assert_allclose(run('type: "Swish" swish_param { beta: 3 }', 2), [expected])


@pytest.mark.parametrize(
    "kind",
    [
        "Power",
        "Exp",
        "Log",
        "ReLU",
        "ReLU6",
        "AbsVal",
        "Sigmoid",
        "TanH",
        "BNLL",
        "Swish",
        "ELU",
        "PReLU",
    ],
)
def test_an_unwanted_gradient_is_left_out(kind: str) -> None:
    harness = LayerHarness(f'type: "{kind}"', [np.ones((2, 3))])
    harness.forward()
    harness.dbottoms = [None]
    assert harness.backward([np.ones((2, 3))]) == [None]
