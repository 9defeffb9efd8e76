"""Layers of happynear's fork for faces: a margin for the target class, a factor per position."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Stateful, Traits, shape_text
from protonet.layers.labels import Labels, check_labels
from protonet.layers.registry import register

_PARAM = "label_specific_add_param"


@register("LabelSpecificAdd")
class LabelSpecificAdd(Stateful):
    """y = x, and in TRAIN x + m at each item's label if that x is above -m (AM-Softmax).

    m is bias; with bias_base, base + (1 + gamma i)^power - 1 between min and max, where i counts
    the passes from ``iteration`` on. Gradient: dx = dy.

    Bottom:
        0: x, N x C x 1 x ..., scores.
        1: label, one class 0 to C - 1 for each item. No gradient.
    Top:
        0: y, the shape of x.
        1 (optional): m, 1 value; 0 in TEST.
    Params:
        none.
    Spec:
        label_specific_add_param: bias (0), bias_base (none), bias_gamma (0), bias_power (1),
        bias_min (0), bias_max (0), iteration (0). transform_test has no effect, as there.
    Raises:
        LayerError: for a wrong number of labels, values after the channel axis, a
        bias_min above bias_max, and, while running on the CPU, an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the one of happynear/caffe-windows. A resumed
        training continues its count; there it restarts at ``iteration``.
    """

    bottoms = (2, 2)
    tops = (1, 2)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        self.param = self.spec.label_specific_add_param
        self.passes = int(self.param.iteration)
        self.anneals = self.param.HasField("bias_base")
        if self.anneals and not self.param.bias_min <= self.param.bias_max:
            raise LayerError(
                f"expected a bias_min of at most bias_max, {self.param.bias_max:g}, got "
                f"{self.param.bias_min:g}",
                (_PARAM, "bias_min"),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shape) < 2 or math.prod(shape[2:]) != 1:
            raise LayerError(
                f"expected scores N x C, got '{self.spec.bottom[0]}' {shape_text(shape)}",
                ("bottom", 0),
            )
        check_labels(self, shapes, 1)
        return [shape, (1,)][: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._labels = Labels(self, shapes[0], 1, None)
        self._right, self._above = (self.scratch(shapes[0], np.bool_) for _ in range(2))
        self._added = self.scratch(shapes[0])

    def margin(self) -> float:
        """The margin m of the next pass."""
        param = self.param
        if not self.anneals:
            return float(param.bias)
        base = 1.0 + param.bias_gamma * self.passes
        grown = param.bias_base + math.copysign(abs(base) ** param.bias_power, base) - 1.0
        return min(max(grown, param.bias_min), param.bias_max)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, (x, label) = self.xp, bottoms
        margin = self.margin() if self.training else 0.0
        self._labels.read(label)
        self._labels.one_hot(self._right)
        xp.greater(x, -margin, out=self._above)
        xp.logical_and(self._right, self._above, out=self._right)
        xp.multiply(self._right, margin, out=self._added)
        xp.add(x, self._added, out=tops[0])
        if len(tops) > 1:
            tops[1].fill(margin)
        self.passes += self.training and self.anneals

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.copyto(dbottoms[0], dtops[0])

    def state(self) -> dict[str, Any]:
        return {"passes": self.passes}

    def restore(self, state: dict[str, Any]) -> None:
        self.passes = int(state["passes"])


@register("ChannelScale")
class ChannelScale(Layer):
    """y = x s, with one factor s for each position, the same for all channels.

    Gradients: dx = dy s, ds = the sum of dy x over the channels. Without do_forward y = x; without
    do_backward_feature dx = dy; without do_backward_scale ds = 0.

    Bottom:
        0: x, N x C x ...
        1: s, as many values as x has without its channels, N first.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        channel_scale_param: do_forward (true), do_backward_feature (true), do_backward_scale
        (true).
    Raises:
        LayerError: for an s of another shape, or global_scale.
    Differs:
        BVLC Caffe has no such layer; this is the one of happynear/caffe-windows, without its
        global_scale.
    """

    bottoms = (2, 2)
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))

    def setup(self) -> None:
        if self.spec.channel_scale_param.global_scale:
            raise LayerError(
                "global_scale is not supported; give the factor with a Scale layer",
                ("channel_scale_param", "global_scale"),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, s = shapes
        if len(x) < 2 or not s or s[0] != x[0] or math.prod(s) * x[1] != math.prod(x):
            raise LayerError(
                f"expected a factor for each position of '{self.spec.bottom[0]}' {shape_text(x)}, "
                f"whatever the channel, got '{self.spec.bottom[1]}' {shape_text(s)}",
                ("bottom", 1),
            )
        return [x]

    def build(self, shapes: Sequence[Shape]) -> None:
        x = shapes[0]
        self._view_shape = (x[0], x[1], math.prod(x[2:]))
        self._places = (x[0], 1, self._view_shape[2])
        self._product = self.scratch(self._view_shape)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, s = bottoms[0].reshape(self._view_shape), bottoms[1].reshape(self._places)
        if self.spec.channel_scale_param.do_forward:
            self.xp.multiply(x, s, out=tops[0].reshape(self._view_shape))
        else:
            self.xp.copyto(tops[0].reshape(self._view_shape), x)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, param, (dx, ds) = self.xp, self.spec.channel_scale_param, dbottoms
        dy, x = dtops[0].reshape(self._view_shape), bottoms[0].reshape(self._view_shape)
        if dx is not None and param.do_backward_feature:
            xp.multiply(dy, bottoms[1].reshape(self._places), out=dx.reshape(self._view_shape))
        elif dx is not None:
            xp.copyto(dx.reshape(self._view_shape), dy)
        if ds is not None and param.do_backward_scale:
            xp.multiply(dy, x, out=self._product)
            xp.sum(self._product, axis=1, keepdims=True, out=ds.reshape(self._places))
        elif ds is not None:
            ds.fill(0)


@register("LabelSpecificRescale")
class LabelSpecificRescale(Layer):
    """y = positive_weight x at each item's label, and negative_weight x elsewhere (NormFace).

    In TEST y = x, unless rescale_test. Gradient: dx = dy times the same factors.

    Bottom:
        0: x, N x C x 1 x ..., scores.
        1: label, one class 0 to C - 1 for each item. No gradient.
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        label_specific_rescale_param: positive_weight (1), negative_weight (1), rescale_test
        (false).
    Raises:
        LayerError: for a wrong number of labels, values after the channel axis, and, while
        running on the CPU, an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the first one of happynear/caffe-windows.
    """

    bottoms = (2, 2)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset(), in_place=True)

    def setup(self) -> None:
        param = self.spec.label_specific_rescale_param
        self.rescales = self.training or param.rescale_test

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) < 2 or math.prod(shapes[0][2:]) != 1:
            raise LayerError(
                f"expected scores N x C, got '{self.spec.bottom[0]}' {shape_text(shapes[0])}",
                ("bottom", 0),
            )
        check_labels(self, shapes, 1)
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._labels = Labels(self, shapes[0], 1, None)
        self._factors = self.scratch(shapes[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, param = self.xp, self.spec.label_specific_rescale_param
        if not self.rescales:
            xp.copyto(tops[0], bottoms[0])
            return
        self._labels.read(bottoms[1])
        self._labels.one_hot(self._factors)
        spread = param.positive_weight - param.negative_weight
        xp.multiply(self._factors, spread, out=self._factors)
        xp.add(self._factors, param.negative_weight, out=self._factors)
        xp.multiply(bottoms[0], self._factors, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        if self.rescales:
            self.xp.multiply(dtops[0], self._factors, out=dbottoms[0])
        else:
            self.xp.copyto(dbottoms[0], dtops[0])
