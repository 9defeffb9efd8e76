"""Batch normalization with a fused scale, bias and ReLU, and running statistics, on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import DTYPES, PLANES, Extent, compiled, pieces
from protonet.kernels.kernel import Condition
from protonet.kernels.normalization import BatchNormScale, RunningStatistics


class CudaBatchNormScale(BatchNormScale, processor="cuda"):
    """Statistics in two passes over parts of channels; no scratch of x's size."""

    dtypes = DTYPES

    requires = (PLANES,)

    def __init__(
        self, device: Device, dtype: Any, items: int, channels: int, places: int, eps: float
    ) -> None:
        super().__init__(device, dtype, items, channels, places, eps)
        self._extents = (items, Extent(channels), Extent(places))
        self._source = compiled(device, "normalization", dtype)
        self._affine = compiled(device, "scaling", dtype)
        self._count = items * channels * places
        self._pieces = pieces(items * places, channels)
        self._parts = self.scratch((channels, self._pieces, 2), np.float32)

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
        channels, launch = len(self._parts), self._source
        launch.blocks((channels, self._pieces), "moments", x, self._parts, *self._extents)
        launch.over(
            channels,
            "statistics",
            *(self._parts, mean, variance, inverse, *self._extents, self._pieces, float(self.eps)),
        )
        launch.packs(
            self._count,
            "normalize",
            *(x, scale, bias, y, mean, inverse, *self._extents, rectify),
        )

    def forward_inference(
        self, x: Array, factor: Array, shift: Array, y: Array, *, rectify: bool = False
    ) -> None:
        self._affine.packs(
            self._count, "forward", x, factor, shift, y, None, *self._extents, rectify
        )

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
        channels, launch = len(self._parts), self._source
        given = (dy, x, scale, bias, mean, inverse)
        launch.blocks(
            (channels, self._pieces), "gradient_parts", *given, self._parts, *self._extents, rectify
        )
        launch.over(
            channels,
            "gradient_sums",
            *(self._parts, self._small, dscale, dbias, channels, self._pieces),
        )
        if dx is not None:
            launch.packs(
                self._count, "gradient", *given, self._small, dx, *self._extents, rectify, fixed
            )


class CudaRunningStatistics(RunningStatistics, processor="cuda"):
    """One launch of one block."""

    requires = (Condition("1 channel or more", lambda channels, *_: channels > 0),)

    def add(
        self, mean: Array, variance: Array, means: Array, variances: Array, weight: Array
    ) -> None:
        arrays = (mean, variance, means, variances, weight)
        numbers = (self._channels, float(self.fraction), self.averages, float(self.unbiased))
        compiled(self.device, "normalization").blocks((1,), "remember", *arrays, *numbers)
