"""The gradient times a number."""

from __future__ import annotations

import pytest

from protonet.testing import LayerHarness


@pytest.mark.parametrize("scale", [-0.5, 0, 2])
def test_values_pass_and_gradients_are_scaled(scale: float) -> None:
    text = f'type: "GradientScale" gradient_scale_param {{ scale: {scale} }}'
    harness = LayerHarness(text, [[[1.0, -2.0], [3.0, 4.0]]])
    assert harness.forward()[0].tolist() == [[1, -2], [3, 4]]
    dx = harness.backward([[[1.0, 2.0], [-3.0, 4.0]]])[0]
    assert dx is not None
    assert dx.tolist() == [[scale, 2 * scale], [-3 * scale, 4 * scale]]
    harness.dbottoms = [None]
    assert harness.backward([[[1.0, 2.0], [-3.0, 4.0]]]) == [None]
