"""Pooling over features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import nn


def pooled(x: np.ndarray, axis: int, width: int, stride: int, power: float) -> np.ndarray:
    starts = range(0, x.shape[axis] - width + 1, stride)
    parts = [np.take(x, range(s, s + width), axis) for s in starts]
    sums = [(part**power).sum(axis) ** (1 / power) for part in parts]
    return np.stack(sums, axis)


@pytest.mark.parametrize("shape", [(7,), (7, 3), (7, 3, 4)])
@pytest.mark.parametrize(("width", "stride", "power"), [(3, 2, 2), (2, 1, 3.5), (3, 3, 1)])
def test_features_of_items_and_batches(
    shape: tuple[int, ...], width: int, stride: int, power: float
) -> None:
    (x,) = inputs((2, *shape))
    x = np.abs(x) + 0.1
    same(
        outputs(nn("FeatureLPPooling", width, stride, power, True), x),
        pooled(x, 1, width, stride, power),
    )
    same(
        outputs(nn("FeatureLPPooling", width, stride, power), x[0]),
        pooled(x[0], 0, width, stride, power),
    )


def test_gradients() -> None:
    x = np.array([[1.0, 2, -2, 4]])
    (dx,) = slopes(nn("FeatureLPPooling", 2, 2, 2, True), x)
    same(dx, np.array([[1, 2, -2 * 2, 4 * 2]]) / np.sqrt([[5, 5, 20, 20]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 1, 2), "width must be 2 to 16, got 1"),
        ((2, 5, 2), "stride must be 1 to 4, got 5"),
        ((2, 1, "x"), "power must be a number, got x"),
    ],
)
def test_arguments_that_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn("FeatureLPPooling", *arguments)


@pytest.mark.parametrize("shape", [(2,), (2, 2), (2, 3, 4, 5, 6)])
def test_inputs_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(NetworkError, match="expected at least 3 features and at most 2 axes"):
        TorchModule(nn("FeatureLPPooling", 3, 1, 2, True), [shape])
