"""Modules that compute, on inputs of random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.torch7.api import TorchModule
from protonet.torch7.objects import TorchObject

Shape = tuple[int, ...]


def inputs(*shapes: Shape) -> list[np.ndarray]:
    """An array for each shape, whose values are all apart."""
    generator = np.random.default_rng(3)
    return [
        (generator.permutation(int(np.prod(shape))).reshape(shape) / 7 - 2).astype(np.float32)
        for shape in shapes
    ]


def outputs(made: TorchObject, *xs: np.ndarray) -> Any:
    """The outputs of a module for these inputs."""
    return TorchModule(made, [x.shape for x in xs]).forward(*xs)


def slopes(made: TorchObject, *xs: np.ndarray) -> list[np.ndarray]:
    """The gradients of the inputs, where each element of the one output has its place in it."""
    model = TorchModule(made, [x.shape for x in xs])
    y = model.forward(*xs)
    return model.backward(np.arange(1, y.size + 1, dtype=np.float32).reshape(y.shape))


def nested(value: Any) -> Any:
    """A table's arrays as lists."""
    return value.tolist() if isinstance(value, np.ndarray) else [nested(each) for each in value]


def same(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal shapes, and values up to rounding."""
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
