"""Layers in the manner of Caffe's Python module, for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.layers.python_api import Layer


class ScaledSquare(Layer):
    """y = w s x^2, with s from ``param_str`` and w a parameter for each channel."""

    def setup(self, bottom: Any, top: Any) -> None:
        self.scale = float(self.param_str)
        self.blobs.add_blob(bottom[0].channels, 1)
        self.blobs[0].data[...] = 2

    def reshape(self, bottom: Any, top: Any) -> None:
        top[0].reshape(*bottom[0].data.shape)
        self.weight = (1, bottom[0].channels, *(1,) * (len(bottom[0].shape) - 2))

    def forward(self, bottom: Any, top: Any) -> None:
        w = self.blobs[0].data.reshape(self.weight)
        top[0].data[...] = w * self.scale * bottom[0].data ** 2

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        x, dy = bottom[0].data, top[0].diff
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        self.blobs[0].diff[...] += (self.scale * x**2 * dy).sum(axis=axes).reshape(-1, 1)
        if propagate_down[0]:
            w = self.blobs[0].data.reshape(self.weight)
            bottom[0].diff[...] = 2 * w * self.scale * x * dy


class PositiveRows(Layer):
    """The items whose first value is positive: as many as there are."""

    def reshape(self, bottom: Any, top: Any) -> None:
        self.rows = np.flatnonzero(bottom[0].data[:, 0] > 0)
        top[0].reshape(len(self.rows), *bottom[0].shape[1:])

    def forward(self, bottom: Any, top: Any) -> None:
        top[0].data[...] = bottom[0].data[self.rows]

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        bottom[0].diff[...] = 0
        bottom[0].diff[self.rows] = top[0].diff


class MeanAbsolute(Layer):
    """A loss: the mean of |a - b|."""

    def setup(self, bottom: Any, top: Any) -> None:
        if len(bottom) != 2:
            raise ValueError(f"two bottoms, not {len(bottom)}")

    def reshape(self, bottom: Any, top: Any) -> None:
        top[0].reshape(1)

    def forward(self, bottom: Any, top: Any) -> None:
        top[0].data[...] = np.abs(bottom[0].data - bottom[1].data).mean()

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        for place, sign in ((0, 1), (1, -1)):
            if propagate_down[place]:
                slope = np.sign(bottom[0].data - bottom[1].data) / bottom[0].count
                bottom[place].diff[...] = sign * slope * top[0].diff[0]


class Broken(Layer):
    """Fails where ``param_str`` says."""

    def setup(self, bottom: Any, top: Any) -> None:
        self._fail("setup")

    def reshape(self, bottom: Any, top: Any) -> None:
        self._fail("reshape")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Any, top: Any) -> None:
        self._fail("forward")

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        self._fail("backward")

    def _fail(self, method: str) -> None:
        if self.param_str == method:
            raise RuntimeError(f"no {method} today")


class Empty(Layer):
    """Has none of the methods."""
