"""Spatial pyramid pooling: concatenated poolings over several grids."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.combine import Combine
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.instantiation import instantiate
from protonet.layers.pooling import Pooling
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LayerParameter

_PARAM = "spp_param"


@register("SPP")
class SPP(Layer):
    """Level l pools over a grid of 2^l x 2^l; the levels are concatenated. The size of the top does
    not depend on that of the image (He et al., ECCV 2014).

    Bottom:
        0: x, N x C x H x W.
    Top:
        0: N x C (1 + 4 + 16 + ...), pyramid_height summands.
    Params:
        none.
    Spec:
        spp_param: pyramid_height, pool (MAX), engine accepted and ignored.
    Raises:
        LayerError: without pyramid_height, or for an image that is smaller than the finest grid.
    Differs:
        no.
    """

    traits = Traits(
        backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True
    )

    def setup(self) -> None:
        if not self.spec.spp_param.pyramid_height:
            raise LayerError(f"{_PARAM} needs a pyramid_height above 0", (_PARAM,))

    def levels(self, shape: Shape) -> list[Pooling]:
        """A Pooling layer for each level."""
        if len(shape) != 4:
            raise LayerError(
                f"expected a bottom of 4 axes, N x C x H x W, got {shape_text(shape)}",
                ("bottom", 0),
            )
        levels = []
        for level in range(self.spec.spp_param.pyramid_height):
            bins = 2**level
            kernel = [math.ceil(extent / bins) for extent in shape[2:]]
            pad = [
                (k * bins - extent + 1) // 2 for k, extent in zip(kernel, shape[2:], strict=True)
            ]
            if any(p >= k for p, k in zip(pad, kernel, strict=True)):
                raise LayerError(
                    f"an image of {shape_text(shape[2:])} is too small for level {level} of the "
                    f"pyramid, a grid of {bins}x{bins}; a smaller pyramid_height fits",
                    (_PARAM, "pyramid_height"),
                )
            spec = LayerParameter(name=f"{self.name}/{level}", type="Pooling", top=["level"])
            param = spec.pooling_param
            param.pool = int(self.spec.spp_param.pool)  # type: ignore[assignment]  # an enum
            param.kernel_h, param.kernel_w = kernel
            param.stride_h, param.stride_w = kernel
            param.pad_h, param.pad_w = pad
            layer = Pooling(spec, self.phase, self.context)
            layer.setup()
            levels.append(layer)
        return levels

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        levels = [layer.infer(shapes)[0] for layer in self.levels(shapes[0])]
        return [(shapes[0][0], sum(math.prod(level[1:]) for level in levels))]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._pools = [
            instantiate(layer, self.device, self.dtype, self.random, gradients=self.gradients)
            for layer in self.levels(shapes[0])
        ]
        self._parts: list[Array] = []
        self._places: list[slice] = []
        start = 0
        for layer in self._pools:
            layer.build(shapes)
            (shape,) = layer.infer(shapes)
            self._parts.append(self.scratch(shape))
            stop = start + math.prod(shape[1:])
            self._places.append(slice(start, stop))
            start = stop
        self._gradient = self.scratch(shapes[0])
        self._sum = Combine.make(self.device, self.dtype, shapes[0], 2)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for layer, part, place in zip(self._pools, self._parts, self._places, strict=True):
            layer.forward(bottoms, [part])
            tops[0][:, place] = part.reshape(len(part), -1)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dx = dbottoms[0]
        if dx is None:
            return
        dx.fill(0)
        for layer, part, place in zip(self._pools, self._parts, self._places, strict=True):
            part.reshape(len(part), -1)[...] = dtops[0][:, place]
            layer.backward([part], bottoms, [part], [self._gradient])
            self._sum.add(dx, self._gradient, dx)
