"""Softmax along one axis, and its gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel

SMALLEST = float(np.finfo(np.float32).tiny)
"""The least probability whose logarithm is taken: a loss of at most 87.33 an item."""


def softmax(xp: Any, x: Array, axis: int, y: Array, reduced: Array) -> None:
    """Write exp(x) / sum(exp(x)) along ``axis`` to ``y``, which may be ``x``.

    ``reduced`` is scratch of x's shape with extent 1 at ``axis``. The maximum is subtracted
    first, so that no finite ``x`` overflows.
    """
    x.max(axis=axis, out=reduced, keepdims=True)
    xp.subtract(x, reduced, out=y)
    xp.exp(y, out=y)
    y.sum(axis=axis, out=reduced, keepdims=True)
    xp.divide(y, reduced, out=y)


def softmax_gradient(
    xp: Any, y: Array, dy: Array, axis: int, dx: Array, product: Array, reduced: Array
) -> None:
    """Write y * (dy - sum(y * dy)) along ``axis`` to ``dx``, which may be ``dy``.

    ``product`` is scratch of y's shape, ``reduced`` the same with extent 1 at ``axis``.
    """
    xp.multiply(y, dy, out=product)
    product.sum(axis=axis, out=reduced, keepdims=True)
    xp.subtract(dy, reduced, out=dx)
    xp.multiply(dx, y, out=dx)


class Softmax(Kernel):
    """Softmax along one axis of arrays of one shape, and the softmax loss.

    Args:
        shape: of x.
        axis: of the classes.
    """

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], axis: int) -> None:
        super().__init__(device, dtype)
        self.shape, self.axis = shape, axis
        self._reduced_shape = (*shape[:axis], 1, *shape[axis + 1 :])
        self._reduced: Array | None = None
        self._product: Array | None = None
        self._classes: Array | None = None

    def forward(self, x: Array, y: Array) -> None:
        """Write exp(x) / sum(exp(x)) to ``y``, which may be ``x``."""
        softmax(self.xp, x, self.axis, y, self._room())

    def backward(self, y: Array, dy: Array, dx: Array) -> None:
        """Write y * (dy - sum(y * dy)) to ``dx``, which may be ``dy``."""
        softmax_gradient(self.xp, y, dy, self.axis, dx, self._product_room(), self._room())

    def loss(
        self, x: Array, labels: Array, valid: Array | None, smoothing: float, p: Array, logs: Array
    ) -> None:
        """Write softmax(x) to ``p`` and sum q log(max(p, 1.2e-38)) of each item to ``logs``.

        q is (1 - smoothing) for the label's class plus smoothing / C for each of the C classes.
        ``labels``, ``valid`` (1.0 where an item counts, else 0.0; None: all count) and ``logs``
        have the shape of x with extent 1 at the axis.
        """
        xp = self.xp
        self.forward(x, p)
        targets = self._product_room()
        self._one_hot(labels, targets)
        if smoothing:
            self._smooth(targets, smoothing)
            room = self._log_room()
            xp.maximum(p, SMALLEST, out=room)
            xp.log(room, out=room)
            xp.multiply(room, targets, out=room)
            room.sum(axis=self.axis, out=logs, keepdims=True)
        else:
            xp.multiply(p, targets, out=targets)
            targets.sum(axis=self.axis, out=logs, keepdims=True)
            xp.maximum(logs, SMALLEST, out=logs)
            xp.log(logs, out=logs)
        if valid is not None:
            xp.multiply(logs, valid, out=logs)

    def loss_gradient(
        self,
        p: Array,
        labels: Array,
        valid: Array | None,
        smoothing: float,
        factor: Array,
        dx: Array,
    ) -> None:
        """Write (p - q) times ``factor``, a scalar array, to ``dx``; 0 for invalid items."""
        xp = self.xp
        self._one_hot(labels, dx)
        if smoothing:
            self._smooth(dx, smoothing)
        xp.subtract(p, dx, out=dx)
        if valid is not None:
            xp.multiply(dx, valid, out=dx)
        xp.multiply(dx, factor, out=dx)

    def _room(self) -> Array:
        if self._reduced is None:
            self._reduced = self.scratch(self._reduced_shape)
        return self._reduced

    def _product_room(self) -> Array:
        if self._product is None:
            self._product = self.scratch(self.shape)
        return self._product

    def _log_room(self) -> Array:
        if not hasattr(self, "_logs"):
            self._logs = self.scratch(self.shape)
        return self._logs

    def _one_hot(self, labels: Array, out: Array) -> None:
        if self._classes is None:
            count = self.shape[self.axis]
            classes = np.arange(count).reshape(-1, *(1,) * (len(self.shape) - self.axis - 1))
            self._classes = self.scratch(classes.shape)
            self.device.put(classes.astype(self.dtype), self._classes)
        self.xp.equal(labels, self._classes, out=out)

    def _smooth(self, targets: Array, smoothing: float) -> None:
        self.xp.multiply(targets, 1.0 - smoothing, out=targets)
        self.xp.add(targets, smoothing / self.shape[self.axis], out=targets)


class NativeSoftmax(Softmax, processor="native"):
    """Item by item, or vectors of adjacent items."""

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], axis: int) -> None:
        super().__init__(device, dtype, shape, axis)
        self._native = native.load().Softmax(
            math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        )

    def forward(self, x: Array, y: Array) -> None:
        self._native.forward(x, y)

    def backward(self, y: Array, dy: Array, dx: Array) -> None:
        self._native.backward(y, dy, dx)

    def loss(
        self, x: Array, labels: Array, valid: Array | None, smoothing: float, p: Array, logs: Array
    ) -> None:
        self._native.loss(x, labels, valid, smoothing, SMALLEST, p, logs)

    def loss_gradient(
        self,
        p: Array,
        labels: Array,
        valid: Array | None,
        smoothing: float,
        factor: Array,
        dx: Array,
    ) -> None:
        self._native.loss_gradient(p, labels, valid, smoothing, factor, dx)
