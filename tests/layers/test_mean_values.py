"""Mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import DataError, LayerError
from protonet.testing import LayerHarness, check_gradients

RNG = np.random.default_rng(3)
X, Y = RNG.standard_normal((2, 6, 4, 5)), RNG.standard_normal((2, 3, 4, 7))


def test_a_mean_of_each_channel() -> None:
    fields = "value: [1, 2, 3] mean_scale: 10 input_scale: 2 output_scale: 0.5"
    for operation, sign in (("ADD", 1), ("SUBTRACT", -1)):
        text = f'type: "Mean" mean_param {{ operation: {operation} {fields} }}'
        first, second = LayerHarness(text, [X, Y], dtype=float).forward()
        mean = sign * 5 * np.array([1, 2, 3.0, 1, 2, 3])[:, None, None]
        np.testing.assert_allclose(first, X + mean)
        np.testing.assert_allclose(second, Y + mean[:3])
        check_gradients(text, [X, Y])


def test_a_mean_image(tmp_path: Path) -> None:
    mean = RNG.standard_normal((3, 4, 5)).astype(np.float32)
    np.save(tmp_path / "mean.npy", mean)
    text = f'type: "Mean" mean_param {{ operation: SUBTRACT file: "{tmp_path}/mean.npy" }}'
    found = LayerHarness(text, [X], dtype=float).forward()[0]
    np.testing.assert_allclose(found, X - np.concatenate([mean, mean]))
    with pytest.raises(DataError, match=r"mean\.npy: is 3x4x5, but 'x0' is 2x3x4x7"):
        LayerHarness(text, [Y])
    with pytest.raises(DataError, match=r"none\.npy: cannot be read"):
        LayerHarness(text.replace("mean.npy", "none.npy"), [X])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("value: 1", "mean_param needs an operation: ADD or SUBTRACT"),
        ("operation: ADD", "expected either values or a file, got neither"),
        ("operation: ADD value: 1 file: 'x'", "expected either values or a file, got both"),
        ("operation: ADD value: [1, 2, 3, 4]", "a multiple of 4 channels in 'x0', got 2x6x4x5"),
    ],
)
def test_means_that_cannot_be(fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "Mean" mean_param {{ {fields} }}', [X])
