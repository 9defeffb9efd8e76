"""Convolution, DepthwiseConvolution and Deconvolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.windows import Windows
from protonet.layers.base import Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.layers.sliding import Sliding

_PARAM = "convolution_param"


class Convolving(Sliding):
    """What Convolution and Deconvolution share: groups, parameters, columns of one image.

    ``image`` names the side that is unrolled (bottom or top), ``inner`` the other one. With one
    group, columns are (image channels * kernel, places) and the weight is (inner channels,
    image channels * kernel): a convolution multiplies weight and columns, a deconvolution its
    transpose and the bottom.
    """

    def setup(self) -> None:
        super().setup()
        param = self.spec.convolution_param
        if not param.num_output:
            raise LayerError(f"{_PARAM} needs num_output above 0", (_PARAM, "num_output"))
        self.outputs = param.num_output

    def groups(self, channels: int) -> int:
        """In how many groups the channels are divided."""
        group = self.spec.convolution_param.group
        if group < 1 or channels % group or self.outputs % group:
            raise LayerError(
                f"group {group} must divide the {channels} channels of the bottom and the "
                f"{self.outputs} outputs",
                (_PARAM, "group"),
            )
        return int(group)

    def declare_shaped(self, shape: Shape) -> list[Weight]:
        """A weight of this shape, and a bias where there is one."""
        param = self.spec.convolution_param
        weights = [filled_weight(shape, param.weight_filler, (_PARAM, "weight_filler"))]
        if param.bias_term:
            path = (_PARAM, "bias_filler")
            weights.append(filled_weight((self.outputs,), param.bias_filler, path))
        return weights

    def build_columns(self, windows: Windows, image_channels: int, inner: int, group: int) -> None:
        """Scratch for the columns of one image and for the weight's gradient."""
        self._windows, self._group = windows, group
        kernel, places = math.prod(windows.kernel), math.prod(windows.outputs)
        self._image_shape = (image_channels, *windows.inputs)
        self._columns_shape = (image_channels, *windows.kernel, *windows.outputs)
        self._matrix = (group, image_channels // group * kernel, places)
        self._inner_matrix = (group, inner // group, places)
        self._weight = (group, inner // group, image_channels // group * kernel)
        self._columns = self.device.zeros(self._columns_shape, self.dtype)
        self._dcolumns: Array | None = None
        self._dw = self.scratch(self._weight)
        self._db = self.scratch((self.outputs,))

    def columns_of(self, image: Array) -> Array:
        """The columns of one image as (group, rows, places)."""
        if self._windows.is_identity:
            return image.reshape(self._matrix)
        self._windows.unroll(image.reshape(self._image_shape), self._columns)
        return self._columns.reshape(self._matrix)

    def add_up(self, inner: Array, image: Array) -> None:
        """Write weight^T times ``inner``, rolled up, to ``image``: the transpose of unrolling."""
        w = self.params[0].data.reshape(self._weight).swapaxes(1, 2)
        if self._windows.is_identity:
            self.xp.matmul(w, inner, out=image.reshape(self._matrix))
            return
        if self._dcolumns is None:
            self._dcolumns = self.scratch(self._columns_shape)
        self.xp.matmul(w, inner, out=self._dcolumns.reshape(self._matrix))
        self._windows.roll(self.xp, self._dcolumns, image.reshape(self._image_shape))

    def multiply(self, image: Array, inner: Array) -> None:
        """Write weight times the columns of ``image`` to ``inner``."""
        w = self.params[0].data.reshape(self._weight)
        self.xp.matmul(w, self.columns_of(image), out=inner)

    def learn(self, inner: Array, image: Array) -> None:
        """Add ``inner`` times the columns of ``image``, transposed, to the weight's gradient."""
        weight = self.params[0]
        assert weight.diff is not None, "a net with gradients has them for every parameter"
        diff = weight.diff.reshape(self._weight)
        self.xp.matmul(inner, self.columns_of(image).swapaxes(1, 2), out=self._dw)
        self.xp.add(diff, self._dw, out=diff)

    def add_bias(self, y: Array) -> None:
        """Add the bias to every place of (items, outputs, places)."""
        if len(self.params) > 1:
            self.xp.add(y, self.params[1].data[:, None], out=y)

    def learn_bias(self, dy: Array) -> None:
        """Add the sums of (items, outputs, places) over items and places to the bias' gradient."""
        if len(self.params) > 1 and self.params[1].wanted:
            diff = self.params[1].diff
            self.xp.sum(dy, axis=(0, 2), out=self._db)
            self.xp.add(diff, self._db, out=diff)


@register("Convolution")
class Convolution(Convolving):
    """y = W * x + b: each output is a weighted sum over a window of every channel of its group.

    With the windows of an image as columns X: Y = W X + b, dX = W^T dY, dW = dY X^T, db = sum dY.

    Bottom:
        one or more of one shape: x, ... x C x spatial axes (any number of them).
    Top:
        one for each bottom: ... x num_output x floor((i + 2 pad - extent) / stride) + 1, with
        extent = dilation (kernel - 1) + 1.
    Params:
        0: W, num_output x C / group x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param: num_output, kernel_size (or kernel_h, kernel_w), stride (1), pad (0),
        dilation (1), group (1), bias_term (true), fillers, axis (1). engine and force_nd_im2col
        are accepted and make no difference.
    Raises:
        LayerError: without num_output or kernel, for a mixture of forms, a group that does not
        divide, or a kernel that does not fit.
    Differs:
        no.
    """

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.channel_axis(shapes)
        self.groups(shapes[0][axis])
        outputs = self.windows(shapes[0][axis + 1 :]).outputs
        return [(*shapes[0][:axis], self.outputs, *outputs)] * len(shapes)

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        axis = self.channel_axis(shapes)
        channels = shapes[0][axis]
        kernel = self.geometry(len(shapes[0]) - axis - 1)[0]
        return self.declare_shaped((self.outputs, channels // self.groups(channels), *kernel))

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.channel_axis(shapes)
        channels = shapes[0][axis]
        self._items = math.prod(shapes[0][:axis])
        windows = self.windows(shapes[0][axis + 1 :])
        self.build_columns(windows, channels, self.outputs, self.groups(channels))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for x, y in zip(bottoms, tops, strict=True):
            images, results = (
                x.reshape(self._items, -1),
                y.reshape(self._items, *self._inner_matrix),
            )
            for image, result in zip(images, results, strict=True):
                self.multiply(image, result)
            self.add_bias(y.reshape(self._items, self.outputs, -1))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dy, x, dx in zip(dtops, bottoms, dbottoms, strict=True):
            dys = dy.reshape(self._items, *self._inner_matrix)
            if self.params[0].wanted:
                for dresult, image in zip(dys, x.reshape(self._items, -1), strict=True):
                    self.learn(dresult, image)
            self.learn_bias(dy.reshape(self._items, self.outputs, -1))
            if dx is not None:
                for dresult, dimage in zip(dys, dx.reshape(self._items, -1), strict=True):
                    self.add_up(dresult, dimage)


class _Depthwise(Convolution):
    """A convolution in which every channel is a group of its own."""

    def groups(self, channels: int) -> int:
        """As many as there are channels."""
        if self.outputs % channels:
            raise LayerError(
                f"num_output {self.outputs} must be a multiple of the {channels} channels",
                (_PARAM, "num_output"),
            )
        return channels


@register("DepthwiseConvolution")
class DepthwiseConvolution(_Depthwise):
    """Convolution with group = channels: each channel has windows and weights of its own.

    Bottom:
        one or more of one shape: x, ... x C x spatial axes.
    Top:
        one for each bottom, as of Convolution.
    Params:
        0: W, num_output x 1 x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param, as of Convolution; group is not looked at.
    Raises:
        LayerError: as Convolution, and for a num_output that is no multiple of the channels.
    Differs:
        Caffe has no such layer; MobileNet's forks of it do.
    """


@register("ConvolutionDepthwise")
class ConvolutionDepthwise(_Depthwise):
    """Convolution with group = channels, under the name of another fork.

    Bottom:
        one or more of one shape: x, ... x C x spatial axes.
    Top:
        one for each bottom, as of Convolution.
    Params:
        0: W, num_output x 1 x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param, as of Convolution; group is not looked at.
    Raises:
        LayerError: as DepthwiseConvolution.
    Differs:
        Caffe has no such layer; forks of it do.
    """


@register("Deconvolution")
class Deconvolution(Convolving):
    """The transpose of a convolution: Y = roll(W^T X) + b; dX = W unroll(dY), dW = X unroll(dY)^T.

    Bottom:
        one or more of one shape: x, ... x C x spatial axes (any number of them).
    Top:
        one for each bottom: ... x num_output x stride (i - 1) + extent - 2 pad, with
        extent = dilation (kernel - 1) + 1.
    Params:
        0: W, C x num_output / group x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param, as of Convolution.
    Raises:
        LayerError: as Convolution, and for a top without extent.
    Differs:
        no.
    """

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.channel_axis(shapes)
        self.groups(shapes[0][axis])
        spatial = self._grown(shapes[0][axis + 1 :])
        return [(*shapes[0][:axis], self.outputs, *spatial)] * len(shapes)

    def _grown(self, spatial: Shape) -> Shape:
        """The extents of the top for these of the bottom."""
        kernel, stride, pad, dilation = self.geometry(len(spatial))
        grown = tuple(
            s * (i - 1) + d * (k - 1) + 1 - 2 * p
            for i, k, s, p, d in zip(spatial, kernel, stride, pad, dilation, strict=True)
        )
        if min(grown) < 1:
            raise LayerError(
                f"pad {shape_text(pad)} leaves nothing of a top made from {shape_text(spatial)}",
                (_PARAM, "pad"),
            )
        return grown

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        axis = self.channel_axis(shapes)
        channels = shapes[0][axis]
        kernel = self.geometry(len(shapes[0]) - axis - 1)[0]
        return self.declare_shaped((channels, self.outputs // self.groups(channels), *kernel))

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.channel_axis(shapes)
        channels, spatial = shapes[0][axis], shapes[0][axis + 1 :]
        self._items = math.prod(shapes[0][:axis])
        windows = Windows(self._grown(spatial), *self.geometry(len(spatial)), spatial)
        self.build_columns(windows, self.outputs, channels, self.groups(channels))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for x, y in zip(bottoms, tops, strict=True):
            values, images = x.reshape(self._items, *self._inner_matrix), y.reshape(self._items, -1)
            for value, image in zip(values, images, strict=True):
                self.add_up(value, image)
            self.add_bias(y.reshape(self._items, self.outputs, -1))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dy, x, dx in zip(dtops, bottoms, dbottoms, strict=True):
            dimages = dy.reshape(self._items, -1)
            if self.params[0].wanted:
                xs = x.reshape(self._items, *self._inner_matrix)
                for value, dimage in zip(xs, dimages, strict=True):
                    self.learn(value, dimage)
            self.learn_bias(dy.reshape(self._items, self.outputs, -1))
            if dx is not None:
                dxs = dx.reshape(self._items, *self._inner_matrix)
                for dimage, dvalue in zip(dimages, dxs, strict=True):
                    self.multiply(dimage, dvalue)
