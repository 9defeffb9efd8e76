"""One step of an LSTM as a layer."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

N, D = 3, 6


def test_gradients_of_one_step() -> None:
    generator = np.random.default_rng(4)
    shapes = [(1, N, D), (1, N, 4 * D)]
    given = [generator.standard_normal(shape) for shape in shapes]
    check_gradients(
        'type: "LSTMUnit" bottom: "c" bottom: "x" bottom: "cont" top: "c1" top: "h1"',
        [*given, np.array([[1.0, 0.0, 1.0]])],
    )


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        ('type: "LSTMUnit" top: "c1" top: "h1"', [(N, D), (1, N, 4 * D), (1, N)],
         "expected a state of 1 x N x D, got 3x6"),
        ('type: "LSTMUnit" top: "c1" top: "h1"', [(1, N, D), (1, N, 3 * D), (1, N)],
         "expected 1x3x24, got 1x3x18"),
    ],
)  # fmt: skip
def test_what_is_refused(layer: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(layer, [np.zeros(shape) for shape in shapes])
