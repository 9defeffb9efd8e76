"""Layers that make few values of many."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


@pytest.mark.parametrize(
    ("operation", "expected", "gradient"),
    [
        ("SUM", -2, [2, 2, 2]),
        ("ASUM", 6, [2, 0, -2]),
        ("SUMSQ", 10, [4, 0, -8]),
        ("MEAN", -2 / 3, [2 / 3] * 3),
    ],
)
def test_reductions(operation: str, expected: float, gradient: list[float]) -> None:
    text = f'type: "Reduction" reduction_param {{ operation: {operation} coeff: 2 }}'
    harness = LayerHarness(text, [[1.0, 0.0, -2.0]], dtype=np.float64)
    (y,) = harness.forward()
    assert y.shape == ()
    assert y == pytest.approx(expected)
    (dx,) = harness.backward([1.0])
    assert dx == pytest.approx(gradient)
    harness.dbottoms = [None]
    assert harness.backward([1.0]) == [None]


def test_a_reduction_refuses_an_axis_that_is_not_there() -> None:
    with pytest.raises(LayerError, match="axis 2 is out of range for a bottom of shape 2x3") as e:
        LayerHarness('type: "Reduction" reduction_param { axis: 2 }', [np.ones((2, 3))])
    assert e.value.path == ("reduction_param", "axis")
