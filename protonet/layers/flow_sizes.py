"""Layers that change the size of images and flows: Resample and Downsample, of FlowNet.

Source: lmb-freiburg/flownet2, resample_layer.cu and downsample_layer.cu.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits
from protonet.layers.flow import check_images
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import ResampleParameter


def _triangle(x: Array) -> Array:
    return np.maximum(0, 1 - np.abs(x))


def _cubic(x: Array) -> Array:
    near, x = np.abs(x) <= 1, np.abs(x)
    inner = x * x * (1.5 * x - 2.5) + 1
    outer = x * (x * (2.5 - 0.5 * x) - 4) + 2
    return np.where(near, inner, np.where(x < 2, outer, 0))


_KERNELS: dict[int, tuple[Callable[[Array], Array], int]] = {
    ResampleParameter.LINEAR: (_triangle, 2),
    ResampleParameter.CUBIC: (_cubic, 4),
}
"""The weights by distance, and how far they reach."""


def _corner_weights(given: int, size: int) -> Array:
    """Weights of ``given`` pixels for ``size`` others, corners on corners: (out, in)."""
    step = (given - 1) / (size - 1)
    return _triangle((np.arange(size)[:, None] * step - np.arange(given)) / step)


class _Sized(Layer):
    """Base: the size is that of bottom 1, or a setting."""

    bottoms = (1, 2)
    field = ""
    names = ("", "")

    def size_of(self, shapes: Sequence[Shape]) -> tuple[int, int]:
        """Rows and columns of the top."""
        check_images(self, shapes)
        if len(shapes) > 1:
            return shapes[1][2], shapes[1][3]
        param = getattr(self.spec, self.field)
        size = tuple(int(getattr(param, name)) for name in self.names)
        if min(size) < 1:
            raise LayerError(
                f"expected {self.names[0]} and {self.names[1]} above 0, or a second bottom of the "
                f"size, got {size[0]} and {size[1]}",
                (self.field,),
            )
        return size[0], size[1]

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(*shapes[0][:2], *self.size_of(shapes))]


@register("Resample")
class Resample(_Sized):
    """y = the image in another size: each pixel a weighted mean of those around its place.

    With f the extents of x over those of y, pixel (i, j) of y is at (f_y i + f_x / 2 - 1/2,
    f_x j + f_y / 2 - 1/2) of x. LINEAR: weights max(0, 1 - |d|); CUBIC: those of a cubic
    convolution; with antialias, where x is larger, d is divided by f. NEAREST: the nearest pixel.
    Gradient: dx = the transposed weights times dy.

    Bottom:
        0: x, N x C x H x W.
        1 (optional): gives the size. No gradient.
    Top:
        y: N x C x height x width.
    Params:
        none.
    Spec:
        resample_param: height and width (required with one bottom), type (LINEAR; NEAREST,
        CUBIC), antialias (true). factor has no effect, as there.
    Raises:
        LayerError: without a size, for type AREA, or bottoms without 4 axes.
    Differs:
        BVLC Caffe has no such layer; this is the one of lmb-freiburg/flownet2, which runs on GPUs
        alone and has no gradient. Places beyond the image are those of its border with NEAREST;
        there they are not checked.
    """

    field = "resample_param"
    names = ("height", "width")
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        self.param = self.spec.resample_param
        if self.param.type == ResampleParameter.AREA:
            raise LayerError(
                "type AREA is not defined; there are LINEAR, CUBIC and NEAREST",
                (self.field, "type"),
            )

    def build(self, shapes: Sequence[Shape]) -> None:
        size, given = self.size_of(shapes), shapes[0][2:]
        self._weights = [self.scratch((size[axis], given[axis])) for axis in range(2)]
        for axis, weights in enumerate(self._weights):
            self.device.put_lazily(partial(self.weights, axis, given, size), weights)
        self._wide = self.scratch((*shapes[0][:3], size[1]))

    def weights(self, axis: int, given: Sequence[int], size: Sequence[int]) -> Array:
        """The weights of each pixel of x for each of y, along an axis: (out, in)."""
        steps = [have / want for have, want in zip(given, size, strict=True)]
        step, other = steps[axis], steps[1 - axis]
        # The halves of both axes are exchanged, as in the fork.
        at = (np.arange(size[axis]) * step + other / 2 - 0.5)[:, None]
        pixels, middle = np.arange(given[axis]), np.floor(np.abs(at) + 0.5) * np.sign(at)
        if self.param.type == ResampleParameter.NEAREST:
            near = np.clip(middle, 0, given[axis] - 1)
            return (pixels == near).astype(float)
        kernel, reach = _KERNELS[self.param.type]
        share = 1 / step if self.param.antialias and max(steps) > 1 else 1.0
        radius = 2 if step < 1 else math.ceil(reach / share)
        found = kernel(share * (at - pixels)) * (np.abs(pixels - middle) <= radius)
        total = found.sum(axis=1, keepdims=True)
        return np.divide(found, total, out=np.zeros_like(found), where=total != 0)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        down, across = self._weights
        self.xp.matmul(bottoms[0], across.T, out=self._wide)
        self.xp.matmul(down, self._wide, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            down, across = self._weights
            self.xp.matmul(down.T, dtops[0], out=self._wide)
            self.xp.matmul(self._wide, across, out=dbottoms[0])


@register("Downsample")
class Downsample(_Sized):
    """y = the image in another size, corners on corners: means weighted by distance, without NaN.

    With f = (extent of x - 1) / (extent of y - 1), a pixel of y at i is at f i of x, and weights
    are max(0, 1 - |d| / f). Pixels that are NaN do not count; y is NaN where they have more than
    half as much weight as the others, or all weights are 0. An image that has the size stays as it
    is. There is no gradient.

    Bottom:
        0: x, N x C x H x W.
        1 (optional): gives the size.
    Top:
        y: N x C x top_height x top_width.
    Params:
        none.
    Spec:
        downsample_param: top_height and top_width (required with one bottom).
    Raises:
        LayerError: without a size, for one of a single pixel, or bottoms without 4 axes.
    Differs:
        BVLC Caffe has no such layer; this is the one of lmb-freiburg/flownet2, which runs on GPUs
        alone.
    """

    field = "downsample_param"
    names = ("top_height", "top_width")
    no_gradient = frozenset({0, 1})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        (top,) = super().infer(shapes)
        if min(*top[2:], *shapes[0][2:]) < 2 and top != shapes[0]:
            raise LayerError(
                f"corners go to corners: expected 2 pixels or more along both axes, got "
                f"{shapes[0][2]} x {shapes[0][3]} and {top[2]} x {top[3]}",
                ("bottom", 0),
            )
        return [top]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._same = self.infer(shapes)[0] == shapes[0]
        if self._same:
            return
        size, given = self.size_of(shapes), shapes[0][2:]
        self._weights = [self.scratch((size[axis], given[axis])) for axis in range(2)]
        for axis, weights in enumerate(self._weights):
            self.device.put_lazily(partial(_corner_weights, given[axis], size[axis]), weights)
        self._values, self._nan = self.scratch(shapes[0]), self.scratch(shapes[0], np.bool_)
        self._wide = self.scratch((*shapes[0][:3], size[1]))
        self._counted, self._lost, self._half = (
            self.scratch((*shapes[0][:2], *size)) for _ in range(3)
        )
        self._gone, self._none = (self.scratch((*shapes[0][:2], *size), np.bool_) for _ in range(2))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, (x,), (y,) = self.xp, bottoms[:1], tops
        if self._same:
            xp.copyto(y, x)
            return
        xp.copyto(self._values, x)
        xp.isnan(x, out=self._nan)
        xp.copyto(self._values, 0, where=self._nan)
        self._apply(self._values, y)
        xp.copyto(self._values, self._nan)
        self._apply(self._values, self._lost)
        xp.subtract(1, self._values, out=self._values)
        self._apply(self._values, self._counted)
        xp.multiply(self._counted, 0.5, out=self._half)
        xp.greater(self._lost, self._half, out=self._gone)
        # Where nothing counts, there is no mean.
        xp.less_equal(self._counted, 0, out=self._none)
        xp.logical_or(self._gone, self._none, out=self._gone)
        xp.copyto(self._counted, 1, where=self._gone)
        xp.divide(y, self._counted, out=y)
        xp.copyto(y, math.nan, where=self._gone)

    def _apply(self, x: Array, y: Array) -> None:
        """Write the weighted sums."""
        down, across = self._weights
        self.xp.matmul(x, across.T, out=self._wide)
        self.xp.matmul(down, self._wide, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        """Nothing: there is no gradient."""
