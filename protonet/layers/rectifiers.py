"""Activations of straight pieces: functions of single elements with kinks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.activations import Activation
from protonet.layers.base import Reads, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import FillerParameter


@register("ReLU")
class ReLU(Activation):
    """y = max(x, 0) + negative_slope min(x, 0).

    Gradient: dx = dy where x > 0, negative_slope dy elsewhere.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. In place at no cost unless negative_slope is below 0.
    Params:
        none.
    Spec:
        relu_param: negative_slope (0); engine is accepted and makes no difference.
    Raises:
        nothing of its own.
    Differs:
        not at all.
    """

    recomputable = True

    def setup(self) -> None:
        self.negative_slope = self.spec.relu_param.negative_slope
        self.rectifies = self.negative_slope == 0
        # The sign of y tells the sign of x unless a negative slope makes both sides positive.
        reads = Reads.TOPS if self.negative_slope >= 0 else Reads.BOTTOMS
        self.backward_reads = frozenset({reads})

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._negative = self.scratch(shapes[0]) if self.negative_slope != 0 else None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, x, y, negative = self.xp, bottoms[0], tops[0], self._negative
        if negative is None:
            xp.maximum(x, 0.0, out=y)
            return
        xp.minimum(x, 0.0, out=negative)
        xp.multiply(negative, self.negative_slope, out=negative)
        xp.maximum(x, 0.0, out=y)
        xp.add(y, negative, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy, dx = self.xp, dtops[0], dbottoms[0]
        if dx is None:
            return
        sided = tops[0] if self.negative_slope >= 0 else bottoms[0]
        if self.negative_slope == 0:
            positive = self.slope(dy, np.bool_)
            xp.greater(sided, 0.0, out=positive)
            xp.multiply(dy, positive, out=dx)
            return
        slope = self.slope(dy)
        xp.greater(sided, 0.0, out=slope)
        xp.multiply(slope, 1.0 - self.negative_slope, out=slope)
        xp.add(slope, self.negative_slope, out=slope)
        xp.multiply(dy, slope, out=dx)


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

    backward_reads = frozenset({Reads.BOTTOMS})

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) < 2:
            raise LayerError(
                f"expected a bottom of at least 2 axes, got {shape_text(shapes[0])}",
                ("bottom", 0),
                "a is one number for each channel, the second axis",
            )
        return [shapes[0]]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        spec = self.spec.prelu_param
        filler = spec.filler if spec.HasField("filler") else FillerParameter(value=0.25)
        shape = () if spec.channel_shared else (shapes[0][1],)
        return [filled_weight(shape, filler, ("prelu_param", "filler"))]

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        shape = shapes[0]
        self._seen = (shape[0], shape[1], math.prod(shape[2:]))
        self._negative = self.scratch(self._seen)
        self._sum = self.scratch(self.params[0].shape)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, negative = self.xp, self._negative
        x, y = bottoms[0].reshape(self._seen), tops[0].reshape(self._seen)
        xp.minimum(x, 0.0, out=negative)
        xp.multiply(negative, self.params[0].data.reshape(-1, 1), out=negative)
        xp.maximum(x, 0.0, out=y)
        xp.add(y, negative, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, work, a = self.xp, self._negative, self.params[0]
        x, dy = bottoms[0].reshape(self._seen), dtops[0].reshape(self._seen)
        if a.wanted:
            xp.minimum(x, 0.0, out=work)
            xp.multiply(work, dy, out=work)
            work.sum(axis=None if a.data.ndim == 0 else (0, 2), out=self._sum)
            xp.add(a.diff, self._sum, out=a.diff)
        if dbottoms[0] is None:
            return
        # The slope is (x > 0) (1 - a) + a.
        slope = a.data.reshape(-1, 1)
        xp.greater(x, 0.0, out=work)
        xp.multiply(work, 1.0 - slope, out=work)
        xp.add(work, slope, out=work)
        xp.multiply(dy, work, out=dbottoms[0].reshape(self._seen))


class Window(Activation):
    """y = x kept between two bounds; dx = dy where x is between them, 0 elsewhere."""

    recomputable = True
    backward_reads = frozenset({Reads.BOTTOMS})
    low = 0.0
    high = 0.0

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.maximum(bottoms[0], self.low, out=tops[0])
        self.xp.minimum(tops[0], self.high, out=tops[0])

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._below: Array | None = None

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        xp, x, inside = self.xp, bottoms[0], self.slope(dtops[0], np.bool_)
        if self._below is None:
            self._below = self.scratch(x.shape, np.bool_)
        self.mark_inside(x, inside, self._below)
        xp.multiply(dtops[0], inside, out=dbottoms[0])

    def mark_inside(self, x: Array, inside: Array, scratch: Array) -> None:
        """Write where the slope is 1 to ``inside``."""
        self.xp.greater_equal(x, self.low, out=inside)
        self.xp.less_equal(x, self.high, out=scratch)
        self.xp.logical_and(inside, scratch, out=inside)


@register("Clip")
class Clip(Window):
    """y = min(max(x, min), max).

    Gradient: dx = dy where min <= x <= max, 0 elsewhere.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x, from min to max.
    Params:
        none.
    Spec:
        clip_param: min, max (both required).
    Raises:
        LayerError: without clip_param, or where min is above max.
    Differs:
        A min above max is refused; Caffe would make every value max.
    """

    def setup(self) -> None:
        spec = self.spec.clip_param
        if not (spec.HasField("min") and spec.HasField("max")):
            raise LayerError("min and max are required", (), "such as clip_param { min: 0 max: 1 }")
        self.low, self.high = spec.min, spec.max
        if self.low > self.high:
            raise LayerError(
                f"expected min <= max, got min {self.low:g} and max {self.high:g}",
                ("clip_param", "min"),
            )


@register("ReLU6")
class ReLU6(Window):
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

    backward_reads = frozenset({Reads.TOPS})
    low = 0.0
    high = 6.0

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        # The top is a bound exactly where the bottom is not inside.
        super().backward(dtops, tops, tops, dbottoms)

    def mark_inside(self, x: Array, inside: Array, scratch: Array) -> None:
        self.xp.greater(x, self.low, out=inside)
        self.xp.less(x, self.high, out=scratch)
        self.xp.logical_and(inside, scratch, out=inside)


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
        A layer below that has parameters trains on without a gradient from here; Caffe ends.
    """

    no_gradient = frozenset({0})
    backward_reads = frozenset()

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
class AbsVal(Activation):
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

    backward_reads = frozenset({Reads.BOTTOMS})

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.absolute(bottoms[0], out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            slope = self.slope(dtops[0])
            self.xp.sign(bottoms[0], out=slope)
            self.xp.multiply(dtops[0], slope, out=dbottoms[0])
