"""Unpooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.pooling import AveragePool
from protonet.kernels.windows import Windows
from protonet.layers.alternative_fields import h_w_pair
from protonet.layers.base import shape_text
from protonet.layers.registry import register
from protonet.layers.upsampling import MaskUnpooling
from protonet.proto.caffe_pb2 import UnpoolingParameter

_PARAM = "unpooling_param"


@register("Unpooling")
class Unpooling(MaskUnpooling):
    """The inverse of a pooling: planes of unpool_size from pooled ones (DeconvNet).

    MAX: y = 0, but y[mask[i]] = x[i]; without a mask, each value at the start of its window.
    AVE: each value spread over its window, y += x / size. TILE: repeated there, y += x. Gradients:
    dx[i] = dy[mask[i]]; the mean of dy over the window; the sum of it.

    Bottom:
        0: x, N x C x H x W.
        1 (optional, MAX): mask, the shape of x: indices into a plane of y, counted from 0, as the
        second top of a MAX Pooling gives them. Gets no gradient.
    Top:
        y: N x C x unpool_h x unpool_w.
    Params:
        none.
    Spec:
        unpooling_param: unpool (MAX), unpool_size or unpool_h and unpool_w (required),
        kernel_size or kernel_h and kernel_w (required), stride or stride_h and stride_w (1), pad
        (only 0). engine is accepted and ignored.
    Raises:
        LayerError: without a size or a kernel, for both forms of a setting or a part of one, a
        setting of 0, a pad, a mask with AVE or TILE, windows that begin outside of y, bottoms of
        invalid shapes, and, while running on the CPU, an index outside the plane.
    Differs:
        BVLC Caffe has no such layer; DeconvNet's fork has. Its AVE and TILE add to whatever the
        top held before, and its gradient of TILE is divided by the size of the window. An index
         that occurs twice holds the value that comes last (on a GPU, any of them), and each of
        them gets the gradient, as there.
    """

    sized_by = "unpool_size"

    def setup(self) -> None:
        param = self.spec.unpooling_param
        self.method = param.unpool
        self.size = self._pair("unpool", "unpool_size")
        self.kernel = self._pair("kernel", "kernel_size")
        self.stride = self._pair("stride", "stride")
        if self._pair("pad", "pad") != (0, 0):
            raise LayerError("Unpooling takes no pad", (_PARAM, "pad"))
        for name, pair in (
            ("unpool_size", self.size),
            ("kernel_size", self.kernel),
            ("stride", self.stride),
        ):
            if not all(pair):
                raise LayerError(f"{_PARAM} needs {name} above 0", (_PARAM, name))
        if len(self.spec.bottom) > 1 and self.method != UnpoolingParameter.MAX:
            raise LayerError("only MAX reads a second bottom, the mask", ("bottom", 1))

    def _pair(self, name: str, single: str) -> Shape:
        """A setting for height and width, from either of its forms."""
        param = self.spec.unpooling_param
        parts = h_w_pair(param, _PARAM, name, single)
        return tuple(int(getattr(param, field)) for field in parts or [single, single])

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.check_mask(shapes)
        if self.method != UnpoolingParameter.MAX:
            begins = [(i - 1) * s for i, s in zip(shapes[0][2:], self.stride, strict=True)]
            if any(begin >= size for begin, size in zip(begins, self.size, strict=True)):
                raise LayerError(
                    f"the last window begins at {shape_text(tuple(begins))}, outside of planes of "
                    f"{shape_text(self.size)}",
                    (_PARAM, "unpool_size"),
                )
        return [(*shapes[0][:2], *self.size)]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        if self.method == UnpoolingParameter.MAX:
            self.build_indices(shape, self.size)
            if len(shapes) == 1:
                rows, columns = (
                    np.minimum(np.arange(i) * s, size - 1)
                    for i, s, size in zip(shape[2:], self.stride, self.size, strict=True)
                )
                self._first = self.scratch(shape)
                first = rows[:, None] * self.size[1] + columns
                self.device.put_lazily(lambda: np.broadcast_to(first, shape).copy(), self._first)
            return
        self._windows = Windows(
            self.size, self.kernel, self.stride, (0, 0), (1, 1), tuple(shape[2:])
        )
        self._average = AveragePool.make(self.device, self.dtype, self._windows, *shape[:2])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, y = bottoms[0], tops[0]
        if self.method == UnpoolingParameter.MAX:
            self.scatter(x, bottoms[1] if len(bottoms) > 1 else self._first, y)
        elif self.method == UnpoolingParameter.AVE:
            self._average.backward(x, y)
        else:
            y.fill(0)
            for _, outs, ins in self._windows.places:
                part = y[(..., *ins)]
                self.xp.add(part, x[(..., *outs)], out=part)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dy, dx = dtops[0], dbottoms[0]
        if dx is None:
            return
        if self.method == UnpoolingParameter.MAX:
            self.gather(dy, dx)
        elif self.method == UnpoolingParameter.AVE:
            self._average.forward(dy, dx)
        else:
            dx.fill(0)
            for _, outs, ins in self._windows.places:
                part = dx[(..., *outs)]
                self.xp.add(part, dy[(..., *ins)], out=part)
