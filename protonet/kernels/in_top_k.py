"""Whether labels are among the top k scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel


class InTopK(Kernel):
    """Whether an item's label is among its top_k scores: at least C - top_k of C are lower.

    Args:
        shape: of the scores.
        axis: of the classes.
        top_k: 1 to C.
    """

    def __init__(
        self, device: Device, dtype: Any, shape: tuple[int, ...], axis: int, top_k: int
    ) -> None:
        super().__init__(device, dtype)
        self.shape, self.axis = shape, axis
        self.least = shape[axis] - top_k
        self._scores: Array | None = None

    def forward(self, x: Array, labels: Array, right: Array) -> None:
        """Write 1.0 or 0.0 for each item to ``right``, which has the shape of ``labels``: that of
        ``x`` with extent 1 at the axis.
        """
        xp, axis = self.xp, self.axis
        if self._scores is None:
            self._scores = self.scratch(self.shape)
            self._one_hot = self.scratch(self.shape, np.bool_)
            classes = np.arange(self.shape[axis]).reshape(-1, *(1,) * (len(self.shape) - axis - 1))
            self._classes = self.scratch(classes.shape)
            self.device.put(classes.astype(self.dtype), self._classes)
        scores = self._scores
        xp.equal(labels, self._classes, out=self._one_hot)
        scores.fill(0.0)
        xp.copyto(scores, x, where=self._one_hot)
        scores.sum(axis=axis, out=right, keepdims=True)
        xp.less(x, right, out=scores)
        scores.sum(axis=axis, out=right, keepdims=True)
        xp.greater_equal(right, self.least, out=right)


class NativeInTopK(InTopK, processor="native"):
    """One pass over each item's scores."""

    def __init__(
        self, device: Device, dtype: Any, shape: tuple[int, ...], axis: int, top_k: int
    ) -> None:
        super().__init__(device, dtype, shape, axis, top_k)
        self._native = native.load().Softmax(
            math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        )

    def forward(self, x: Array, labels: Array, right: Array) -> None:
        self._native.right(x, labels, self.least, right)
