"""Piecewise linear activations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels import activations
from protonet.kernels.scaling import ParametricRectifier
from protonet.layers.activations import BY_BOTTOM, BY_TOP, Activation, KernelActivation
from protonet.layers.base import Kind, LowPrecision, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import FillerParameter


@register("ReLU")
class ReLU(KernelActivation):
    """y = max(x, 0) + negative_slope min(x, 0).

    Gradient: dx = dy where x > 0, negative_slope dy elsewhere.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place; without a copy unless negative_slope is below 0.
    Params:
        none.
    Spec:
        relu_param: negative_slope (0); engine is accepted and ignored.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    traits = replace(KernelActivation.traits, recomputable=True)

    def setup(self) -> None:
        self.negative_slope = self.spec.relu_param.negative_slope
        # y has the sign of x unless negative_slope is below 0: then y > 0 for x < 0 too.
        reads = BY_TOP if self.negative_slope >= 0 else BY_BOTTOM
        kind = Kind.RECTIFIER if self.negative_slope == 0 else None
        self.traits = replace(self.traits, backward_reads=reads, kind=kind)

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = activations.Rectifier.make(
            self.device, self.dtype, shapes[0], self.negative_slope
        )


@register("PReLU")
class PReLU(Activation):
    """y = max(x, 0) + a min(x, 0), with a learned for each channel (He et al., ICCV 2015).

    Gradients: dx = dy where x > 0, a dy elsewhere; da = the sum of dy x where x <= 0.

    Bottom:
        x: N x C x ...
    Top:
        y: the shape of x.
    Params:
        a: C, or a scalar with channel_shared.
    Spec:
        prelu_param: filler (constant 0.25), channel_shared (false).
    Raises:
        LayerError: for a bottom of fewer than 2 axes.
    Differs:
        not at all.
    """

    traits = replace(
        Activation.traits,
        backward_reads=BY_BOTTOM,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) < 2:
            raise LayerError(
                f"expected a bottom of at least 2 axes, got {shape_text(shapes[0])}",
                ("bottom", 0),
                "a has an element for each channel, the second axis",
            )
        return [shapes[0]]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        spec = self.spec.prelu_param
        filler = spec.filler if spec.HasField("filler") else FillerParameter(value=0.25)
        shape = () if spec.channel_shared else (shapes[0][1],)
        return [filled_weight(shape, filler, ("prelu_param", "filler"))]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = ParametricRectifier.make(
            self.device, self.dtype, *self._split_shape(shapes[0])
        )

    def _split_shape(self, shape: Shape) -> tuple[int, int, int]:
        """Items, channels and positions, as the elements of a are shared."""
        if self.spec.prelu_param.channel_shared:
            return 1, 1, math.prod(shape)
        return shape[0], shape[1], math.prod(shape[2:])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._kernel.forward(bottoms[0], self.params[0].data, tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        a = self.params[0]
        da = a.diff if a.wanted else None
        self._kernel.backward(dtops[0], bottoms[0], a.data, dbottoms[0], da)


class Clamp(KernelActivation):
    """y = x clipped to two bounds; dx = dy where x is between them, 0 elsewhere."""

    traits = replace(KernelActivation.traits, backward_reads=BY_BOTTOM, recomputable=True)
    low = 0.0
    high = 0.0
    is_open = False
    """Whether the slope at the bounds is 0."""

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = activations.Bounds.make(
            self.device, self.dtype, shapes[0], self.low, self.high, self.is_open
        )


@register("Clip")
class Clip(Clamp):
    """y = min(max(x, min), max).

    Gradient: dx = dy where min <= x <= max, 0 elsewhere; with zero_slope_at_bounds, where
    min < x < max.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, from min to max.
    Params:
        none.
    Spec:
        clip_param: min, max (both required), zero_slope_at_bounds (false; of Torch7's HardTanh).
    Raises:
        LayerError: without clip_param, or where min is above max.
    Differs:
        A min above max is refused; Caffe would make every value max.
    """

    def setup(self) -> None:
        spec = self.spec.clip_param
        if not (spec.HasField("min") and spec.HasField("max")):
            raise LayerError("min and max are required", (), "such as clip_param { min: 0 max: 1 }")
        self.low, self.high, self.is_open = spec.min, spec.max, spec.zero_slope_at_bounds
        if self.low > self.high:
            raise LayerError(
                f"expected min <= max, got min {self.low:g} and max {self.high:g}",
                ("clip_param", "min"),
            )


@register("ReLU6")
class ReLU6(Clamp):
    """y = min(max(x, 0), 6), as mobile networks use it (Howard et al., 2017).

    Gradient: dx = dy where 0 < x < 6, 0 elsewhere.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, from 0 to 6. May be in place.
    Params:
        none.
    Spec:
        no fields of its own.
    Raises:
        nothing of its own.
    Differs:
        Caffe 1.0 has no such layer; forks of it do.
    """

    # With slope 0 at the bounds, y is a bound if and only if x is not between them.
    traits = replace(Clamp.traits, backward_reads=BY_TOP)
    low = 0.0
    high = 6.0
    is_open = True


@register("Threshold")
class Threshold(Activation):
    """y = 1 where x > threshold, 0 elsewhere. There is no gradient.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        threshold_param: threshold (0).
    Raises:
        LayerError: for a loss_weight.
    Differs:
        Layers before it that have parameters get no gradient from it; Caffe aborts.
    """

    no_gradient = frozenset({0})
    traits = replace(Activation.traits, backward_reads=frozenset())

    def setup(self) -> None:
        self.threshold = self.spec.threshold_param.threshold
        if any(self.spec.loss_weight):
            raise LayerError(
                "a threshold has no gradient and cannot be part of the objective",
                ("loss_weight",),
            )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.greater(bottoms[0], self.threshold, out=tops[0])


@register("AbsVal")
class AbsVal(KernelActivation):
    """y = |x|.

    Gradient: dx = dy sign(x), which is 0 at 0.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        no fields of its own.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    traits = replace(KernelActivation.traits, backward_reads=BY_BOTTOM)

    def build(self, shapes: Sequence[Shape]) -> None:
        self._kernel = activations.Absolute.make(self.device, self.dtype, shapes[0])
