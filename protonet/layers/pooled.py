"""A convolution and the pooling of its result, whose forward passes are one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protonet.blob import Array
from protonet.kernels.pooled import PooledPixels
from protonet.layers.at_once import AtOnce
from protonet.layers.base import Layer
from protonet.layers.convolution import Convolution
from protonet.layers.pooling import Pooling


class Pooled(AtOnce):
    """The forward pass of a convolution into pixels, a pooling of these, and a ReLU or not."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        convolution, pooling = layers[:2]
        assert isinstance(convolution, Convolution)
        assert isinstance(pooling, Pooling)
        self._layer, self._rectifies = convolution, len(layers) > 2
        kernel = convolution.packing
        assert kernel is not None
        self._kernel = PooledPixels.make(
            pooling.device,
            pooling.dtype,
            kernel,
            pooling.windows_over(kernel.windows.outputs),
            pooling.is_mean,
        )

    def _arguments(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> tuple[Any, ...]:
        return bottoms[0], tops[0], self._layer.stage(), self._rectifies
