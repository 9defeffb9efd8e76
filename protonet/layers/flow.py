"""Layers of optical flow: correlation of two images, and warping by a flow.

Source: Fischer et al., FlowNet, ICCV 2015; Ilg et al., FlowNet 2.0, CVPR 2017;
lmb-freiburg/flownet2, correlation_layer.cu, flow_warp_layer.cpp and channel_norm_layer.cpp.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Traits, shape_text
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import CorrelationParameter, FlowWarpParameter

_CORRELATION = "correlation_param"
_MOST = 2**16
"""Displacements: each is a channel, and a step of the passes."""


def check_images(layer: Layer, shapes: Sequence[Shape]) -> None:
    """LayerError unless each bottom is N x C x H x W."""
    for place, shape in enumerate(shapes):
        if len(shape) != 4:
            raise LayerError(
                f"expected N x C x H x W, got '{layer.spec.bottom[place]}' {shape_text(shape)}",
                ("bottom", place),
            )


@register("Correlation")
class Correlation(Layer):
    """y[n, d, i, j] = the mean over C x K x K of a at (i, j) times b at (i, j) displaced by d.

    The displacements are stride_2 (p, o) with p, o = -r ... r, r = max_displacement / stride_2,
    o fastest; (i, j) are stride_1 apart, and both images are padded with zeros. SUBTRACT has
    |a - b| in place of a b.
    Gradients: of y, for a and b; with SUBTRACT by sign(a - b).

    Bottom:
        0 and 1: a and b, N x C x H x W.
    Top:
        y: N x (2 r + 1)^2 x H' x W', with H' = ceil((H + 2 pad - 2 max_displacement - K + 1) /
        stride_1).
    Params:
        none.
    Spec:
        correlation_param: kernel_size (K, required, odd), max_displacement (required), pad (0),
        stride_1 (1), stride_2 (1), correlation_type (MULTIPLY; or SUBTRACT). do_abs has no effect,
        as there.
    Raises:
        LayerError: without kernel_size or max_displacement, for an even kernel_size, a stride of
        0, single_direction, more than 65,536 displacements, bottoms of other shapes, or images
        that are too small.
    Differs:
        BVLC Caffe has no such layer; this is the one of lmb-freiburg/flownet2, which runs on GPUs
        alone. With SUBTRACT its gradient takes the sign at one place of both images.
    """

    bottoms = (2, 2)
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        self.param = param = self.spec.correlation_param
        for name in ("kernel_size", "max_displacement"):
            if not param.HasField(name):
                raise LayerError(f"{_CORRELATION} needs a {name}", (_CORRELATION,))
        if not param.kernel_size % 2:
            raise LayerError(
                f"expected an odd kernel_size, got {param.kernel_size}",
                (_CORRELATION, "kernel_size"),
            )
        for name in ("stride_1", "stride_2"):
            if not getattr(param, name):
                raise LayerError(f"expected a {name} above 0, got 0", (_CORRELATION, name))
        if param.single_direction:
            raise LayerError(
                "single_direction is of Correlation1D, which is unknown here",
                (_CORRELATION, "single_direction"),
            )
        self.radius = param.max_displacement // param.stride_2
        if (2 * self.radius + 1) ** 2 > _MOST:
            raise LayerError(
                f"expected at most {_MOST:,} displacements, got {2 * self.radius + 1} in either "
                "direction",
                (_CORRELATION, "max_displacement"),
            )
        self.product = param.correlation_type == CorrelationParameter.MULTIPLY

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_images(self, shapes)
        if shapes[0] != shapes[1]:
            raise LayerError(
                f"expected two bottoms of one shape, got {shape_text(shapes[0])} and "
                f"{shape_text(shapes[1])}",
                ("bottom", 1),
            )
        items, _, *extents = shapes[0]
        border = 2 * (self.param.max_displacement - self.param.pad) + self.param.kernel_size - 1
        size = [math.ceil((extent - border) / self.param.stride_1) for extent in extents]
        if min(size) < 1:
            raise LayerError(
                f"images of {extents[0]} x {extents[1]} are too small: max_displacement and "
                f"kernel_size need more than {border} pixels",
                ("bottom", 0),
            )
        return [(items, (2 * self.radius + 1) ** 2, *size)]

    def build(self, shapes: Sequence[Shape]) -> None:
        (items, channels, height, width), pad = shapes[0], self.param.pad
        self._top = self.infer(shapes)[0]
        padded: Shape = (items, channels, height + 2 * pad, width + 2 * pad)
        self._inner = (slice(None), slice(None), slice(pad, pad + height), slice(pad, pad + width))
        self._images = [self.device.zeros(padded, self.dtype) for _ in range(2)]
        self._slopes = [self.scratch(padded) for _ in range(2)]
        patch: Shape = (items, channels, *self._top[2:])
        self._patch, self._other = self.scratch(patch), self.scratch(patch)
        self._sum = self.scratch((items, *self._top[2:]))
        self._share = 1 / (channels * self.param.kernel_size**2)

    def _places(self) -> Iterator[tuple[int, tuple[slice, ...], tuple[slice, ...]]]:
        """For each channel and place in the kernel, the windows in both padded images."""
        param, reach = self.param, range(-self.radius, self.radius + 1)
        inside = range(param.kernel_size)
        for channel, (down, across) in enumerate(itertools.product(reach, reach)):
            for v, u in itertools.product(inside, inside):
                first = (param.max_displacement + v, param.max_displacement + u)
                second = (first[0] + down * param.stride_2, first[1] + across * param.stride_2)
                yield channel, self._window(first), self._window(second)

    def _window(self, corner: tuple[int, int]) -> tuple[slice, ...]:
        step = self.param.stride_1
        rows, columns = (
            slice(start, start + (extent - 1) * step + 1, step)
            for start, extent in zip(corner, self._top[2:], strict=True)
        )
        return slice(None), slice(None), rows, columns

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, (y,), (a, b) = self.xp, tops, self._images
        for image, bottom in zip((a, b), bottoms, strict=True):
            xp.copyto(image[self._inner], bottom)
        y.fill(0)
        for channel, first, second in self._places():
            if self.product:
                xp.multiply(a[first], b[second], out=self._patch)
            else:
                xp.subtract(a[first], b[second], out=self._patch)
                xp.absolute(self._patch, out=self._patch)
            self._patch.sum(axis=1, out=self._sum)
            xp.add(y[:, channel], self._sum, out=y[:, channel])
        xp.multiply(y, self._share, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, (a, b), (da, db) = self.xp, self._images, self._slopes
        da.fill(0)
        db.fill(0)
        for channel, first, second in self._places():
            dy = dtops[0][:, channel : channel + 1]
            if not self.product:
                xp.subtract(a[first], b[second], out=self._other)
                xp.sign(self._other, out=self._other)
            for dx, into, seen, at, sign in (
                (da, first, b, second, 1.0),
                (db, second, a, first, -1.0),
            ):
                if self.product:
                    xp.multiply(seen[at], dy, out=self._patch)
                else:
                    xp.multiply(self._other, dy, out=self._patch)
                    xp.multiply(self._patch, sign, out=self._patch)
                xp.add(dx[into], self._patch, out=dx[into])
        for slope, dbottom in zip((da, db), dbottoms, strict=True):
            if dbottom is not None:
                xp.multiply(slope[self._inner], self._share, out=dbottom)


@register("FlowWarp")
class FlowWarp(Layer):
    """y = the image at each place displaced by the flow, bilinear between its pixels.

    Where the flow leaves the image, y is 0, or NaN with NOT_A_NUMBER. Gradients: of y, for the
    image and the flow; 0 where the flow leaves the image. Computed on the host, also if the net
    runs on a GPU.

    Bottom:
        0: image, N x C x H x W.
        1: flow, N x 2 x H x W: how far to the right and down, in pixels.
    Top:
        y: the shape of the image.
    Params:
        none.
    Spec:
        flow_warp_param: fill_value (ZERO; or NOT_A_NUMBER).
    Raises:
        LayerError: for bottoms of other shapes.
    Differs:
        BVLC Caffe has no such layer; this is the one of lmb-freiburg/flownet2. At the last row and
        column the image goes on as it ends, so that the flow's gradient is 0 across; there it is
        not. Outside it is not written there.
    """

    bottoms = (2, 2)
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}), capturable=False)

    def setup(self) -> None:
        nan = self.spec.flow_warp_param.fill_value == FlowWarpParameter.NOT_A_NUMBER
        self.outside = math.nan if nan else 0.0

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_images(self, shapes)
        wanted = (shapes[0][0], 2, *shapes[0][2:])
        if shapes[1] != wanted:
            raise LayerError(
                f"expected a flow {shape_text(wanted)} in '{self.spec.bottom[1]}', got "
                f"{shape_text(shapes[1])}",
                ("bottom", 1),
            )
        return [shapes[0]]

    def _corners(self, flow: Array) -> tuple[Array, Array, Array]:
        """The places of the four pixels around each, (4, N, H W); the fractions to the right and
        down, (2, N, H W); and whether a place is inside.
        """
        _, _, height, width = flow.shape
        rows, columns = np.mgrid[:height, :width]
        x, y = flow[:, 0] + columns, flow[:, 1] + rows
        with np.errstate(invalid="ignore"):
            inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        x, y = np.where(inside, x, 0), np.where(inside, y, 0)
        left, top = x.astype(int), y.astype(int)
        right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
        places = [row * width + column for row in (top, bottom) for column in (left, right)]
        flat = len(flow), -1
        fractions = np.stack([x - left, y - top]).reshape(2, *flat)
        return np.stack(places).reshape(4, *flat), fractions, inside.reshape(flat)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        image, flow = (np.asarray(self.device.get(bottom)) for bottom in bottoms)
        places, (x, y), inside = self._corners(flow)
        pixels = image.reshape(*image.shape[:2], -1)
        shares = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y]
        found = sum(
            np.take_along_axis(pixels, place[:, None], axis=2) * share[:, None]
            for place, share in zip(places, shares, strict=True)
        )
        whole = np.where(inside[:, None], found, self.outside).astype(image.dtype)
        self.device.put(whole.reshape(image.shape), tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        image, flow, dy = (np.asarray(self.device.get(each)) for each in (*bottoms, dtops[0]))
        places, (x, y), inside = self._corners(flow)
        pixels = image.reshape(*image.shape[:2], -1)
        slope = np.where(inside[:, None], dy.reshape(pixels.shape), 0)
        if dbottoms[0] is not None:
            shares = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y]
            dx = np.zeros(pixels.shape, image.dtype)
            index = np.ogrid[: len(image), : image.shape[1], :1][:2]
            for place, share in zip(places, shares, strict=True):
                np.add.at(dx, (*index, place[:, None]), slope * share[:, None])
            self.device.put(dx.reshape(image.shape), dbottoms[0])
        if dbottoms[1] is not None:
            a, b, c, d = (np.take_along_axis(pixels, place[:, None], axis=2) for place in places)
            x, y = x[:, None], y[:, None]
            across = (slope * ((1 - y) * (b - a) + y * (d - c))).sum(axis=1)
            down = (slope * ((1 - x) * (c - a) + x * (d - b))).sum(axis=1)
            both = np.stack([across, down], axis=1).astype(flow.dtype)
            self.device.put(both.reshape(flow.shape), dbottoms[1])


@register("ChannelNorm")
class ChannelNorm(Layer):
    """y = the root of the sum of squares over the channels. Gradient: dx = dy x / (y + 1e-9).

    Bottom:
        x: N x C x H x W.
    Top:
        y: N x 1 x H x W.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        LayerError: for a bottom without 4 axes.
    Differs:
        BVLC Caffe has no such layer; this is the one of lmb-freiburg/flownet2.
    """

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_images(self, shapes)
        return [(shapes[0][0], 1, *shapes[0][2:])]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._squares, self._norm = self.scratch(shapes[0]), self.scratch(self.infer(shapes)[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp = self.xp
        xp.multiply(bottoms[0], bottoms[0], out=self._squares)
        self._squares.sum(axis=1, keepdims=True, out=tops[0])
        xp.sqrt(tops[0], out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        self.xp.add(tops[0], 1e-9, out=self._norm)
        self.xp.divide(dtops[0], self._norm, out=self._norm)
        self.xp.multiply(bottoms[0], self._norm, out=dbottoms[0])
