"""Sliding windows: the base of convolutions, and Im2col."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.windows import Windows, per_axis, window_outputs
from protonet.layers.base import Layer, Reads, Traits, shape_text
from protonet.layers.limits import check_numbers
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import ConvolutionParameter

_PARAM = "convolution_param"


class SlidingWindow(Layer):
    """Base of layers with ``convolution_param``: reads kernel, stride, pad, dilation."""

    bottoms = (1, None)
    tops = (1, None)
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}), one_to_one=True)

    @property
    def settings(self) -> ConvolutionParameter:
        """The settings of windows and weights."""
        return self.spec.convolution_param

    def setup(self) -> None:
        param = self.settings
        for name in ("kernel", "stride", "pad"):
            listed = "kernel_size" if name == "kernel" else name
            single = [part for part in ("h", "w") if param.HasField(f"{name}_{part}")]
            if single and getattr(param, listed):
                raise LayerError(
                    f"{listed} and {name}_{single[0]} are both given; give one of the two forms",
                    (_PARAM, f"{name}_{single[0]}"),
                )
            if len(single) == 1 and name != "pad":
                missing = "w" if single[0] == "h" else "h"
                raise LayerError(f"{name}_{single[0]} needs {name}_{missing} as well", (_PARAM,))
        if not param.kernel_size and not param.HasField("kernel_h"):
            raise LayerError(f"{_PARAM} needs a kernel_size", (_PARAM, "kernel_size"))

    def channel_axis(self, shapes: Sequence[Shape]) -> int:
        """The channel axis; windows slide over the axes after it."""
        if any(shape != shapes[0] for shape in shapes):
            found = ", ".join(shape_text(shape) for shape in shapes)
            raise LayerError(f"expected bottoms of the same shape, got {found}", ("bottom", 1))
        axis = self.axis(shapes[0], self.settings.axis, (_PARAM, "axis"))
        if axis == len(shapes[0]) - 1:
            raise LayerError(
                f"a bottom of shape {shape_text(shapes[0])} has no axis after channel axis {axis}",
                ("bottom", 0),
            )
        return axis

    def geometry(self, axes: int) -> tuple[Shape, Shape, Shape, Shape]:
        """Kernel, stride, pad and dilation, a number for each spatial axis."""
        param = self.settings
        found = []
        for name, listed, default in (
            ("kernel", param.kernel_size, 1),
            ("stride", param.stride, 1),
            ("pad", param.pad, 0),
            ("dilation", param.dilation, 1),
        ):
            given = list(listed)
            if name != "dilation" and any(param.HasField(f"{name}_{part}") for part in "hw"):
                given = [getattr(param, f"{name}_h"), getattr(param, f"{name}_w")]
            field = "kernel_size" if name == "kernel" else name
            if len(given) not in (0, 1, axes):
                raise LayerError(f"expected 1 or {axes} {field}, got {len(given)}", (_PARAM, field))
            if name != "pad" and 0 in given:
                raise LayerError(f"{field} must be above 0", (_PARAM, field))
            check_numbers(given, (_PARAM, field))
            found.append(per_axis(given, axes, default))
        kernel, stride, pad, dilation = found
        return kernel, stride, pad, dilation

    def windows(self, spatial: Shape) -> Windows:
        """The windows over an image of these extents."""
        kernel, stride, pad, dilation = self.geometry(len(spatial))
        outputs = window_outputs(spatial, kernel, stride, pad, dilation)
        if min(outputs) < 1:
            raise LayerError(
                f"a kernel of {shape_text(kernel)} (dilation {shape_text(dilation)}, pad "
                f"{shape_text(pad)}) does not fit an image of {shape_text(spatial)}",
                ("bottom", 0),
            )
        return Windows(spatial, kernel, stride, pad, dilation, outputs)


@register("Im2col")
class Im2col(SlidingWindow):
    """The windows of an image as columns, which a convolution multiplies with its weights.

    Bottom:
        one or more of the same shape: x, ... x C x spatial axes.
    Top:
        one for each bottom: ... x (C kernel) x places of the kernel along each axis.
    Params:
        none.
    Spec:
        convolution_param: kernel_size, stride, pad, dilation, axis, as for Convolution.
    Raises:
        LayerError: without a kernel, or for one that does not fit.
    Differs:
        no.
    """

    traits = replace(SlidingWindow.traits, backward_reads=frozenset())

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.channel_axis(shapes)
        windows = self.windows(shapes[0][axis + 1 :])
        channels = shapes[0][axis] * math.prod(windows.kernel)
        return [(*shapes[0][:axis], channels, *windows.outputs)] * len(shapes)

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.channel_axis(shapes)
        self._windows = windows = self.windows(shapes[0][axis + 1 :])
        items = math.prod(shapes[0][:axis])
        self._images = (items, *shapes[0][axis:])
        self._columns = (items, shapes[0][axis], *windows.kernel, *windows.outputs)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for x, y in zip(bottoms, tops, strict=True):
            y.fill(0)
            columns = y.reshape(self._columns)
            for image, column in zip(x.reshape(self._images), columns, strict=True):
                self._windows.im2col(image, column)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dy, dx in zip(dtops, dbottoms, strict=True):
            if dx is not None:
                dcolumns = dy.reshape(self._columns)
                for dimage, dcolumn in zip(dx.reshape(self._images), dcolumns, strict=True):
                    self._windows.col2im(self.xp, dcolumn, dimage)
