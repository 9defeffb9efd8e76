"""A convolution and the pooling of its result, whose forward passes are one."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.blob import Array
from protonet.kernels.convolution import Stage
from protonet.kernels.kernel import Call
from protonet.kernels.pooled import PooledPixels
from protonet.layers.base import Layer
from protonet.layers.convolution import Convolution
from protonet.layers.pooling import Pooling


class Pooled:
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

    def settled(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> Call | None:
        """As of ``PackingLayer``."""
        return self._kernel.call(*self._arguments(bottoms, tops))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        """Write the top of the last; ``bottoms`` is that of the convolution."""
        self._kernel.forward(*self._arguments(bottoms, tops))

    def _arguments(
        self, bottoms: Sequence[Array], tops: Sequence[Array]
    ) -> tuple[Array, Array, Stage, bool]:
        return bottoms[0], tops[0], self._layer.stage(), self._rectifies
