"""Batch normalization with the moments of the batch of several ranks."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.normalization import BatchNormScale, NativeBatchNormScale
from protonet.ranks.communicator import Communicator


class JointBatchNormScale(BatchNormScale):
    """``BatchNormScale`` with the moments of the batch of all ranks, each of which has a part.

    Ranks add up the sums of both passes: messages of the size of the statistics.

    Args:
        items, channels, places, eps: of ``BatchNormScale``; ``items`` are those of this rank.
        ranks: that have parts of the batch.
        whole: images in the batch of all.
    """

    def __init__(
        self,
        device: Device,
        dtype: Any,
        items: int,
        channels: int,
        places: int,
        eps: float,
        ranks: Communicator,
        whole: int,
    ) -> None:
        super().__init__(device, dtype, items, channels, places, eps)
        self._share, self._weight = 1.0 / (whole * places), items / whole
        self._ranks = ranks


class NativeJointBatchNormScale(JointBatchNormScale, NativeBatchNormScale, processor="native"):
    """Sums in one pass, results in another; a message of both moments, and one of both sums."""

    dtypes = frozenset({"float32"})

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._moments = self.scratch(self._small.shape, np.float64)

    def forward_train(
        self,
        x: Array,
        scale: Array | None,
        bias: Array | None,
        y: Array,
        mean: Array,
        variance: Array,
        inverse: Array,
        *,
        rectify: bool = False,
    ) -> None:
        self._native.moments(x, mean, variance)
        self._join(mean, variance)
        self.invert(variance, inverse)
        self._native.normalize(x, scale, bias, y, mean, inverse, rectify)

    def _join(self, mean: Array, variance: Array) -> None:
        """Replace the moments of a part by those of all: of squares in float64, whose difference
        loses nothing that float32 has.
        """
        means, squares = self._moments
        np.copyto(means, mean)
        np.multiply(means, means, out=squares)
        np.add(squares, variance, out=squares)
        np.multiply(self._moments, self._weight, out=self._moments)
        self._ranks.sum(self._moments)
        np.copyto(mean, means, casting="same_kind")
        np.multiply(means, means, out=means)
        np.subtract(squares, means, out=squares)
        np.maximum(squares, 0.0, out=squares)
        np.copyto(variance, squares, casting="same_kind")

    def backward(
        self,
        dy: Array,
        x: Array,
        scale: Array | None,
        bias: Array | None,
        mean: Array | None,
        inverse: Array,
        dx: Array | None,
        dscale: Array | None,
        dbias: Array | None,
        *,
        rectify: bool = False,
        fixed: bool = False,
    ) -> None:
        given = (dy, x, scale, bias, mean, inverse)
        if fixed:
            self._native.backward(*given, dx, dscale, dbias, rectify, fixed)
            return
        slope, level = self._small
        self._small.fill(0)
        self._native.backward(*given, None, slope, level, rectify, True)
        for total, param in ((slope, dscale), (level, dbias)):
            if param is not None:
                np.add(param, total, out=param)
        if dx is None:
            return
        self._ranks.sum(self._small)
        np.multiply(self._small, self._share, out=self._small)
        self._native.propagate(*given, level, slope, dx, rectify)
