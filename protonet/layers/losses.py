"""Losses of pairs: distances of the values of two bottoms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.losses import (
    AbsoluteDistance,
    Contrastive,
    GradientScale,
    SmoothL1,
    SquaredDistance,
)
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.flow_errors import FlowErrors, check_errors
from protonet.layers.registry import register


class PairLoss(Layer):
    """Base of losses over the difference d of two bottoms with equal numbers of values."""

    bottoms = (2, 2)
    tops = (0, 1)
    traits = Traits(backward_reads=frozenset())
    is_loss = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for place, shape in enumerate(shapes[:2]):
            if not shape:
                raise LayerError("expected at least 1 axis, got a scalar", ("bottom", place))
        self._check_equal(shapes, [shape[0] for shape in shapes[:2]], "items in", "items")
        per_item = [math.prod(shape[1:]) for shape in shapes[:2]]
        self._check_equal(shapes, per_item, "values per item in", "per item")
        return [()]

    def _check_equal(
        self, shapes: Sequence[Shape], counts: Sequence[int], what: str, unit: str
    ) -> None:
        if counts[0] != counts[1]:
            found = [
                f"'{name}' {shape_text(shape)} ({count} {unit})"
                for name, shape, count in zip(self.spec.bottom, shapes, counts, strict=False)
            ]
            raise LayerError(
                f"expected as many {what} both bottoms, got {found[0]} and {found[1]}",
                ("bottom", 1),
                "the layer before the first must have as many outputs as the second has values",
            )

    def build(self, shapes: Sequence[Shape]) -> None:
        self._items = max(1, shapes[0][0])
        self._flat = (math.prod(shapes[0]),)
        self._slope = self.scratch(self._flat)
        self._gradient_scale = GradientScale.make(self.device, self.dtype, self._flat[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dx, sign in zip(dbottoms[:2], (1.0, -1.0), strict=True):
            if dx is not None:
                self._gradient_scale.scale(self._slope, dtops[0], sign / self._items, dx)


@register("EuclideanLoss")
class EuclideanLoss(PairLoss):
    """L = sum (a - b)^2 / (2 N), with N the items of the first axis.

    Gradients: da = w (a - b) / N, db = -da, with w the loss weight.

    Bottom:
        a: N x ..., predictions; b: N x ..., targets. The values of an item may be shaped
        differently in both, as in 10 x 2 and 10 x 1 x 1 x 2.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        no fields of its own; loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number.
    Differs:
        not at all.
    """

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._kernel = SquaredDistance.make(self.device, self.dtype, self._flat[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        a, b = bottoms
        self._kernel.forward(a, b, self._slope, tops[0], 0.5 / self._items)


@register("L1Loss")
class L1Loss(PairLoss):
    """L = sum |a - b| / N, with N the items of the first axis.

    Gradients: da = w sign(a - b) / N, db = -da, with w the loss weight.
    With l1_loss_param, of FlowNet: values that are NaN do not count, nor do errors below plateau;
    l2_per_location has the root of the sum of squares over channels plus epsilon in place of
    |a - b|, and normalize_by_num_entries the number of places that count in place of N.

    Bottom:
        a: N x ..., predictions; b: N x ..., targets, as many values per item. With l1_loss_param
        N x C x ....
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        loss_weight (1); of FlowNet l1_loss_param: l2_per_location (false),
        l2_prescale_by_channels (false: true is the mean of squares over channels),
        normalize_by_num_entries (false), epsilon (0.01), plateau (0).
    Raises:
        LayerError: when the items or the values of an item differ in number, or for a negative
        epsilon or plateau.
    Differs:
        Caffe 1.0 has no such layer; NVIDIA's fork does, and lmb-freiburg/flownet2, where one
        bottom alone may be given, and errors of 0 have the gradient of negative ones.
    """

    def setup(self) -> None:
        super().setup()
        if self.spec.HasField("l1_loss_param"):
            self.traits = replace(self.traits, capturable=False)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        tops = super().infer(shapes)
        if self.spec.HasField("l1_loss_param"):
            check_errors(self, shapes[0])
        return tops

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._kernel = AbsoluteDistance.make(self.device, self.dtype, self._flat[0])
        measured = self.spec.HasField("l1_loss_param")
        self._errors = FlowErrors(self, shapes[0]) if measured else None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        a, b = bottoms
        if self._errors is not None:
            self._errors.forward(a, b, self._slope, tops[0])
        else:
            self._kernel.forward(a, b, self._slope, tops[0], 1.0 / self._items)


@register("AbsLoss")
class AbsLoss(L1Loss):
    """L = sum |a - b| / N, with N the items of the first axis: L1Loss under another name.

    Gradients: da = w sign(a - b) / N, db = -da, with w the loss weight.

    Bottom:
        a: N x ..., predictions; b: N x ..., targets, as many values per item.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        no fields of its own; loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number.
    Differs:
        Caffe 1.0 has no such layer; forks for depth do (abs_loss_layer.cpp). Where a equals b
        the gradient is 0; in some of them it is -w / N.
    """


@register("SmoothL1Loss")
class SmoothL1Loss(PairLoss):
    """L = sum v f(u (a - b)) / N, where f(d) is s d^2 / 2 for |d| < 1 / s, |d| - 1 / (2 s) beyond.

    s is sigma^2 (Girshick, Fast R-CNN, ICCV 2015). Gradients: da = w u v f'(d) / N, db = -da,
    with f'(d) = s d clipped to -1 and 1, and w the loss weight.

    Bottom:
        a: N x ..., predictions; b: N x ..., targets, as many values per item; optional: u, the
        weights inside f, and v, those outside, each with as many values as a. u and v get no
        gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        smooth_l1_loss_param: sigma (1); loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number, or sigma is not
        above 0.
    Differs:
        Caffe 1.0 has no such layer; its forks for detectors do. Those that leave u out of the
        gradient agree with this one for weights of 0 and 1.
    """

    bottoms = (2, 4)
    no_gradient = frozenset({2, 3})

    def setup(self) -> None:
        sigma = self.spec.smooth_l1_loss_param.sigma
        if sigma <= 0:
            raise LayerError(
                f"expected a sigma above 0, got {sigma:g}", ("smooth_l1_loss_param", "sigma")
            )
        self.sharpness = sigma * sigma

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for place, shape in enumerate(shapes[2:], start=2):
            if math.prod(shape) != math.prod(shapes[0]):
                raise LayerError(
                    f"expected as many weights in '{self.spec.bottom[place]}' as values in "
                    f"'{self.spec.bottom[0]}' ({shape_text(shapes[0])}), got {shape_text(shape)}",
                    ("bottom", place),
                )
        return super().infer(shapes)

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._kernel = SmoothL1.make(self.device, self.dtype, self._flat[0], self.sharpness)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        a, b, u, v = (*bottoms, None, None)[:4]
        self._kernel.forward(a, b, u, v, self._slope, tops[0], 1.0 / self._items)


@register("ContrastiveLoss")
class ContrastiveLoss(PairLoss):
    """L = sum(y d^2 + (1 - y) max(margin - d, 0)^2) / (2 N), with d the length of an item's a - b.

    y is 1 for a similar pair, 0 for others (Hadsell et al., CVPR 2006). With
    legacy_version, the second term is max(margin - d^2, 0). Gradients: da = w (a - b) / N for
    similar pairs; else -w (margin - d) (a - b) / (N (d + 1e-4)) inside the margin (legacy:
    -w (a - b) / N) and 0 beyond it; db = -da.

    Bottom:
        a, b: N x ..., as many values per item; y: N values, which are truncated to integers. y
        gets no gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        contrastive_loss_param: margin (1), legacy_version (false); loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number, or there is not one
        y for each item.
    Differs:
        Any y other than 0 counts as similar, as in Caffe. The 1e-4, which is Caffe's, is in the
        gradient only.
    """

    bottoms = (3, 3)
    no_gradient = frozenset({2})

    def setup(self) -> None:
        spec = self.spec.contrastive_loss_param
        self.margin, self.legacy = spec.margin, spec.legacy_version

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        tops = super().infer(shapes)
        items, found = shapes[0][0], math.prod(shapes[2])
        if items != found:
            raise LayerError(
                f"expected one value in '{self.spec.bottom[2]}' for each of the {items} pairs, "
                f"got {shape_text(shapes[2])}",
                ("bottom", 2),
            )
        return tops

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        items, length = shapes[0][0], math.prod(shapes[0][1:])
        self._kernel = Contrastive.make(
            self.device, self.dtype, items, length, self.margin, self.legacy
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        a, b, alike = bottoms
        self._kernel.forward(a, b, alike, self._slope, tops[0], 0.5 / self._items)
