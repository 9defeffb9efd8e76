"""Convolution, DepthwiseConvolution and Deconvolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Pixels, Shape
from protonet.errors import LayerError
from protonet.kernels.bias import BiasGradient
from protonet.kernels.convolution import ConvolutionShape, Convolve, Stage
from protonet.kernels.kernel import Call
from protonet.kernels.scaling import Scaling
from protonet.kernels.windows import Windows, per_axis
from protonet.layers.affine import AffineChain
from protonet.layers.base import Kind, LowPrecision, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.packed_weights import PackingLayer
from protonet.layers.registry import register
from protonet.layers.sliding import SlidingWindow
from protonet.proto.caffe_pb2 import ConvolutionParameter

_PARAM = "convolution_param"


class ConvolutionBase(SlidingWindow, PackingLayer):
    """Base of Convolution and Deconvolution: groups, parameters and the kernel.

    A deconvolution is a convolution from its top to its bottom, with the forward pass run as the
    backward pass and the other way round.
    """

    needs_outputs = True
    pads_outputs = False
    """Whether there is an output_padding."""
    traits = replace(SlidingWindow.traits, low_precision=LowPrecision.ALWAYS, in_kernels=True)

    def setup(self) -> None:
        super().setup()
        param = self.settings
        if self.needs_outputs and not param.num_output:
            raise LayerError(f"{_PARAM} needs num_output above 0", (_PARAM, "num_output"))
        self.outputs = param.num_output
        if param.output_padding and not self.pads_outputs:
            raise LayerError(
                "output_padding is for Deconvolution only",
                (_PARAM, "output_padding"),
                "give pad, which is added to both ends of the bottom",
            )

    def outputs_of(self, channels: int) -> int:
        """The number of channels of the top for that of the bottom."""
        return self.outputs

    def groups(self, channels: int) -> int:
        """The number of groups of channels."""
        group = self.settings.group
        if group < 1 or channels % group or self.outputs % group:
            raise LayerError(
                f"group {group} must divide the {channels} channels of the bottom and the "
                f"{self.outputs} outputs",
                (_PARAM, "group"),
            )
        return int(group)

    def declare_shaped(self, shape: Shape, outputs: int) -> list[Weight]:
        """A weight of this shape, and the bias if there is one."""
        param = self.settings
        fillers = [(shape, param.weight_filler, (_PARAM, "weight_filler"))]
        if param.bias_term:
            fillers.append(((outputs,), param.bias_filler, (_PARAM, "bias_filler")))
        return [filled_weight(*each) for each in fillers]

    def kernel_for(self, shapes: Sequence[Shape]) -> ConvolutionShape:
        """Windows, items, input channels, output channels and groups."""
        raise NotImplementedError

    def flat(self, shapes: Sequence[Shape]) -> tuple[int, int, int]:
        """Items, channels and positions of a top."""
        axis, (top, *_) = self.channel_axis(shapes), self.infer(shapes)
        return math.prod(top[:axis]), top[axis], math.prod(top[axis + 1 :])

    @property
    def engine(self) -> str:
        """The kernels that a GPU runs; empty for the fastest."""
        engine = self.settings.engine
        return ConvolutionParameter.Engine.Name(engine) if engine else ""

    def build(self, shapes: Sequence[Shape]) -> None:
        kind: type[Convolve] = Convolve
        if self.pixels is not Pixels.NONE:
            from protonet.kernels import pixels  # for nets that only answer

            kind = pixels.ConvolvePixels
        how = self.engine if kind is Convolve else self.pixels is Pixels.WRITTEN
        self._convolve = kind.make(self.device, self.dtype, *self.kernel_for(shapes), how)
        self._bias = BiasGradient.make(self.device, self.dtype, *self.flat(shapes))

    @property
    def bias(self) -> Array | None:
        """The bias, or None."""
        return self.params[1].data if len(self.params) > 1 else None

    @property
    def bias_gradient(self) -> Array | None:
        """What the gradient of the bias is added to; None if not needed."""
        return self.params[1].diff if len(self.params) > 1 and self.params[1].wanted else None


@register("Convolution")
class Convolution(ConvolutionBase):
    """y = W * x + b: each output is a weighted sum over a window of every channel of its group.

    With the windows of an image as columns X: Y = W X + b, dX = W^T dY, dW = dY X^T, db = sum dY.

    Bottom:
        one or more of the same shape: x, ... x C x spatial axes (any number of them).
    Top:
        one for each bottom: ... x num_output x floor((i + 2 pad - extent) / stride) + 1, with
        extent = dilation (kernel - 1) + 1.
    Params:
        0: W, num_output x C / group x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param: num_output, kernel_size (or kernel_h, kernel_w), stride (1), pad (0),
        dilation (1), group (1), bias_term (true), fillers, axis (1). engine selects the kernels on
        a GPU: CAFFE protonet's, CUDNN those of cuDNN if it is installed, DEFAULT the fastest.
        force_nd_im2col is accepted and ignored.
    Raises:
        LayerError: without num_output or kernel, for a setting in two forms, a group that does not
        divide the channels, or a kernel larger than the padded image.
    Differs:
        no.
    """

    def setup(self) -> None:
        super().setup()
        if len(self.spec.bottom) == 1:
            behind_items = self.settings.axis == 1
            kind = Kind.CONVOLUTION if behind_items else Kind.RECTIFIABLE
            self.traits = replace(self.traits, kind=kind, absorbs=True, pixels=behind_items)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.channel_axis(shapes)
        channels = shapes[0][axis]
        self.groups(channels)
        outputs = self.windows(shapes[0][axis + 1 :]).outputs
        return [(*shapes[0][:axis], self.outputs_of(channels), *outputs)] * len(shapes)

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        axis = self.channel_axis(shapes)
        channels, kernel = shapes[0][axis], self.geometry(len(shapes[0]) - axis - 1)[0]
        outputs = self.outputs_of(channels)
        return self.declare_shaped((outputs, channels // self.groups(channels), *kernel), outputs)

    def kernel_for(self, shapes: Sequence[Shape]) -> ConvolutionShape:
        axis, shape = self.channel_axis(shapes), shapes[0]
        items, channels, windows = (
            math.prod(shape[:axis]),
            shape[axis],
            self.windows(shape[axis + 1 :]),
        )
        return windows, items, channels, self.outputs_of(channels), self.groups(channels)

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self.pack_with(self._convolve)
        outputs, layers = self.flat(shapes)[1], self.fused.layers
        self._chain = AffineChain(self.device, self.real, outputs, layers, keep=self.keeps_weights)

    def forget_weights(self) -> None:
        super().forget_weights()
        self._chain.forget()

    def stage(self) -> Stage:
        """The weights, and what is fused, as factor, shift and ReLU."""
        factor, shift = self._chain.compose(None, self.bias)
        return Stage(self.params[0].data, factor, shift, self.fused.rectify)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        (w, factor, shift, rectify), addend = self.stage(), None
        if self.fused.adds:
            *bottoms, addend = bottoms
        for x, y in zip(bottoms, tops, strict=True):
            self._convolve.forward(x, w, shift, y, factor=factor, rectify=rectify, addend=addend)

    def settled(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> Call | None:
        if len(tops) > 1 or type(self).forward is not Convolution.forward:
            return None
        x, *added = bottoms
        return self._convolve.call(x, self.stage(), tops[0], added[0] if added else None)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        weight = self.params[0]
        for dy, x, y, dx in zip(dtops, bottoms, tops, dbottoms, strict=True):
            self._bias.learn(dy, y if self.fused.rectify else None, self.bias_gradient)
            if weight.wanted:
                self._convolve.learn(dy, x, weight.diff)
            if dx is not None:
                self._convolve.backward(dy, weight.data, dx)


@register("Deconvolution")
class Deconvolution(ConvolutionBase):
    """The transpose of a convolution: Y = col2im(W^T X) + b.

    Gradients: dX = W im2col(dY), dW = X im2col(dY)^T.

    Bottom:
        one or more of the same shape: x, ... x C x spatial axes (any number of them).
    Top:
        one for each bottom: ... x num_output x stride (i - 1) + extent - 2 pad + output_padding,
        with extent = dilation (kernel - 1) + 1.
    Params:
        0: W, C x num_output / group x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param, as for Convolution; output_padding (0), one number or one for each
        spatial axis.
    Raises:
        LayerError: as Convolution, for an empty top, and for an output_padding that is not below
        the stride.
    Differs:
        Caffe has no output_padding; Torch7 has, as adjW and adjH.
    """

    pads_outputs = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.channel_axis(shapes)
        self.groups(shapes[0][axis])
        spatial = self._grown(shapes[0][axis + 1 :])
        return [(*shapes[0][:axis], self.outputs, *spatial)] * len(shapes)

    def _grown(self, spatial: Shape) -> Shape:
        """The spatial extents of the top for those of the bottom."""
        kernel, stride, *others = self.geometry(len(spatial))
        axes = zip(spatial, kernel, stride, *others, self._output_padding(stride), strict=True)
        grown = tuple(s * (i - 1) + d * (k - 1) + 1 - 2 * p + m for i, k, s, p, d, m in axes)
        if min(grown) < 1:
            pad, made = shape_text(others[0]), shape_text(spatial)
            message = f"pad {pad} leaves nothing of a top made from {made}"
            raise LayerError(message, (_PARAM, "pad"))
        return grown

    def _output_padding(self, stride: Shape) -> Shape:
        """What each spatial axis of the top has behind its windows."""
        given, path = self.settings.output_padding, (_PARAM, "output_padding")
        if len(given) not in (0, 1, len(stride)):
            raise LayerError(f"expected 1 or {len(stride)} output_padding, got {len(given)}", path)
        more = per_axis(given, len(stride), 0)
        if any(m >= s for m, s in zip(more, stride, strict=True)):
            raise LayerError(
                f"expected an output_padding below the stride, {shape_text(stride)}, got "
                f"{shape_text(more)}",
                path,
            )
        return more

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        axis = self.channel_axis(shapes)
        channels, kernel = shapes[0][axis], self.geometry(len(shapes[0]) - axis - 1)[0]
        shape = (channels, self.outputs // self.groups(channels), *kernel)
        return self.declare_shaped(shape, self.outputs)

    def kernel_for(self, shapes: Sequence[Shape]) -> ConvolutionShape:
        axis, shape = self.channel_axis(shapes), shapes[0]
        items, channels, spatial = math.prod(shape[:axis]), shape[axis], shape[axis + 1 :]
        windows = Windows(self._grown(spatial), *self.geometry(len(spatial)), spatial)
        return windows, items, self.outputs, channels, self.groups(channels)

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._shift = Scaling.make(self.device, self.dtype, *self.flat(shapes))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        bias = self.bias
        for x, y in zip(bottoms, tops, strict=True):
            self._convolve.backward(x, self.params[0].data, y)
            if bias is not None:
                self._shift.forward(y, None, bias, y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        weight = self.params[0]
        for dy, x, dx in zip(dtops, bottoms, dbottoms, strict=True):
            self._bias.learn(dy, None, self.bias_gradient)
            if weight.wanted:
                self._convolve.learn(x, dy, weight.diff)
            if dx is not None:
                self._convolve.forward(dy, weight.data, None, dx)
